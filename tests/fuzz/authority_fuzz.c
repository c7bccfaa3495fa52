/* authority_fuzz.c - Host and authorities: what was read prints to the same, and equality is one.
 * The first byte says where the input is cut in two. */
#include "http/uri.h"

#include "base/ip.h"
#include "fuzz.h"

static void judge(Str s)
{
    Authority a;
    bool valid = authority_split(s, &a) == ERR_OK;
    MUST(authority_valid(s) == valid);
    MUST(authority_equal(s, s, S("http")) == valid);
    if (!valid) {
        return;
    }
    bool bracketed = str_peek(s, 0) == '[';
    size_t host_at = bracketed ? 1 : 0;
    size_t host_end = host_at + a.host.len + (bracketed ? 1 : 0);
    MUST(a.host.len > 0 && str_equal(str_slice(s, host_at, host_at + a.host.len), a.host));
    IpAddress ip;
    MUST(!bracketed || (ip_parse(a.host, &ip) == ERR_OK && str_peek(s, host_end - 1) == ']'));
    for (size_t i = 0; i < a.host.len; i++) {
        uint8_t c = str_at(a.host, i);
        MUST(c > ' ' && c < 0x7f && c != '@' && c != '/' && c != '?' && c != '#' && c != '\\');
        MUST(bracketed || (c != ':' && c != '[' && c != ']'));
    }
    uint64_t port = 0;
    MUST(host_end == s.len || str_peek(s, host_end) == ':');
    for (size_t i = host_end + 1; i < s.len; i++) {
        MUST(byte_is_digit(str_at(s, i)));
        port = port * 10 + (uint64_t)(str_at(s, i) - '0');
    }
    MUST(port == a.port);
    MUST(authority_equal(s, authority_plain(s), S("https")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1024) {
        return 0;
    }
    Str s = str_drop(str_of(data, size), 1);
    Span left = fuzz_copy(str_take(s, data[0]));
    Span right = fuzz_copy(str_drop(s, data[0]));
    judge(s);
    judge(span_str(left));
    judge(span_str(right));
    bool equal = authority_equal(span_str(left), span_str(right), S("http"));
    MUST(equal == authority_equal(span_str(right), span_str(left), S("http")));
    MUST(!equal || (authority_valid(span_str(left)) && authority_valid(span_str(right))));
    free(left.at);
    free(right.at);
    return 0;
}
