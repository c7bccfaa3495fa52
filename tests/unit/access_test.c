/* access_test.c - the access line in its three forms. */
#include "proxy/access.h"

#include <string.h>

#include "test.h"

static AccessRecord sample(void)
{
    AccessRecord r = {
        .time_us = UINT64_C(1764000000123456),
        .request_id = S("0af7651916cd43dd"),
        .client_port = 51000,
        .service = S("front"),
        .route = S("/a"),
        .host = S("example.test"),
        .method = S("GET"),
        .target = S("/a?b=c"),
        .minor = 1,
        .user_agent = S("curl/8.0"),
        .status = 200,
        .bytes_in = 78,
        .bytes_out = 1234,
        .body_bytes_out = 1024,
        .upstream = S("127.0.0.1:9000"),
        .attempts = 1,
        .total_us = 1500,
        .connect_us = 200,
        .first_byte_us = 900,
    };
    EXPECT(ip_parse(S("192.0.2.7"), &r.client) == ERR_OK);
    return r;
}

static Str print(AccessStyle style, const AccessRecord *r)
{
    static uint8_t room[ACCESS_LINE_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room));
    access_print(&t, style, r);
    EXPECT(!t.overflow);
    return text_str(&t);
}

TEST("an access line in its three forms")
{
    AccessRecord r = sample();
    EXPECT_STR(print(ACCESS_STYLE_LOGFMT, &r),
               S("time=2025-11-24T16:00:00.123Z request_id=0af7651916cd43dd client=192.0.2.7:51000 "
                 "service=front route=/a host=example.test method=GET target=\"/a?b=c\" "
                 "protocol=HTTP/1.1 status=200 bytes_in=78 bytes_out=1234 "
                 "upstream=127.0.0.1:9000 attempts=1 total_us=1500 connect_us=200 "
                 "first_byte_us=900 user_agent=curl/8.0"));
    r.referer = S("http://r.test/");
    EXPECT_STR(print(ACCESS_STYLE_JSON, &r),
               S("{\"time\":\"2025-11-24T16:00:00.123Z\",\"request_id\":\"0af7651916cd43dd\","
                 "\"client\":\"192.0.2.7:51000\",\"service\":\"front\",\"route\":\"/a\","
                 "\"host\":\"example.test\","
                 "\"method\":\"GET\",\"target\":\"/a?b=c\","
                 "\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes_in\":78,"
                 "\"bytes_out\":1234,\"upstream\":\"127.0.0.1:9000\",\"attempts\":1,"
                 "\"total_us\":1500,\"connect_us\":200,\"first_byte_us\":900,"
                 "\"referer\":\"http://r.test/\",\"user_agent\":\"curl/8.0\"}"));
    EXPECT_STR(print(ACCESS_STYLE_COMBINED, &r),
               S("192.0.2.7 - - [24/Nov/2025:16:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 1024 "
                 "\"http://r.test/\" \"curl/8.0\""));
}

TEST("an access line of a request that was refused before it was understood")
{
    AccessRecord r = {.status = 400, .reason = S("bare-lf"), .bytes_in = 9};
    EXPECT_STR(print(ACCESS_STYLE_LOGFMT, &r),
               S("time=1970-01-01T00:00:00.000Z client=unix status=400 reason=bare-lf bytes_in=9 "
                 "bytes_out=0 attempts=0 total_us=0 connect_us=0 first_byte_us=0"));
    EXPECT_STR(print(ACCESS_STYLE_COMBINED, &r),
               S("unix - - [01/Jan/1970:00:00:00 +0000] \"-\" 400 0 \"-\" \"-\""));
}

TEST("an IPv6 client stands in brackets before its port")
{
    AccessRecord r = sample();
    EXPECT(ip_parse(S("2001:db8::1"), &r.client) == ERR_OK);
    Str line = print(ACCESS_STYLE_LOGFMT, &r);
    EXPECT(memmem(line.at, line.len, "client=[2001:db8::1]:51000 ", 27) != NULL);
}

TEST("hostile bytes stay within their line, whatever they are and however many")
{
    static uint8_t bytes[70000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 131 >> 3);
    }
    Str hostile = str_of(bytes, sizeof bytes);
    AccessRecord r = sample();
    r.target = r.host = r.method = r.referer = r.user_agent = hostile;
    r.request_id = r.upstream = r.route = r.service = r.reason = hostile;
    for (int style = 0; style <= ACCESS_STYLE_COMBINED; style++) {
        Str line = print((AccessStyle)style, &r);
        EXPECT(line.len < ACCESS_LINE_BYTES_MAX);
        for (size_t i = 0; i < line.len; i++) {
            EXPECT(line.at[i] >= 0x20 && line.at[i] < 0x7f);
        }
    }
}

TEST("a long target is cut and says so")
{
    static uint8_t bytes[5000];
    span_fill(span_of(bytes, sizeof bytes), 'a');
    AccessRecord r = sample();
    r.target = str_of(bytes, sizeof bytes);
    Str line = print(ACCESS_STYLE_JSON, &r);
    EXPECT(memmem(line.at, line.len, "aaa...\",\"protocol\":", 19) != NULL);
}
