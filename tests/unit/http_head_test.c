/* http_head_test.c - heads: what is accepted and what it means, what is refused and why. */
#include "http_support.h"

static const HeadLimits test_limits = TEST_LIMITS;

static HttpFault request_fault(Str head)
{
    Field room[TEST_FIELDS_MAX];
    RequestHead request;
    Span copy = exact_copy(head);
    HttpFault fault = head_parse_request(span_str(copy), &test_limits,
                                         (Fields){.room = TEST_FIELDS_MAX, .at = room}, &request);
    free(copy.at);
    return fault;
}

static HttpFault response_fault(Str head)
{
    Field room[TEST_FIELDS_MAX];
    ResponseHead response;
    Span copy = exact_copy(head);
    HttpFault fault = head_parse_response(span_str(copy), &test_limits, METHOD_GET,
                                          (Fields){.room = TEST_FIELDS_MAX, .at = room}, &response);
    free(copy.at);
    return fault;
}

typedef struct FaultRow {
    Str head;
    HttpFault fault;
} FaultRow;

#define ROW(text, name) {S_INIT(text), HTTP_FAULT_##name}

static void expect_faults(const FaultRow *rows, size_t count, HttpFault (*parse)(Str))
{
    for (size_t i = 0; i < count; i++) {
        HttpFault got = parse(rows[i].head);
        if (got != rows[i].fault) {
            EXPECT_STR(rows[i].head, S("(this head)"));
        }
        EXPECT_STR(http_fault_code(got), http_fault_code(rows[i].fault));
    }
}

TEST("a request line has three parts and single spaces")
{
    static const FaultRow rows[] = {
        ROW("GET / HTTP/1.1\r\nHost: a\r\n\r\n", NONE),
        ROW("GET /\r\nHost: a\r\n\r\n", REQUEST_LINE),
        ROW("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST_LINE),
        ROW("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", REQUEST_LINE),
        ROW(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD),
        ROW("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", METHOD),
        ROW("GET / a HTTP/1.1\r\nHost: a\r\n\r\n", VERSION),
        ROW("\r\n", REQUEST_LINE),
        ROW("", REQUEST_LINE),
        ROW("GET", REQUEST_LINE),
        ROW("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD),
        ROW("G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", CONTROL),
        ROW("GET / HTTP/1.1\nHost: a\r\n\r\n", BARE_LF),
        ROW("GET / HTTP/1.1\rHost: a\r\n\r\n", BARE_CR),
        ROW("GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", BARE_CR),
        ROW("GET /\nx HTTP/1.1\r\nHost: a\r\n\r\n", BARE_LF),
        ROW("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", CONTROL),
        ROW("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", CONTROL),
        ROW("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET /?#x HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET a HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET * HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        ROW("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", NONE),
        ROW("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", NONE),
    };
    expect_faults(rows, COUNT_OF(rows), request_fault);
}

TEST("only HTTP/1.0 and HTTP/1.1 are spoken")
{
    static const FaultRow rows[] = {
        ROW("GET / HTTP/1.0\r\n\r\n", NONE),
        ROW("GET / HTTP/0.9\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/1.2\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/1.10\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/2.0\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / http/1.1\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/1.\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / HTTP/01.1\r\nHost: a\r\n\r\n", VERSION),
        ROW("GET / \r\nHost: a\r\n\r\n", VERSION),
        ROW("PRI * HTTP/2.0\r\n\r\n", TARGET),
    };
    expect_faults(rows, COUNT_OF(rows), request_fault);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

TEST("field lines keep to the grammar, without folding and without blanks before the colon")
{
    static const FaultRow rows[] = {
        ROW(GET "X: 1\r\n\r\n", NONE),
        ROW(GET "X:\r\n\r\n", NONE),
        ROW(GET "X: \t \r\n\r\n", NONE),
        ROW(GET "X: a\tb \xff\r\n\r\n", NONE),
        ROW(GET "X : 1\r\n\r\n", FIELD_COLON),
        ROW(GET "X\t: 1\r\n\r\n", FIELD_COLON),
        ROW(GET "X\r\n\r\n", FIELD_COLON),
        ROW(GET "X Y: 1\r\n\r\n", FIELD_COLON),
        ROW(GET ": 1\r\n\r\n", FIELD_NAME),
        ROW(GET "X@: 1\r\n\r\n", FIELD_NAME),
        ROW(GET "X\xc3\xa4: 1\r\n\r\n", FIELD_NAME),
        ROW(GET "X\0: 1\r\n\r\n", CONTROL),
        ROW(GET "\0: 1\r\n\r\n", CONTROL),
        ROW(GET " X: 1\r\n\r\n", FOLDING),
        ROW(GET "X: 1\r\n 2\r\n\r\n", FOLDING),
        ROW(GET "X: 1\r\n\t2\r\n\r\n", FOLDING),
        ROW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FOLDING),
        ROW(GET "X: 1\n\r\n", BARE_LF),
        ROW(GET "X: 1\n", BARE_LF),
        ROW(GET "\n", BARE_LF),
        ROW(GET "X: 1\rY: 2\r\n\r\n", BARE_CR),
        ROW(GET "X: 1\r\r\n\r\n", BARE_CR),
        ROW(GET "\r\r\n\r\n", BARE_CR),
        ROW(GET "X\r: 1\r\n\r\n", BARE_CR),
        ROW(GET "X: \0\r\n\r\n", FIELD_VALUE),
        ROW(GET "X: \x0b\r\n\r\n", FIELD_VALUE),
        ROW(GET "X: a\x7f\r\n\r\n", FIELD_VALUE),
        ROW(GET "X: 1\r\n", FIELD_COLON),
        ROW(GET "X: 1", FIELD_VALUE),
        ROW(GET "\r\nGET", EXTRA_BYTES),
    };
    expect_faults(rows, COUNT_OF(rows), request_fault);
}

TEST("no two readers can disagree about where a request ends")
{
    static const FaultRow rows[] = {
        ROW(GET "Content-Length: 0\r\n\r\n", NONE),
        ROW(GET "Content-Length: 9223372036854775807\r\n\r\n", NONE),
        ROW(GET "Content-Length: 9223372036854775808\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 18446744073709551616\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 340282366920938463463374607431768211461\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length:\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: +5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: -5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 0x5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5 5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5, 5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5,\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5.0\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: \"5\"\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5_0\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", LENGTH_INVALID),
        ROW(GET "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", LENGTH_CONFLICT),
        ROW(GET "Content-Length: 5\r\nContent-Length: 05\r\n\r\n", LENGTH_CONFLICT),
        ROW(GET "Transfer-Encoding: chunked\r\n\r\n", NONE),
        ROW(GET "Transfer-Encoding: CHUNKED \r\n\r\n", NONE),
        ROW(GET "Transfer-Encoding:\tchunked\r\n\r\n", NONE),
        ROW(GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", LENGTH_AND_CODING),
        ROW(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", LENGTH_AND_CODING),
        ROW(GET "Content-Length: x\r\nTransfer-Encoding: x\r\n\r\n", LENGTH_AND_CODING),
        ROW(GET "Transfer-Encoding: identity\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: chunked, gzip\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: chunked, chunked\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: chunked,\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: chunked;x=1\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: xchunked\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: \"chunked\"\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding:\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n", CODING),
        ROW(GET "Transfer-Encoding:\x0b" "chunked\r\n\r\n", FIELD_VALUE),
        ROW(GET "Transfer-Encoding\x0b: chunked\r\n\r\n", CONTROL),
        ROW(GET "X: y\r\n Transfer-Encoding: chunked\r\n\r\n", FOLDING),
        ROW("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_IN_10),
        ROW("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            LENGTH_AND_CODING),
    };
    expect_faults(rows, COUNT_OF(rows), request_fault);
}

TEST("Host stands exactly once and is a valid authority")
{
#define LINE "GET / HTTP/1.1\r\n"
    static const FaultRow rows[] = {
        ROW(LINE "\r\n", HOST_MISSING),
        ROW("GET http://a/ HTTP/1.1\r\n\r\n", HOST_MISSING),
        ROW("GET / HTTP/1.0\r\n\r\n", NONE),
        ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HOST_REPEATED),
        ROW("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: a\r\nHost: a\r\n\r\n", HOST_REPEATED),
        ROW(LINE "Host: a\r\nhOST: b\r\n\r\n", HOST_REPEATED),
        ROW(LINE "Host:\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: u@a\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: a/b\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: a b\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: a::\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: :\r\n\r\n", HOST_INVALID),
        ROW("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", HOST_CONFLICT),
        ROW("GET http://b:81/ HTTP/1.1\r\nHost: b\r\n\r\n", HOST_CONFLICT),
        ROW("GET http://b/ HTTP/1.0\r\nHost: a\r\n\r\n", HOST_CONFLICT),
        ROW("GET https://b:80/ HTTP/1.1\r\nHost: b\r\n\r\n", HOST_CONFLICT),
        ROW("CONNECT b: HTTP/1.1\r\nHost: b\r\n\r\n", TARGET),
        ROW(LINE "Host: a:65536\r\n\r\n", HOST_INVALID),
        ROW(LINE "Host: a:65535\r\n\r\n", NONE),
        ROW(LINE "Host: [::1]:80\r\n\r\n", NONE),
        ROW(LINE "Host: ::1\r\n\r\n", HOST_INVALID),
        ROW("GET http://b/ HTTP/1.1\r\nHost: B\r\n\r\n", NONE),
        ROW("GET http://b:80/ HTTP/1.1\r\nHost: b\r\n\r\n", NONE),
        ROW("GET https://b/ HTTP/1.1\r\nHost: b:443\r\n\r\n", NONE),
        ROW("GET http://b/ HTTP/1.1\r\nHost: b:\r\n\r\n", NONE),
        ROW(LINE "Host: a:\r\n\r\n", NONE),
        ROW("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", HOST_INVALID),
    };
    expect_faults(rows, COUNT_OF(rows), request_fault);
}

/* A head whose Connection fields hold `bytes` bytes together. */
static HttpFault connection_fault(const char *line, size_t bytes, HttpFault (*parse)(Str))
{
    static uint8_t room[4096];
    Text text = text_in(span_of(room, sizeof room));
    text_add(&text, str_of(line, strlen(line)));
    text_add(&text, S("Connection: x"));
    for (size_t i = 3; i < bytes; i++) {
        text_byte(&text, ',');
    }
    text_add(&text, S("y\r\nConnection: z\r\n\r\n"));
    return parse(text_str(&text));
}

TEST("a Connection list is bounded, since every field is looked up in it")
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n";
    static const char response[] = "HTTP/1.1 200 OK\r\n";
    static const char bodiless[] = "HTTP/1.1 204 OK\r\n";
    EXPECT(connection_fault(request, 1024, request_fault) == HTTP_FAULT_NONE);
    EXPECT(connection_fault(request, 1025, request_fault) == HTTP_FAULT_CONNECTION_TOO_LONG);
    EXPECT(connection_fault(response, 1024, response_fault) == HTTP_FAULT_NONE);
    EXPECT(connection_fault(response, 1025, response_fault) == HTTP_FAULT_CONNECTION_TOO_LONG);
    EXPECT(connection_fault(bodiless, 1024, response_fault) == HTTP_FAULT_NONE);
    EXPECT(connection_fault(bodiless, 1025, response_fault) == HTTP_FAULT_CONNECTION_TOO_LONG);
}

TEST("a hostile origin gets the same strictness")
{
#define OK_LINE "HTTP/1.1 200 OK\r\n"
    static const FaultRow rows[] = {
        ROW(OK_LINE "\r\n", NONE),
        ROW("HTTP/1.1 200 \r\n\r\n", NONE),
        ROW("HTTP/1.1 200\r\n\r\n", NONE),
        ROW("HTTP/1.0 599 \xe4\r\n\r\n", NONE),
        ROW("HTTP/1.1 099 X\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1 600 X\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1 20 OK\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1 2000 OK\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1  200 OK\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1 +20 OK\r\n\r\n", STATUS_LINE),
        ROW("HTTP/1.1\t200 OK\r\n\r\n", STATUS_LINE),
        ROW("HTTP/2 200 OK\r\n\r\n", VERSION),
        ROW("ICY 200 OK\r\n\r\n", VERSION),
        ROW("\r\n\r\n", VERSION),
        ROW("", VERSION),
        ROW("HTTP/1.1 200 O\0K\r\n\r\n", CONTROL),
        ROW("HTTP/1.1 200 OK\n\r\n", BARE_LF),
        ROW("HTTP/1.1 200 OK\rX\r\n\r\n", BARE_CR),
        ROW(OK_LINE "X: 1\r\n 2\r\n\r\n", FOLDING),
        ROW(OK_LINE "X : 1\r\n\r\n", FIELD_COLON),
        ROW(OK_LINE "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", LENGTH_CONFLICT),
        ROW(OK_LINE "Content-Length: 1, 1\r\n\r\n", LENGTH_INVALID),
        ROW(OK_LINE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", LENGTH_AND_CODING),
        ROW(OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n", CODING),
        ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_IN_10),
    };
    expect_faults(rows, COUNT_OF(rows), response_fault);
}

TEST("a request's parts are the slices that stand in its head")
{
    Field room[TEST_FIELDS_MAX];
    RequestHead r;
    Str head = S("PUT http://b.example:8080/p/q?x=1&y HTTP/1.1\r\nhost: B.example:8080\r\n"
                 "X-Two:  b c \t\r\n"
                 "Expect: 100-Continue\r\nConnection: close, X-Two\r\nContent-Length: 007\r\n\r\n");
    Fields fields = {.room = TEST_FIELDS_MAX, .at = room};
    EXPECT(head_parse_request(head, &test_limits, fields, &r) == HTTP_FAULT_NONE);
    EXPECT(r.method == METHOD_PUT && r.form == TARGET_ABSOLUTE && r.minor == 1 && r.has_query);
    EXPECT_STR(r.method_name, S("PUT"));
    EXPECT_STR(r.target, S("http://b.example:8080/p/q?x=1&y"));
    EXPECT_STR(r.scheme, S("http"));
    EXPECT_STR(r.host, S("b.example:8080"));
    EXPECT_STR(r.path, S("/p/q"));
    EXPECT_STR(r.query, S("x=1&y"));
    EXPECT(r.expects_continue && !r.expects_other);
    EXPECT(r.framing.body == BODY_LENGTH && r.framing.length == 7 && r.framing.has_length);
    EXPECT(!r.framing.keep_alive && r.framing.names_fields && !r.framing.upgrade);
    EXPECT_U64(r.fields.count, 5);
    EXPECT_STR(r.fields.at[1].name, S("X-Two"));
    EXPECT_STR(r.fields.at[1].value, S("b c"));
    EXPECT(r.fields.at[1].id == FIELD_OTHER && r.fields.at[0].id == FIELD_HOST);
    EXPECT(connection_names(&r.fields, S("x-two")) && !connection_names(&r.fields, S("x")));
}
