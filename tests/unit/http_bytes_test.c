/* http_bytes_test.c - the vectorised scan finds what the proved one finds. */
#include "http/bytes.h"

#include "http_support.h"

typedef size_t Scan(Str s, size_t from);

/* Each byte at each place of each length, among bytes that do not stop either scan. */
static void compare_scans(Scan *fast, Scan *plain)
{
    for (size_t len = 0; len <= 50; len++) {
        uint8_t fill[50];
        span_fill(span_of(fill, sizeof fill), 'x');
        Span copy = exact_copy(str_of(fill, len));
        Str s = span_str(copy);
        for (size_t from = 0; from <= len; from++) {
            EXPECT_U64(fast(s, from), len);
        }
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                copy.at[at] = (uint8_t)c;
                EXPECT_U64(fast(s, at / 2), plain(s, at / 2));
            }
            copy.at[at] = at % 2 ? '_' : '9';
        }
        free(copy.at);
    }
}

TEST("the scan over field values equals its scalar twin, for each byte at each place")
{
    compare_scans(scan_value, scan_value_scalar);
    uint8_t text[] = "\xff\x80 obs-text and\ttab, then the end of the line\r\n";
    Str s = str_of(text, sizeof text - 1);
    EXPECT_U64(scan_value(s, 0), s.len - 2);
}

TEST("the scan over field names equals its scalar twin, for each byte at each place")
{
    compare_scans(scan_name, scan_name_scalar);
    EXPECT_U64(scan_name(S("a-name-of-17-byte: value"), 0), 17);
    EXPECT_U64(scan_name(S("!#$%&'*+-.^_`|~0123456789AZaz\x80"), 0), 29);
}

TEST("the byte classes are the grammars")
{
    for (unsigned c = 0; c < 256; c++) {
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        EXPECT(byte_is((uint8_t)c, BYTE_TOKEN) ==
               (alnum || (c && strchr("!#$%&'*+-.^_`|~", (int)c))));
        EXPECT(byte_is((uint8_t)c, BYTE_VALUE) == ((c >= 32 && c != 127) || c == 9));
        EXPECT(byte_is((uint8_t)c, BYTE_TARGET) == (c > 32 && c != 127 && c != '#'));
        EXPECT(byte_is((uint8_t)c, BYTE_UNRESERVED) == (alnum || (c && strchr("-._~", (int)c))));
        EXPECT(byte_is((uint8_t)c, BYTE_HOST) ==
               (alnum || (c && strchr("-._~!$&'()*+,;=", (int)c))));
        EXPECT(byte_is((uint8_t)c, BYTE_CONTROL) == (c < 32 || c == 127));
    }
}
