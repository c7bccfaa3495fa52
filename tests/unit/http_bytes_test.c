/* http_bytes_test.c - the vectorised scan finds what the proved one finds. */
#include "http/bytes.h"

#include "http_support.h"

TEST("the scan over field values equals its scalar twin, for each byte at each place")
{
    for (size_t len = 0; len <= 50; len++) {
        uint8_t fill[50];
        span_fill(span_of(fill, sizeof fill), 'x');
        Span copy = exact_copy(str_of(fill, len));
        Str s = span_str(copy);
        for (size_t from = 0; from <= len; from++) {
            EXPECT_U64(scan_value(s, from), len);
        }
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                copy.at[at] = (uint8_t)c;
                EXPECT_U64(scan_value(s, at / 2), scan_value_scalar(s, at / 2));
            }
            copy.at[at] = 0xff;
        }
        free(copy.at);
    }
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
