/* h2_message_fuzz.c - our rules of HTTP/2 messages beside nghttp2's: what its messaging check
 * rejects, ours must reject, for that check is off in River (http/h2_message.c).
 *
 * Both hear the same frames on one stream, as a server or as a client: heads, interim ones, DATA,
 * trailers and ends, in any order and number. Where nghttp2 ends its connection for the message's
 * sake, ours must have named a fault, and its connection must go on. Ours may reject more.
 *
 * The input is a program for a small machine that writes frames (see message_write): most names and
 * values come from lists of those that matter, others are taken from the input as they are. */
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "fuzz.h"
#include "http/h2.h"

#define BUDGET_BYTES (4u << 20)
#define FRAMES_BYTES (64u << 10)
#define BLOCK_BYTES 4096u
#define STEPS_MAX 12u
#define FIELDS_MAX 12u
#define LITERAL_BYTES_MAX 24u
#define STREAM 1u

/* --- the machine ----------------------------------------------------------------------------- */

typedef struct Program {
    Str rest;
    Text frames;
} Program;

static unsigned next_byte(Program *p)
{
    unsigned byte = p->rest.len ? str_at(p->rest, 0) : 0;
    p->rest = str_drop(p->rest, 1);
    return byte;
}

static const Str names[] = {
    S_INIT(":method"), S_INIT(":scheme"), S_INIT(":path"), S_INIT(":authority"), S_INIT(":status"),
    S_INIT(":protocol"), S_INIT(":other"), S_INIT(":"), S_INIT("host"), S_INIT("content-length"),
    S_INIT("connection"), S_INIT("keep-alive"), S_INIT("proxy-connection"), S_INIT("te"),
    S_INIT("transfer-encoding"), S_INIT("upgrade"), S_INIT("cookie"), S_INIT("priority"),
    S_INIT("x-a"), S_INIT("X-a"), S_INIT(""), S_INIT("a b"), S_INIT("Host"), S_INIT("expect"),
    S_INIT("http2-settings"), S_INIT("trailer"), S_INIT("set-cookie"), S_INIT("Content-Length"),
};

static const Str values[] = {
    S_INIT("GET"), S_INIT("HEAD"), S_INIT("POST"), S_INIT("OPTIONS"), S_INIT("CONNECT"),
    S_INIT("http"), S_INIT("https"), S_INIT("ftp"), S_INIT("1x"), S_INIT("/"), S_INIT("*"),
    S_INIT("/a?b"), S_INIT("a"), S_INIT("a.example:80"), S_INIT("a@b"), S_INIT("[::1]"),
    S_INIT("200"), S_INIT("100"), S_INIT("103"), S_INIT("101"), S_INIT("204"), S_INIT("304"),
    S_INIT("404"), S_INIT("99"), S_INIT("0"), S_INIT("1"), S_INIT("3"), S_INIT("10"), S_INIT("00"),
    S_INIT("+3"), S_INIT("9223372036854775807"), S_INIT("9223372036854775808"), S_INIT("trailers"),
    S_INIT("Trailers"), S_INIT("gzip"), S_INIT("chunked"), S_INIT("websocket"), S_INIT(""),
    S_INIT(" a"), S_INIT("a "), S_INIT("a\tb"), S_INIT("a\rb"), S_INIT("a\nb"), S_INIT("a\0b"),
    S_INIT("u=1, i"), S_INIT("close"), S_INIT("100-continue"), S_INIT("3, 3"), S_INIT("\xc3\xa4"),
};

/* One of a list, or bytes of the input. */
static Str text_next(Program *p, const Str *list, size_t count)
{
    unsigned choice = next_byte(p);
    if (choice < 0xf0) {
        return list[choice % count];
    }
    Str literal = str_take(p->rest, choice % LITERAL_BYTES_MAX);
    p->rest = str_drop(p->rest, literal.len);
    return literal;
}

static void frame_head(Text *t, size_t len, unsigned type, unsigned flags)
{
    text_byte(t, 0);
    text_byte(t, (uint8_t)(len >> 8));
    text_byte(t, (uint8_t)len);
    text_byte(t, (uint8_t)type);
    text_byte(t, (uint8_t)flags);
    text_byte(t, 0);
    text_byte(t, 0);
    text_byte(t, 0);
    text_byte(t, (uint8_t)(type == NGHTTP2_SETTINGS ? 0 : STREAM));
}

/* A literal without indexing (RFC 7541 §6.2.2). */
static void field_add(Text *block, Str name, Str value)
{
    text_byte(block, 0);
    text_byte(block, (uint8_t)name.len);
    text_add(block, name);
    text_byte(block, (uint8_t)value.len);
    text_add(block, value);
}

/* The fields that make a head right, most of the time. */
static void usual_fields(Text *block, bool server, unsigned how)
{
    if (!server) {
        static const Str statuses[] = {S_INIT("200"), S_INIT("100"), S_INIT("204"), S_INIT("304")};
        field_add(block, S(":status"), statuses[how % 4]);
        return;
    }
    static const Str methods[] = {S_INIT("GET"), S_INIT("POST"), S_INIT("OPTIONS"),
                                  S_INIT("CONNECT")};
    field_add(block, S(":method"), methods[how % 4]);
    if (how & 4) {
        field_add(block, S(":protocol"), S("websocket"));
    }
    if (!(how & 8)) {
        field_add(block, S(":scheme"), S("https"));
        field_add(block, S(":path"), how & 16 ? S("*") : S("/"));
    }
    if (!(how & 32)) {
        field_add(block, S(":authority"), S("a"));
    }
}

static bool headers_write(Program *p, bool server, unsigned what)
{
    uint8_t room[BLOCK_BYTES];
    Text block = text_in(span_of(room, sizeof room));
    if (what & 4) {
        usual_fields(&block, server, next_byte(p));
    }
    unsigned count = next_byte(p) % FIELDS_MAX;
    for (unsigned i = 0; i < count && block.len < BLOCK_BYTES - 512; i++) {
        Str name = text_next(p, names, sizeof names / sizeof names[0]);
        field_add(&block, name, text_next(p, values, sizeof values / sizeof values[0]));
    }
    frame_head(&p->frames, block.len, NGHTTP2_HEADERS,
               NGHTTP2_FLAG_END_HEADERS | (what & 8 ? NGHTTP2_FLAG_END_STREAM : 0u));
    text_add(&p->frames, text_str(&block));
    return (what & 8) != 0;
}

/* What the peer says: any number of header blocks and DATA, one of which may end the stream. */
static void message_write(Program *p, bool server)
{
    unsigned steps = next_byte(p) % STEPS_MAX + 1;
    bool ended = false;
    for (unsigned i = 0; i < steps && !ended; i++) {
        unsigned what = next_byte(p);
        if (i == 0 || what & 1) {
            ended = headers_write(p, server, what | (i == 0 && what & 2 ? 4u : 0));
            continue;
        }
        ended = (what & 8) != 0;
        size_t len = what >> 4;
        frame_head(&p->frames, len, NGHTTP2_DATA, what & 8 ? NGHTTP2_FLAG_END_STREAM : 0u);
        for (size_t k = 0; k < len; k++) {
            text_byte(&p->frames, 'x');
        }
    }
}

/* --- nghttp2's opinion ----------------------------------------------------------------------- */

typedef struct Theirs {
    nghttp2_session *session;
    bool rejected; /* a message */
    bool refused;  /* something else: the order of frames, HPACK */
} Theirs;

static int their_error(nghttp2_session *session, int code, const char *text, size_t len, void *user)
{
    Theirs *t = (Theirs *)user;
    (void)session;
    (void)text;
    (void)len;
    t->rejected |= code == NGHTTP2_ERR_HTTP_HEADER;
    return 0;
}

/* A field that it would leave out. */
static int their_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                                const uint8_t *name, size_t name_len, const uint8_t *value,
                                size_t value_len, uint8_t flags, void *user)
{
    (void)session;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    ((Theirs *)user)->rejected = true;
    return 0;
}

static int their_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                               void *user)
{
    (void)session;
    (void)frame;
    (void)code;
    ((Theirs *)user)->refused = true;
    return 0;
}

static void their_drain(Theirs *t)
{
    const uint8_t *at = NULL;
    while (nghttp2_session_mem_send2(t->session, &at) > 0) {
    }
}

static void theirs_open(Theirs *t, bool server, Str method)
{
    static nghttp2_session_callbacks *callbacks;
    static nghttp2_option *options;
    if (!callbacks) {
        MUST(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&options) == 0);
        nghttp2_session_callbacks_set_error_callback2(callbacks, their_error);
        nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, their_invalid_header);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                                     their_invalid_frame);
        nghttp2_option_set_no_closed_streams(options, 1);
    }
    if (!server) {
        nghttp2_nv nv[4] = {
            {(uint8_t *)(uintptr_t) ":method", (uint8_t *)(uintptr_t)method.at, 7, method.len, 0},
            {(uint8_t *)(uintptr_t) ":scheme", (uint8_t *)(uintptr_t) "http", 7, 4, 0},
            {(uint8_t *)(uintptr_t) ":path", (uint8_t *)(uintptr_t) "/", 5, 1, 0},
            {(uint8_t *)(uintptr_t) ":authority", (uint8_t *)(uintptr_t) "a", 10, 1, 0},
        };
        MUST(nghttp2_session_client_new2(&t->session, callbacks, t, options) == 0);
        MUST(nghttp2_submit_settings(t->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
        MUST(nghttp2_submit_request2(t->session, NULL, nv, 4, NULL, NULL) == (int)STREAM);
        return;
    }
    nghttp2_settings_entry connect = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    MUST(nghttp2_session_server_new2(&t->session, callbacks, t, options) == 0);
    MUST(nghttp2_submit_settings(t->session, NGHTTP2_FLAG_NONE, &connect, 1) == 0);
}

/* Whether it ends its connection for this. */
static bool theirs_rejects(bool server, Str method, Str greeting, Str frames)
{
    Theirs t = {0};
    theirs_open(&t, server, method);
    their_drain(&t);
    MUST(nghttp2_session_mem_recv2(t.session, greeting.at, greeting.len) > 0);
    their_drain(&t);
    nghttp2_ssize taken = nghttp2_session_mem_recv2(t.session, frames.at, frames.len);
    bool ended = taken < 0 || nghttp2_session_want_read(t.session) == 0;
    their_drain(&t);
    nghttp2_session_del(t.session);
    return t.rejected || (ended && !t.refused && taken >= 0);
}

/* --- ours ------------------------------------------------------------------------------------ */

typedef struct Ours {
    H2Message message;
    bool rejected;
    bool closed;
} Ours;

static H2Name our_begin(void *user, int32_t id)
{
    ((Ours *)user)->message = (H2Message){0};
    return (H2Name)id;
}

static void our_request(void *user, H2Name name, Arena *arena, const RequestHead *head,
                        HttpFault fault, bool last)
{
    (void)name;
    (void)arena;
    (void)head;
    (void)last;
    ((Ours *)user)->rejected |= fault != HTTP_FAULT_NONE;
}

static void our_response(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                         HttpFault fault, bool last)
{
    (void)name;
    (void)arena;
    (void)head;
    (void)last;
    ((Ours *)user)->rejected |= fault != HTTP_FAULT_NONE;
}

static void our_data(void *user, H2Name name, Str bytes)
{
    (void)name;
    (void)bytes;
    MUST(!((Ours *)user)->rejected); /* nothing more of a broken message is told */
}

static void our_end(void *user, H2Name name)
{
    (void)name;
    MUST(!((Ours *)user)->rejected);
}

static void our_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    (void)name;
    (void)arena;
    (void)fields;
    MUST(!((Ours *)user)->rejected);
}

static void our_broken(void *user, H2Name name, HttpFault fault)
{
    (void)name;
    MUST(fault != HTTP_FAULT_NONE && !((Ours *)user)->rejected);
    ((Ours *)user)->rejected = true;
}

static H2Message *our_message(void *user, H2Name name)
{
    (void)name;
    return &((Ours *)user)->message;
}

static void our_closed(void *user, H2Name name, uint32_t code)
{
    (void)name;
    (void)code;
    ((Ours *)user)->closed = true;
}

static size_t our_waiting(void *user, H2Name name, bool *ret_last)
{
    (void)user;
    (void)name;
    *ret_last = true;
    return 0;
}

static const H2Hooks hooks = {
    .begin = our_begin,
    .request = our_request,
    .response = our_response,
    .data = our_data,
    .end = our_end,
    .trailers = our_trailers,
    .broken = our_broken,
    .message = our_message,
    .closed = our_closed,
    .waiting = our_waiting,
};

static void our_drain(H2 *h)
{
    static uint8_t room[FRAMES_BYTES];
    Text out = text_in(span_of(room, sizeof room));
    bool more = false;
    (void)!h2_take(h, &out, &more);
}

/* Whether a fault was named. The connection goes on in any case. */
static bool ours_rejects(bool server, Str method, Str greeting, Str frames, bool *ret_over)
{
    static Blocks blocks;
    static Budget budget = {.max_bytes = BUDGET_BYTES};
    Ours o = {0};
    if (blocks.budget == NULL) {
        blocks_init(&blocks, &budget, 4064, 16);
    }
    H2Plan plan = {.server = server,
                   .limits = {.head = {.head_bytes_max = 1u << 16, .fields_max = 200,
                                       .target_bytes_max = 1u << 12},
                              .streams_max = 10, .stream_window = 1u << 17, .window = 1u << 20},
                   .hooks = &hooks, .user = &o, .budget = &budget, .blocks = &blocks};
    H2 *h = h2_new(&plan);
    MUST(h != NULL);
    our_drain(h);
    MUST(h2_feed(h, greeting) == ERR_OK);
    if (!server) {
        H2Field fields[] = {{S(":method"), method}, {S(":scheme"), S("http")},
                            {S(":authority"), S("a")}, {S(":path"), S("/")}};
        int32_t id = 0;
        MUST(h2_request(h, STREAM, fields, 4, false, &id) == ERR_OK && id == (int32_t)STREAM);
    }
    our_drain(h);
    Err err = h2_feed(h, frames);
    our_drain(h);
    *ret_over = err != ERR_OK || h2_is_over(h);
    h2_drop(h);
    return o.rejected;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[FRAMES_BYTES];
    static const Str methods[] = {S_INIT("GET"), S_INIT("HEAD"), S_INIT("POST"), S_INIT("CONNECT")};
    Program p = {.rest = str_of(data, size), .frames = text_in(span_of(room, sizeof room))};
    unsigned first = next_byte(&p);
    bool server = first & 1;
    Str method = methods[first >> 1 & 3];
    uint8_t greeting_room[64];
    Text greeting = text_in(span_of(greeting_room, sizeof greeting_room));
    if (server) {
        text_add(&greeting, S(NGHTTP2_CLIENT_MAGIC));
    }
    frame_head(&greeting, 0, NGHTTP2_SETTINGS, 0);
    message_write(&p, server);
    Str frames = text_str(&p.frames);
    bool over = false;
    bool theirs = theirs_rejects(server, method, text_str(&greeting), frames);
    bool ours = ours_rejects(server, method, text_str(&greeting), frames, &over);
    MUST(ours || !theirs);
    MUST(!ours || !over); /* it has cost its stream, and no more */
    return 0;
}
