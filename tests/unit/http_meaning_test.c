/* http_meaning_test.c - what heads without fault say: connection, body, expectation, lists; that
 * heads are found at every split; and that printing and reading again is stable. */
#include "base/text.h"
#include "http_support.h"

static const HeadLimits test_limits = TEST_LIMITS;

static RequestHead request_of(Str head, Field *room)
{
    RequestHead request = {.minor = 9};
    HttpFault fault = head_parse_request(
        head, &test_limits, (Fields){.room = TEST_FIELDS_MAX, .at = room}, &request);
    EXPECT_STR(http_fault_code(fault), S("none"));
    return request;
}

TEST("a connection goes on when both version and options say so")
{
    static const struct {
        Str head;
        bool keep_alive;
        bool upgrade;
        bool names_fields;
    } rows[] = {
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), true, false, false},
        {S_INIT("GET / HTTP/1.0\r\n\r\n"), false, false, false},
        {S_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true, false, false},
        {S_INIT("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false, false, false},
        {S_INIT("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n"), false, false, false},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n"), false, false, false},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: ,close,\r\n\r\n"), false,
         false, true},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n"), true, false, true},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n"), true, false, false},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"), true, false, false},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), true,
         true, false},
        {S_INIT("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), false, false,
         false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Field room[TEST_FIELDS_MAX];
        Framing framing = request_of(rows[i].head, room).framing;
        EXPECT(framing.body == BODY_NONE && !framing.has_length);
        EXPECT_U64(framing.keep_alive, rows[i].keep_alive);
        EXPECT_U64(framing.upgrade, rows[i].upgrade);
        EXPECT_U64(framing.names_fields, rows[i].names_fields);
    }
}

TEST("an expectation is 100-continue or it cannot be met, and HTTP/1.0 has no interim answers")
{
    static const struct {
        Str head;
        bool wants_continue;
        bool other;
    } rows[] = {
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n"), true, false},
        {S_INIT("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), false, false},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"), false, true},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea, 100-continue\r\n\r\n"), true, true},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue;x\r\n\r\n"), false, true},
        {S_INIT("GET / HTTP/1.1\r\nHost: a\r\nExpect:\r\n\r\n"), false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Field room[TEST_FIELDS_MAX];
        RequestHead request = request_of(rows[i].head, room);
        EXPECT_U64(request.expects_continue, rows[i].wants_continue);
        EXPECT_U64(request.expects_other, rows[i].other);
    }
}

TEST("where a response's body ends follows from status, method and fields, in this order")
{
    static const struct {
        Str head;
        Method method;
        BodyKind body;
        uint64_t length;
        bool keep_alive;
    } rows[] = {
        {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_LENGTH, 5, true},
        {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), METHOD_GET, BODY_NONE, 0, true},
        {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), METHOD_HEAD, BODY_NONE, 5, true},
        {S_INIT("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_NONE, 5, true},
        {S_INIT("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_NONE, 5, true},
        {S_INIT("HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n"), METHOD_GET, BODY_NONE, 0,
         true},
        {S_INIT("HTTP/1.1 204 X\r\nContent-Length: x\r\n\r\n"), METHOD_GET, BODY_NONE, 0, false},
        {S_INIT("HTTP/1.1 304 X\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
         METHOD_GET, BODY_NONE, 0, false},
        {S_INIT("HTTP/1.1 200 X\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
         METHOD_HEAD, BODY_NONE, 0, false},
        {S_INIT("HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\n\r\n"), METHOD_HEAD, BODY_NONE, 0,
         true},
        {S_INIT("HTTP/1.1 304 X\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), METHOD_GET,
         BODY_NONE, 0, false},
        {S_INIT("HTTP/1.1 100 X\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_NONE, 5, true},
        {S_INIT("HTTP/1.1 101 X\r\n\r\n"), METHOD_GET, BODY_NONE, 0, true},
        {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), METHOD_GET, BODY_CHUNKED,
         0, true},
        {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), METHOD_HEAD, BODY_NONE, 0,
         true},
        {S_INIT("HTTP/1.1 200 OK\r\n\r\n"), METHOD_GET, BODY_UNTIL_CLOSE, 0, false},
        {S_INIT("HTTP/1.1 200 OK\r\n\r\n"), METHOD_HEAD, BODY_NONE, 0, true},
        {S_INIT("HTTP/1.1 200 OK\r\n\r\n"), METHOD_CONNECT, BODY_NONE, 0, true},
        {S_INIT("HTTP/1.1 403 OK\r\n\r\n"), METHOD_CONNECT, BODY_UNTIL_CLOSE, 0, false},
        {S_INIT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_LENGTH, 5, false},
        {S_INIT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), METHOD_GET, BODY_UNTIL_CLOSE,
         0, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Field room[TEST_FIELDS_MAX];
        ResponseHead r;
        EXPECT(head_parse_response(rows[i].head, &test_limits, rows[i].method,
                                   (Fields){.room = TEST_FIELDS_MAX, .at = room},
                                   &r) == HTTP_FAULT_NONE);
        EXPECT(r.framing.body == rows[i].body);
        EXPECT_U64(r.framing.length, rows[i].length);
        EXPECT_U64(r.framing.keep_alive, rows[i].keep_alive);
    }
}

TEST("Keep-Alive announces milliseconds, or nothing that counts")
{
    static const struct {
        Str value;
        uint64_t ms;
    } rows[] = {
        {S_INIT("timeout=5"), 5000},          {S_INIT("max=9, Timeout = 7 ,x"), 7000},
        {S_INIT("timeout=0"), 0},             {S_INIT("timeout=x"), 0},
        {S_INIT("timeout"), 0},               {S_INIT("timeout=-1"), 0},
        {S_INIT("timeout=99999999999999999999999"), 86400000}, {S_INIT(""), 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t bytes[128];
        Text t = text_in(span_of(bytes, sizeof bytes));
        text_add(&t, S("HTTP/1.1 200 OK\r\nKeep-Alive: "));
        text_add(&t, rows[i].value);
        text_add(&t, S("\r\n\r\n"));
        Field room[TEST_FIELDS_MAX];
        ResponseHead r = {.keep_alive_ms = 1};
        EXPECT(head_parse_response(text_str(&t), &test_limits, METHOD_GET,
                                   (Fields){.room = TEST_FIELDS_MAX, .at = room},
                                   &r) == HTTP_FAULT_NONE);
        EXPECT_U64(r.keep_alive_ms, rows[i].ms);
    }
}

TEST("limits hold exactly")
{
    Str head = S("GET /abc HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
    HeadLimits limits = {.head_bytes_max = head.len, .fields_max = 2, .target_bytes_max = 4};
    Field room[TEST_FIELDS_MAX];
    Fields fields = {.room = TEST_FIELDS_MAX, .at = room};
    RequestHead r;
    EXPECT(head_parse_request(head, &limits, fields, &r) == HTTP_FAULT_NONE);
    limits.fields_max = 1;
    EXPECT(head_parse_request(head, &limits, fields, &r) == HTTP_FAULT_TOO_MANY_FIELDS);
    limits.fields_max = 3;
    EXPECT(head_parse_request(head, &limits, (Fields){.room = 1, .at = room}, &r) ==
           HTTP_FAULT_TOO_MANY_FIELDS);
    limits.target_bytes_max = 3;
    EXPECT(head_parse_request(head, &limits, fields, &r) == HTTP_FAULT_TARGET_TOO_LONG);
    limits.head_bytes_max = head.len - 1;
    EXPECT(head_parse_request(head, &limits, fields, &r) == HTTP_FAULT_HEAD_TOO_LARGE);
}

TEST("the members of a list are trimmed, and quotes guard their commas")
{
    static const struct {
        Str list;
        Str want;
    } rows[] = {
        {S_INIT(""), S_INIT("")},
        {S_INIT(" , ,\t,"), S_INIT("")},
        {S_INIT("a"), S_INIT("a|")},
        {S_INIT(" a , b\t,,c d "), S_INIT("a|b|c d|")},
        {S_INIT("a=\"b,c\",d"), S_INIT("a=\"b,c\"|d|")},
        {S_INIT("\"a\\\",b\",c"), S_INIT("\"a\\\",b\"|c|")},
        {S_INIT("\"a,b"), S_INIT("\"a,b|")},
        {S_INIT("\"a\\"), S_INIT("\"a\\|")},
        {S_INIT("a\\,b"), S_INIT("a\\|b|")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].list);
        uint8_t bytes[64];
        Text t = text_in(span_of(bytes, sizeof bytes));
        Str rest = span_str(copy);
        Str member;
        while (list_next(&rest, &member)) {
            text_add(&t, member);
            text_byte(&t, '|');
        }
        EXPECT_STR(text_str(&t), rows[i].want);
        free(copy.at);
    }
}

TEST("the end of a head is found the same at every split, and one empty line is skipped")
{
    Str wire = S("\r\nGET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\nGET / HTTP/1.1\r\n\r\n");
    EXPECT_U64(head_skip_empty(wire), 2);
    EXPECT_U64(head_skip_empty(S("\r")), 0);
    EXPECT_U64(head_skip_empty(S("\n")), 0);
    EXPECT_U64(head_skip_empty(S("\r\n\r\n")), 2);
    wire = str_drop(wire, 2);
    size_t want = sizeof("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n") - 1;
    for (size_t split = 0; split < want; split++) {
        size_t scanned = 0;
        size_t end = 0;
        Span copy = exact_copy(str_take(wire, split));
        EXPECT(head_find_end(span_str(copy), &scanned, &end) == ERR_INCOMPLETE);
        free(copy.at);
        copy = exact_copy(wire);
        EXPECT(head_find_end(span_str(copy), &scanned, &end) == ERR_OK);
        EXPECT_U64(end, want);
        free(copy.at);
    }
    static const Str bare[] = {S_INIT("\n"), S_INIT("GET /\n"), S_INIT("a\r\nb\n\r\n"),
                               S_INIT("a\r\n\n")};
    for (size_t i = 0; i < COUNT_OF(bare); i++) {
        size_t scanned = 0;
        size_t end = 0;
        EXPECT(head_find_end(bare[i], &scanned, &end) == ERR_SYNTAX);
    }
    size_t scanned = 0;
    size_t end = 0;
    EXPECT(head_find_end(S("a\r\n\r\r\n\r"), &scanned, &end) == ERR_INCOMPLETE);
}

static void request_print(Text *t, const RequestHead *r)
{
    text_add(t, r->method_name);
    text_byte(t, ' ');
    text_add(t, r->target);
    text_add(t, r->minor ? S(" HTTP/1.1\r\n") : S(" HTTP/1.0\r\n"));
    for (size_t i = 0; i < r->fields.count; i++) {
        text_add(t, r->fields.at[i].name);
        text_add(t, S(": "));
        text_add(t, r->fields.at[i].value);
        text_add(t, S("\r\n"));
    }
    text_add(t, S("\r\n"));
}

/* Reads a mutated head; if it is accepted, what River would print must mean the same. */
static bool stays_the_same(Str head)
{
    Field room[TEST_FIELDS_MAX];
    Field room_again[TEST_FIELDS_MAX];
    RequestHead r;
    Fields fields = {.room = TEST_FIELDS_MAX, .at = room};
    if (head_parse_request(head, &test_limits, fields, &r) != HTTP_FAULT_NONE) {
        return false;
    }
    uint8_t bytes[512];
    Text t = text_in(span_of(bytes, sizeof bytes));
    request_print(&t, &r);
    RequestHead again;
    fields.at = room_again;
    EXPECT(head_parse_request(text_str(&t), &test_limits, fields, &again) == HTTP_FAULT_NONE);
    EXPECT_STR(again.target, r.target);
    EXPECT_STR(again.host, r.host);
    EXPECT(again.framing.body == r.framing.body && again.framing.length == r.framing.length);
    EXPECT(again.framing.keep_alive == r.framing.keep_alive && again.method == r.method);
    EXPECT_U64(again.fields.count, r.fields.count);
    for (size_t i = 0; i < r.fields.count; i++) {
        EXPECT_STR(again.fields.at[i].value, r.fields.at[i].value);
        EXPECT(again.fields.at[i].id == r.fields.at[i].id);
        EXPECT(field_name_valid(r.fields.at[i].name) && field_value_valid(r.fields.at[i].value));
    }
    return true;
}

TEST("every single-byte change of a head is refused or means the same when printed")
{
    Str head = S("POST http://h:80/p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n"
                 "Connection: close, x\r\nExpect: 100-continue\r\nX-Y: a \t b\r\n\r\n");
    unsigned accepted = 0;
    for (size_t i = 0; i < head.len; i++) {
        for (unsigned c = 0; c < 256; c++) {
            Span copy = exact_copy(head);
            copy.at[i] = (uint8_t)c;
            accepted += stays_the_same(span_str(copy));
            free(copy.at);
        }
        Span cut = exact_copy(str_take(head, i));
        EXPECT(!stays_the_same(span_str(cut)));
        free(cut.at);
    }
    EXPECT(accepted > head.len);
}

TEST("methods, status codes and faults have their words")
{
#define X(name, safe, idempotent)                                                                  \
    EXPECT(method_from(S(#name)) == METHOD_##name);                                                \
    EXPECT(method_is_safe(METHOD_##name) == (safe));                                               \
    EXPECT(method_is_idempotent(METHOD_##name) == (idempotent));
    METHOD_TABLE(X)
#undef X
    static const Str others[] = {S_INIT(""), S_INIT("get"), S_INIT("GETS"), S_INIT("PUX"),
                                 S_INIT("PROPFIND"), S_INIT("OPTIONZ")};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        EXPECT(method_from(others[i]) == METHOD_OTHER);
    }
    EXPECT(!method_is_safe(METHOD_OTHER) && !method_is_idempotent(METHOD_OTHER));
    EXPECT_STR(status_reason(404), S("Not Found"));
    EXPECT_STR(status_reason(599), S("Unknown"));
    EXPECT_STR(http_fault_code(HTTP_FAULT_EXTRA_BYTES), S("extra-bytes"));
    EXPECT_STR(http_fault_sentence(HTTP_FAULT_NONE), S("nothing is wrong"));
}
