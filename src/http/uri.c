/* uri.c - request targets and authorities, taken apart (RFC 3986, RFC 9112 §3.2).
 *
 * Nothing is decoded or rewritten here (that is normalize.c): only what the parts are, and whether
 * a target may be what it says. */
#include "http/uri.h"

#include "base/ip.h"
#include "base/number.h"
#include "http/bytes.h"

#define PORT_DIGITS_MAX 5u

/* Whether [from, to) of `s` is a reg-name or IPv4 address: bytes that stand for themselves and
 * whole escapes (RFC 3986 §3.2.2). */
static bool reg_name_valid(Str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint8_t c = str_at(s, i);
        if (byte_is(c, BYTE_HOST)) {
            i++;
        } else if (c == '%' && byte_hex_value(str_peek(s, i + 1)) >= 0 &&
                   byte_hex_value(str_peek(s, i + 2)) >= 0) {
            i += 3;
        } else {
            return false;
        }
    }
    return s.len > 0;
}

/* IPv6 in brackets is IPv6: the parser alone would also take an IPv4 address. */
static bool bracketed_valid(Str s)
{
    IpAddress address;
    return str_find(s, ':', 0) < s.len && ip_parse(s, &address) == ERR_OK;
}

static Err port_read(Str digits, uint16_t *ret)
{
    uint64_t port = 0;
    if (digits.len == 0) {
        *ret = 0; /* RFC 3986 §3.2.3: port = *DIGIT */
        return ERR_OK;
    }
    if (digits.len > PORT_DIGITS_MAX) {
        return ERR_SYNTAX;
    }
    if (number_decimal(digits, UINT16_MAX, &port) != ERR_OK) {
        return ERR_SYNTAX;
    }
    *ret = (uint16_t)port;
    return ERR_OK;
}

/* As authority_split; *ret_has_port tells "a" and "a:" from "a:0". */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret) && \valid(ret_has_port);
    assigns *ret \from s, s.at[0 .. s.len - 1], *ret;
    assigns *ret_has_port \from s.at[0 .. s.len - 1], *ret_has_port;
    assigns \result \from s.at[0 .. s.len - 1];
    ensures truth: *ret_has_port == 0 || *ret_has_port == 1; */
static Err authority_read(Str s, Authority *ret, bool *ret_has_port)
{
    Authority authority = {.port = 0};
    size_t host_end = 0;
    if (str_peek(s, 0) == '[') {
        size_t close = str_find(s, ']', 1);
        /*@ split close; */
        authority.host = str_slice(s, 1, close);
        if (close >= s.len || !bracketed_valid(authority.host)) {
            return ERR_SYNTAX;
        }
        host_end = close + 1;
    } else {
        host_end = str_find(s, ':', 0);
        /*@ split host_end; */
        authority.host = str_take(s, host_end);
        if (!reg_name_valid(authority.host)) {
            return ERR_SYNTAX;
        }
    }
    bool has_port = host_end < s.len;
    if (has_port) {
        if (str_at(s, host_end) != ':') {
            return ERR_SYNTAX;
        }
        TRY(port_read(str_drop(s, host_end + 1), &authority.port));
    }
    *ret = authority;
    *ret_has_port = has_port && host_end + 1 < s.len;
    return ERR_OK;
}

Err authority_split(Str s, Authority *ret)
{
    bool has_port = false;
    return authority_read(s, ret, &has_port);
}

bool authority_valid(Str s)
{
    Authority authority;
    return authority_split(s, &authority) == ERR_OK;
}

Str authority_plain(Str s)
{
    return s.len > 0 && str_at(s, s.len - 1) == ':' ? str_take(s, s.len - 1) : s;
}

bool authority_equal(Str a, Str b, Str scheme)
{
    Authority left;
    Authority right;
    bool left_has = false;
    bool right_has = false;
    if (authority_read(a, &left, &left_has) != ERR_OK ||
        authority_read(b, &right, &right_has) != ERR_OK) {
        return false;
    }
    uint16_t usual = str_equal_nocase(scheme, S("https")) ? 443 : 80;
    uint16_t left_port = left_has ? left.port : usual;
    uint16_t right_port = right_has ? right.port : usual;
    return left_port == right_port && str_equal_nocase(left.host, right.host);
}

/* Splits path and query at `from`. A backslash in the path is refused: it is no URI byte, and some
 * readers take it for a slash. */
static Err path_split(Str target, size_t from, UriParts *parts)
{
    size_t i = from;
    while (i < target.len && str_at(target, i) != '?') {
        uint8_t c = str_at(target, i);
        if (!byte_is(c, BYTE_TARGET) || c == '\\') {
            return ERR_SYNTAX;
        }
        i++;
    }
    parts->path = str_slice(target, from, i);
    parts->has_query = i < target.len;
    parts->query = str_drop(target, i + 1);
    return scan_class(target, i, BYTE_TARGET) == target.len ? ERR_OK : ERR_SYNTAX;
}

/* RFC 9112 §3.2.2. An empty path is "/"; for OPTIONS without a query it is "*" (§3.2.4). */
static Err absolute_split(Str target, Method method, UriParts *parts)
{
    size_t colon = str_find(target, ':', 0);
    /*@ split colon; */
    Str scheme = str_take(target, colon);
    if (!str_equal_nocase(scheme, S("http")) && !str_equal_nocase(scheme, S("https"))) {
        return ERR_SYNTAX;
    }
    if (!str_stands(target, colon, S("://"))) {
        return ERR_SYNTAX;
    }
    size_t from = colon + 3;
    size_t end = from;
    while (end < target.len && str_at(target, end) != '/' && str_at(target, end) != '?') {
        end++;
    }
    parts->form = TARGET_ABSOLUTE;
    parts->scheme = scheme;
    parts->authority = str_slice(target, from, end);
    if (!authority_valid(parts->authority)) {
        return ERR_SYNTAX; /* user information among others: '@' is no byte of a host */
    }
    TRY(path_split(target, end, parts));
    if (parts->path.len == 0) {
        bool asterisk = method == METHOD_OPTIONS && !parts->has_query;
        parts->form = asterisk ? TARGET_ASTERISK : TARGET_ABSOLUTE;
        parts->path = asterisk ? S("*") : S("/");
    }
    return ERR_OK;
}

Err uri_split(Str target, Method method, UriParts *ret)
{
    UriParts parts = {.form = TARGET_ORIGIN};
    if (method == METHOD_CONNECT) {
        /* RFC 9112 §3.2.3: nothing but host and port */
        Authority authority;
        bool has_port = false;
        TRY(authority_read(target, &authority, &has_port));
        if (!has_port) {
            return ERR_SYNTAX;
        }
        parts.form = TARGET_AUTHORITY;
        parts.authority = target;
    } else if (str_peek(target, 0) == '/') {
        TRY(path_split(target, 0, &parts));
    } else if (str_equal(target, S("*"))) {
        if (method != METHOD_OPTIONS) {
            return ERR_SYNTAX; /* RFC 9112 §3.2.4 */
        }
        parts.form = TARGET_ASTERISK;
        parts.path = target;
    } else {
        TRY(absolute_split(target, method, &parts));
    }
    *ret = parts;
    return ERR_OK;
}
