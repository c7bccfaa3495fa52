/* h2_test.c - the HTTP/2 codec: a server and a client in memory, joined by bytes that may be split
 * anywhere, and hooks that write down what they hear. */
#include "http/h2.h"

#include "test.h"

#define NOTES_BYTES 8192u
#define WIRE_BYTES (256u << 10)
#define MESSAGES_MAX 64u

/* What one end has heard, as text, and what it has to say. */
typedef struct End {
    H2 *h2;
    Text notes;
    uint8_t notes_room[NOTES_BYTES];
    Str body;      /* still to be sent */
    bool body_last;
    bool refuse;
    int32_t trailers_to; /* stream for whose body trailers follow; 0: none */
    Str kept_path;
    Arena kept;    /* moved out of the session */
    H2Message messages[MESSAGES_MAX];
} End;

typedef struct Pair {
    Budget budget;
    Blocks blocks;
    End server;
    End client;
} Pair;

static H2Name hook_begin(void *user, int32_t id)
{
    End *end = (End *)user;
    H2Name name = (H2Name)id + 100;
    end->messages[name % MESSAGES_MAX] = (H2Message){0};
    return end->refuse ? 0 : name;
}

static H2Message *hook_message(void *user, H2Name name)
{
    return &((End *)user)->messages[name % MESSAGES_MAX];
}

static void note_fault(End *end, HttpFault fault)
{
    if (fault != HTTP_FAULT_NONE) {
        text_format(&end->notes, " fault=%.*s", STR_ARG(http_fault_code(fault)));
    }
}

static void note_fields(End *end, const Fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        text_format(&end->notes, " %.*s=%.*s%s", STR_ARG(fields->at[i].name),
                    STR_ARG(fields->at[i].value), fields->at[i].dropped ? "(dropped)" : "");
    }
}

static void hook_request(void *user, H2Name name, Arena *arena, const RequestHead *head,
                         HttpFault fault, bool last)
{
    End *end = (End *)user;
    text_format(&end->notes, "request %llu %.*s %.*s", (unsigned long long)name,
                STR_ARG(head->method_name), STR_ARG(head->target));
    note_fields(end, &head->fields);
    note_fault(end, fault);
    text_format(&end->notes, last ? " last\n" : "\n");
    arena_reset(&end->kept);
    end->kept = *arena;
    end->kept_path = head->path;
    arena_init(arena, end->kept.blocks, end->kept.max_bytes);
}

static void hook_response(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                          HttpFault fault, bool last)
{
    End *end = (End *)user;
    (void)arena;
    text_format(&end->notes, "response %llu %u", (unsigned long long)name, head->status);
    note_fields(end, &head->fields);
    note_fault(end, fault);
    text_format(&end->notes, last ? " last\n" : "\n");
}

static void hook_data(void *user, H2Name name, Str bytes)
{
    End *end = (End *)user;
    text_format(&end->notes, "data %llu %.*s\n", (unsigned long long)name,
                STR_ARG(str_take(bytes, 40)));
}

static void hook_end(void *user, H2Name name)
{
    text_format(&((End *)user)->notes, "end %llu\n", (unsigned long long)name);
}

static void hook_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    (void)arena;
    text_format(&((End *)user)->notes, "trailers %llu", (unsigned long long)name);
    note_fields((End *)user, fields);
    text_format(&((End *)user)->notes, "\n");
}

static void hook_broken(void *user, H2Name name, HttpFault fault)
{
    text_format(&((End *)user)->notes, "broken %llu", (unsigned long long)name);
    note_fault((End *)user, fault);
    text_format(&((End *)user)->notes, "\n");
}

static void hook_closed(void *user, H2Name name, uint32_t code)
{
    text_format(&((End *)user)->notes, "closed %llu %u\n", (unsigned long long)name, code);
}

static size_t hook_waiting(void *user, H2Name name, bool *ret_last)
{
    (void)name;
    *ret_last = ((End *)user)->body_last;
    return ((End *)user)->body.len;
}

static void hook_pull(void *user, H2Name name, size_t n, Text *out)
{
    (void)name;
    text_add(out, str_take(((End *)user)->body, n));
    ((End *)user)->body = str_drop(((End *)user)->body, n);
}

static bool hook_send_trailers(void *user, H2Name name)
{
    End *end = (End *)user;
    (void)name;
    H2Field trailer = {.name = S("grpc-status"), .value = S("0")};
    return end->trailers_to && h2_trailers(end->h2, end->trailers_to, &trailer, 1) == ERR_OK;
}

static const H2Hooks hooks = {
    .begin = hook_begin,
    .request = hook_request,
    .response = hook_response,
    .data = hook_data,
    .end = hook_end,
    .trailers = hook_trailers,
    .broken = hook_broken,
    .message = hook_message,
    .closed = hook_closed,
    .waiting = hook_waiting,
    .pull = hook_pull,
    .send_trailers = hook_send_trailers,
};

static void pair_open(Pair *p)
{
    *p = (Pair){.budget = {.max_bytes = 16u << 20}};
    blocks_init(&p->blocks, &p->budget, 4064, 4);
    H2Plan plan = {.limits = {.head = {.head_bytes_max = 4096,
                                       .fields_max = 20,
                                       .target_bytes_max = 1024},
                              .streams_max = 10,
                              .stream_window = 65535,
                              .window = 65535},
                   .hooks = &hooks,
                   .budget = &p->budget,
                   .blocks = &p->blocks};
    End *ends[2] = {&p->server, &p->client};
    for (unsigned i = 0; i < 2; i++) {
        plan.server = i == 0;
        plan.user = ends[i];
        ends[i]->notes = text_in(span_of(ends[i]->notes_room, NOTES_BYTES));
        ends[i]->h2 = h2_new(&plan);
        EXPECT(ends[i]->h2 != NULL);
    }
}

static void pair_close(Pair *p)
{
    h2_drop(p->server.h2);
    h2_drop(p->client.h2);
    arena_reset(&p->server.kept);
    blocks_drop(&p->blocks);
    EXPECT_U64(p->budget.used_bytes, 0);
}

/* Carries what `from` has to say to `to`, in pieces. */
static size_t carry(End *from, End *to, size_t piece)
{
    static uint8_t wire[WIRE_BYTES];
    Text out = text_in(span_of(wire, sizeof wire));
    bool more = false;
    EXPECT(h2_take(from->h2, &out, &more) == ERR_OK);
    Str bytes = text_str(&out);
    while (bytes.len > 0) {
        if (h2_feed(to->h2, str_take(bytes, piece)) != ERR_OK) {
            return 0;
        }
        bytes = str_drop(bytes, piece);
    }
    return out.len;
}

static void settle(Pair *p, size_t piece)
{
    while (carry(&p->client, &p->server, piece) + carry(&p->server, &p->client, piece) > 0) {
    }
}

static Str notes(End *end)
{
    Str text = text_str(&end->notes);
    end->notes.len = 0;
    return text;
}

static int32_t ask(Pair *p, const H2Field *more, size_t count, bool body)
{
    H2Field fields[8] = {{S(":method"), S("POST")},
                         {S(":scheme"), S("http")},
                         {S(":authority"), S("a.example")},
                         {S(":path"), S("/x?y")}};
    for (size_t i = 0; i < count; i++) {
        fields[4 + i] = more[i];
    }
    int32_t id = 0;
    EXPECT(h2_request(p->client.h2, 7, fields, 4 + count, body, &id) == ERR_OK);
    return id;
}

TEST("an HTTP/2 exchange with bodies and trailers, however its bytes are split")
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 100000};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        Pair p;
        pair_open(&p);
        p.client.body = S("question");
        p.client.body_last = true;
        H2Field more[] = {{S("te"), S("trailers")}, {S("x-a"), S("1")}};
        int32_t id = ask(&p, more, 2, true);
        EXPECT_U64(id, 1);
        settle(&p, pieces[i]);
        Str heard = notes(&p.server);
        EXPECT(str_starts(heard, S("request 101 POST /x?y te=trailers x-a=1\n")));
        EXPECT(str_ends(heard, S("end 101\n")));
        EXPECT_STR(p.server.kept_path, S("/x")); /* the arena was moved out */
        H2Field answer[] = {{S(":status"), S("200")}, {S("server"), S("s")}};
        p.server.body = S("answer");
        p.server.body_last = true;
        p.server.trailers_to = id;
        EXPECT(h2_respond(p.server.h2, id, answer, 2, true) == ERR_OK);
        settle(&p, pieces[i]);
        heard = notes(&p.client);
        EXPECT(str_starts(heard, S("response 7 200 server=s\n")));
        EXPECT(str_ends(heard, S("trailers 7 grpc-status=0\nend 7\nclosed 7 0\n")));
        EXPECT_STR(notes(&p.server), S("closed 101 0\n"));
        pair_close(&p);
    }
}

TEST("interim responses come before the final one")
{
    Pair p;
    pair_open(&p);
    int32_t id = ask(&p, NULL, 0, false);
    settle(&p, 1000);
    H2Field early[] = {{S(":status"), S("103")}, {S("link"), S("</a>")}};
    H2Field answer[] = {{S(":status"), S("204")}};
    EXPECT(h2_interim(p.server.h2, id, early, 2) == ERR_OK);
    EXPECT(h2_respond(p.server.h2, id, answer, 1, false) == ERR_OK);
    settle(&p, 5);
    EXPECT_STR(notes(&p.client), S("response 7 103 link=</a>\nresponse 7 204 last\nclosed 7 0\n"));
    pair_close(&p);
}

TEST("a head beyond the limit is told so, one far beyond it is reset")
{
    static uint8_t big[4000];
    static uint8_t huge[9000];
    span_fill(span_of(big, sizeof big), 'a');
    span_fill(span_of(huge, sizeof huge), 'b');
    Pair p;
    pair_open(&p);
    H2Field more[] = {{S("x-a"), str_of(big, sizeof big)}, {S("x-b"), S("1")}};
    (void)ask(&p, more, 2, false);
    settle(&p, 1000);
    EXPECT(str_ends(notes(&p.server), S("fault=head-too-large last\n")));
    more[0].value = str_of(huge, sizeof huge);
    (void)ask(&p, more, 2, false);
    settle(&p, 1000);
    EXPECT_STR(notes(&p.server), S("broken 103 fault=head-too-large\nclosed 103 11\n"));
    EXPECT(str_ends(notes(&p.client), S("closed 7 11\n")));
    pair_close(&p);
}

TEST("fields count with their overhead")
{
    Pair p;
    pair_open(&p);
    H2Field fields[60] = {{S(":method"), S("GET")},
                          {S(":scheme"), S("http")},
                          {S(":authority"), S("a.example")},
                          {S(":path"), S("/")}};
    for (size_t i = 4; i < 60; i++) {
        fields[i] = (H2Field){S("a"), S("b")};
    }
    int32_t id = 0;
    EXPECT(h2_request(p.client.h2, 7, fields, 24, false, &id) == ERR_OK);
    EXPECT(h2_request(p.client.h2, 8, fields, 25, false, &id) == ERR_OK);
    settle(&p, 1000);
    Str heard = notes(&p.server);
    EXPECT(str_ends(heard, S("fault=too-many-fields last\n")));
    EXPECT(!str_starts(heard, S("fault")));
    pair_close(&p);
}

TEST("an owner that refuses a stream costs its peer REFUSED_STREAM")
{
    Pair p;
    pair_open(&p);
    p.server.refuse = true;
    (void)ask(&p, NULL, 0, false);
    settle(&p, 1000);
    EXPECT_STR(notes(&p.server), S(""));
    EXPECT_STR(notes(&p.client), S("closed 7 7\n"));
    pair_close(&p);
}

TEST("a window opens only for bytes that were consumed")
{
    static uint8_t bytes[200000];
    Pair p;
    pair_open(&p);
    p.client.body = str_of(bytes, sizeof bytes);
    p.client.body_last = true;
    int32_t id = ask(&p, NULL, 0, true);
    settle(&p, 16384);
    EXPECT_U64(sizeof bytes - p.client.body.len, 65535);
    h2_open_window(p.server.h2, 65535);
    settle(&p, 16384);
    EXPECT_U64(sizeof bytes - p.client.body.len, 65535);
    h2_open_stream(p.server.h2, id, 65535);
    p.server.notes.len = 0;
    settle(&p, 16384);
    EXPECT_U64(sizeof bytes - p.client.body.len, 2 * 65535);
    pair_close(&p);
}

TEST("a goodbye lets what runs finish, and nothing begin")
{
    Pair p;
    pair_open(&p);
    int32_t id = ask(&p, NULL, 0, false);
    settle(&p, 1000);
    EXPECT(h2_room(p.client.h2) == 9);
    h2_goaway(p.server.h2, true);
    settle(&p, 1000);
    int32_t last = 0;
    EXPECT(h2_peer_leaves(p.client.h2, &last) && last == id);
    EXPECT(h2_room(p.client.h2) == 0);
    H2Field answer[] = {{S(":status"), S("204")}};
    EXPECT(h2_respond(p.server.h2, id, answer, 1, false) == ERR_OK);
    settle(&p, 1000);
    EXPECT(str_ends(notes(&p.client), S("closed 7 0\n")));
    EXPECT(h2_is_over(p.server.h2));
    pair_close(&p);
}

TEST("bytes that are no HTTP/2 end the session, not the worker")
{
    Pair p;
    pair_open(&p);
    EXPECT(h2_feed(p.server.h2, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == ERR_SYNTAX);
    pair_close(&p);
}

TEST("every allocation of an HTTP/2 session may fail")
{
    for (long n = 0; n < 60; n++) {
        Budget budget = {.max_bytes = 1u << 20};
        Blocks blocks;
        blocks_init(&blocks, &budget, 4064, 0);
        End end = {.notes = text_in((Span){0})};
        H2Plan plan = {.server = true,
                       .limits = {.head = {4096, 20, 1024}, .streams_max = 10,
                                  .stream_window = 65535, .window = 65535},
                       .hooks = &hooks,
                       .user = &end,
                       .budget = &budget,
                       .blocks = &blocks};
        memory_fail_after(n);
        end.h2 = h2_new(&plan);
        if (end.h2) {
            static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                          "\0\0\15\1\5\0\0\0\1\202\206\204\101\10a.example";
            (void)!h2_feed(end.h2, str_of(preface, sizeof preface - 1));
        }
        memory_fail_after(-1);
        h2_drop(end.h2);
        arena_reset(&end.kept);
        blocks_drop(&blocks);
        EXPECT_U64(budget.used_bytes, 0);
    }
}
