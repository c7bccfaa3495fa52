/* forwarded_for.c - one entry at a time, from the right. */
#include "http/forwarded_for.h"

#include "base/number.h"

/* Whether ":PORT" or nothing follows from `at` on. */
static bool is_port(Str s, size_t at)
{
    uint64_t port = 0;
    return at >= s.len || (str_at(s, at) == ':' && s.len - at <= 6 &&
                           number_decimal_in(s, at + 1, s.len, UINT16_MAX, &port) == ERR_OK);
}

/* "[IPV6]" or "[IPV6]:PORT". Brackets are for IPv6 alone (RFC 3986 §3.2.2). */
static Err bracketed_address(Str s, IpAddress *ret)
{
    size_t close = str_find(s, ']', 1);
    /*@ split close; */
    if (close == s.len || !is_port(s, close + 1)) {
        return ERR_SYNTAX;
    }
    Str text = str_slice(s, 1, close);
    return str_find(text, ':', 0) < text.len ? ip_parse(text, ret) : ERR_SYNTAX;
}

Err forwarded_address(Str s, IpAddress *ret)
{
    if (str_peek(s, 0) == '[') {
        return bracketed_address(s, ret);
    }
    size_t colon = str_find(s, ':', 0);
    /*@ split colon; */
    if (colon < s.len && str_find(s, ':', colon + 1) == s.len) { /* IPv6 has two at least */
        return is_port(s, colon) ? ip_parse(str_take(s, colon), ret) : ERR_SYNTAX;
    }
    return ip_parse(s, ret);
}

/* Where the entry begins that ends at `end`: after a comma, or at the start. */
static size_t entry_start(Str line, size_t end)
{
    for (size_t i = end; i > 0; i--) {
        if (str_at(line, i - 1) == ',') {
            return i;
        }
    }
    return 0;
}

bool forwarded_last(Str line, size_t *end, size_t *ret_from, size_t *ret_to)
{
    size_t to = *end;
    if (to == 0 || to > line.len) {
        return false;
    }
    size_t from = entry_start(line, to);
    *end = from > 0 ? from - 1 : 0;
    while (from < to && byte_is_blank(str_at(line, from))) {
        from++;
    }
    while (to > from && byte_is_blank(str_at(line, to - 1))) {
        to--;
    }
    *ret_from = from;
    *ret_to = to;
    return true;
}
