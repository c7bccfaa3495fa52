/* h2_head_test.c - HTTP/2 heads become neutral heads, or faults: tables of what is refused and what
 * it is called. */
#include "http/h2.h"
#include "test.h"

static const HeadLimits limits = {.head_bytes_max = 4096, .fields_max = 50, .target_bytes_max = 64};

typedef struct Given {
    H2Pseudo pseudo;
    Str names[3];
    Str values[3];
    bool body;
} Given;

static Fields fields_of(const Given *g, Field room[3])
{
    Fields fields = fields_in(room, 3);
    for (size_t i = 0; i < 3 && g->names[i].len + g->values[i].len > 0; i++) {
        room[i] = (Field){.name = g->names[i], .value = g->values[i], .id = field_id(g->names[i])};
        fields.count++;
    }
    return fields;
}

static HttpFault judge(const Given *g, RequestHead *ret)
{
    Field room[3];
    Fields fields = fields_of(g, room);
    return h2_request_head(&g->pseudo, &limits, !g->body, &fields, ret);
}

#define PSEUDO(m, p, a)                                                                            \
    {.method = S_INIT(m), .scheme = S_INIT("https"), .path = S_INIT(p), .authority = S_INIT(a)}
#define GET_PSEUDO PSEUDO("GET", "/", "a.example")

TEST("an HTTP/2 request that breaks a rule is refused by that rule's name")
{
    static const struct {
        Given given;
        HttpFault fault;
    } rows[] = {
        {{GET_PSEUDO, {{0}}, {{0}}, false}, HTTP_FAULT_NONE},
        {{PSEUDO("", "/", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_PSEUDO},
        {{PSEUDO("G T", "/", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_METHOD},
        {{PSEUDO("GET", "", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_PSEUDO},
        {{PSEUDO("GET", "x", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("GET", "/a b", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("GET", "/a\r\nX: y", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("GET", "/#f", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("GET", "http://b/", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("GET", "*", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_TARGET},
        {{PSEUDO("OPTIONS", "*", "a"), {{0}}, {{0}}, false}, HTTP_FAULT_NONE},
        {{PSEUDO("GET", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"),
          {{0}}, {{0}}, false}, HTTP_FAULT_TARGET_TOO_LONG},
        {{PSEUDO("GET", "/", ""), {{0}}, {{0}}, false}, HTTP_FAULT_HOST_MISSING},
        {{PSEUDO("GET", "/", "a@b"), {{0}}, {{0}}, false}, HTTP_FAULT_HOST_INVALID},
        {{PSEUDO("GET", "/", ""), {S_INIT("host")}, {S_INIT("a.example")}, false}, HTTP_FAULT_NONE},
        {{GET_PSEUDO, {S_INIT("host")}, {S_INIT("A.example")}, false}, HTTP_FAULT_NONE},
        {{GET_PSEUDO, {S_INIT("host")}, {S_INIT("b.example")}, false}, HTTP_FAULT_HOST_CONFLICT},
        {{GET_PSEUDO, {S_INIT("host"), S_INIT("host")},
          {S_INIT("a.example"), S_INIT("a.example")}, false}, HTTP_FAULT_HOST_REPEATED},
        {{PSEUDO("CONNECT", "/", "a:80"), {{0}}, {{0}}, false}, HTTP_FAULT_PSEUDO},
        {{GET_PSEUDO, {S_INIT("X-Upper")}, {S_INIT("1")}, false}, HTTP_FAULT_FIELD_NAME},
        {{GET_PSEUDO, {S_INIT("a b")}, {S_INIT("1")}, false}, HTTP_FAULT_FIELD_NAME},
        {{GET_PSEUDO, {S_INIT("a:")}, {S_INIT("1")}, false}, HTTP_FAULT_FIELD_NAME},
        {{GET_PSEUDO, {S_INIT("")}, {S_INIT("1")}, false}, HTTP_FAULT_FIELD_NAME},
        {{GET_PSEUDO, {S_INIT("a")}, {S_INIT("1\r\nb: 2")}, false}, HTTP_FAULT_FIELD_VALUE},
        {{GET_PSEUDO, {S_INIT("a")}, {S_INIT("1\n2")}, false}, HTTP_FAULT_FIELD_VALUE},
        {{GET_PSEUDO, {S_INIT("a")}, {S_INIT("1\0002")}, false}, HTTP_FAULT_FIELD_VALUE},
        {{GET_PSEUDO, {S_INIT("connection")}, {S_INIT("close")}, false},
         HTTP_FAULT_CONNECTION_FIELD},
        {{GET_PSEUDO, {S_INIT("transfer-encoding")}, {S_INIT("chunked")}, true},
         HTTP_FAULT_CONNECTION_FIELD},
        {{GET_PSEUDO, {S_INIT("upgrade")}, {S_INIT("websocket")}, false},
         HTTP_FAULT_CONNECTION_FIELD},
        {{GET_PSEUDO, {S_INIT("te")}, {S_INIT("gzip")}, false}, HTTP_FAULT_CONNECTION_FIELD},
        {{GET_PSEUDO, {S_INIT("te")}, {S_INIT("trailers")}, false}, HTTP_FAULT_NONE},
        {{GET_PSEUDO, {S_INIT("content-length")}, {S_INIT("5")}, false}, HTTP_FAULT_BODY_CUT},
        {{GET_PSEUDO, {S_INIT("content-length")}, {S_INIT("0")}, false}, HTTP_FAULT_NONE},
        {{GET_PSEUDO, {S_INIT("content-length")}, {S_INIT("+5")}, true}, HTTP_FAULT_LENGTH_INVALID},
        {{GET_PSEUDO, {S_INIT("content-length"), S_INIT("content-length")},
          {S_INIT("5"), S_INIT("6")}, true}, HTTP_FAULT_LENGTH_CONFLICT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RequestHead head;
        EXPECT_STR(http_fault_code(judge(&rows[i].given, &head)), http_fault_code(rows[i].fault));
    }
}

TEST("an HTTP/2 request says what an HTTP/1.1 request says")
{
    Given g = {PSEUDO("POST", "/a/b?c=d", "A.example:8443"),
               {S_INIT("content-length")},
               {S_INIT("12")},
               true};
    RequestHead head = {0};
    EXPECT(judge(&g, &head) == HTTP_FAULT_NONE);
    EXPECT(head.method == METHOD_POST && head.major == 2 && head.minor == 1);
    EXPECT_STR(head.path, S("/a/b"));
    EXPECT_STR(head.query, S("c=d"));
    EXPECT_STR(head.host, S("A.example:8443"));
    EXPECT(head.framing.body == BODY_LENGTH && head.framing.length == 12);
    g.names[0] = STR_NONE;
    g.values[0] = STR_NONE;
    EXPECT(judge(&g, &head) == HTTP_FAULT_NONE);
    EXPECT(head.framing.body == BODY_CHUNKED); /* it ends when its stream does */
    g.body = false;
    EXPECT(judge(&g, &head) == HTTP_FAULT_NONE);
    EXPECT(head.framing.body == BODY_NONE);
}

TEST("an extended CONNECT has a path, a scheme and a protocol")
{
    Given g = {PSEUDO("CONNECT", "/chat", "a.example"), {{0}}, {{0}}, true};
    g.pseudo.protocol = S("websocket");
    RequestHead head = {0};
    EXPECT(judge(&g, &head) == HTTP_FAULT_NONE);
    EXPECT_STR(head.protocol, S("websocket"));
    EXPECT_STR(head.path, S("/chat"));
    g.pseudo.protocol = S("web socket");
    EXPECT(judge(&g, &head) == HTTP_FAULT_PSEUDO);
    g.pseudo.protocol = S("websocket");
    g.pseudo.method = S("GET");
    EXPECT(judge(&g, &head) == HTTP_FAULT_PSEUDO);
}

TEST("an HTTP/2 response has a status of three digits, and no 101")
{
    static const struct {
        Str status;
        bool last;
        HttpFault fault;
        BodyKind body;
    } rows[] = {
        {S_INIT("200"), false, HTTP_FAULT_NONE, BODY_CHUNKED},
        {S_INIT("204"), true, HTTP_FAULT_NONE, BODY_NONE},
        {S_INIT("103"), false, HTTP_FAULT_NONE, BODY_CHUNKED},
        {S_INIT("101"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT("99"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT("099"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT("600"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT("20x"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT("+20"), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
        {S_INIT(""), false, HTTP_FAULT_STATUS_LINE, BODY_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        H2Pseudo pseudo = {.status = rows[i].status};
        Field room[1];
        Fields none = fields_in(room, 1);
        ResponseHead head = {0};
        EXPECT_STR(http_fault_code(h2_response_head(&pseudo, rows[i].last, &none, &head)),
                   http_fault_code(rows[i].fault));
        EXPECT_U64(head.framing.body, rows[i].body);
    }
}
