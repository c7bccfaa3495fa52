/* h2_fuzz.c - an HTTP/2 session under hostile frames, as a server and as a client: no crash,
 * memory within its bound, names that are current, heads without a fault that HTTP/1 could say too,
 * and an output that is not many times what came in.
 *
 * The first byte chooses the side and the size of the pieces; what follows are frames (behind a
 * preface and SETTINGS that are given). */
#include "http/h2.h"

#include <string.h>

#include "fuzz.h"
#include "http/bytes.h"
#include "http/uri.h"

#define STREAMS_MAX 64u
#define BUDGET_BYTES (4u << 20)
#define OUT_BYTES (256u << 10)

typedef struct Owner {
    H2 *h2;
    bool open[STREAMS_MAX];
    int32_t ids[STREAMS_MAX];
    unsigned begun;
    size_t to_send[STREAMS_MAX];
    size_t held;
    H2Message messages[STREAMS_MAX];
} Owner;

static unsigned slot_of(Owner *o, H2Name name)
{
    MUST(name >= 1 && name <= STREAMS_MAX && o->open[name - 1]);
    return (unsigned)name - 1;
}

static H2Name hook_begin(void *user, int32_t id)
{
    Owner *o = (Owner *)user;
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        if (!o->open[i]) {
            o->open[i] = true;
            o->ids[i] = id;
            o->to_send[i] = 0;
            o->messages[i] = (H2Message){0};
            return i + 1;
        }
    }
    return 0;
}

static void see_fields(const Fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const Field *f = &fields->at[i];
        MUST(f->dropped || (field_name_valid(f->name) && field_value_valid(f->value)));
        MUST(f->id != FIELD_CONNECTION && f->id != FIELD_TRANSFER_ENCODING);
    }
}

static void hook_request(void *user, H2Name name, Arena *arena, const RequestHead *head,
                         HttpFault fault, bool last)
{
    Owner *o = (Owner *)user;
    unsigned i = slot_of(o, name);
    (void)arena;
    if (fault == HTTP_FAULT_NONE) {
        see_fields(&head->fields);
        MUST(field_name_valid(head->method_name));
        MUST(head->method == METHOD_CONNECT || authority_valid(head->host));
        MUST(scan_class(head->path, 0, BYTE_TARGET) == head->path.len);
        MUST(!last || head->framing.body == BODY_NONE);
        H2Field answer[] = {{S(":status"), S("200")}, {S("server"), S("s")}};
        o->to_send[i] = 100;
        (void)!h2_respond(o->h2, o->ids[i], answer, 2, true);
    }
}

static void hook_response(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                          HttpFault fault, bool last)
{
    (void)slot_of((Owner *)user, name);
    (void)arena;
    (void)last;
    if (fault == HTTP_FAULT_NONE) {
        MUST(head->status >= 100 && head->status <= 599 && head->status != 101);
        see_fields(&head->fields);
    }
}

static void hook_data(void *user, H2Name name, Str bytes)
{
    Owner *o = (Owner *)user;
    unsigned i = slot_of(o, name);
    o->held += bytes.len;
    MUST(o->held <= 4 * 65535);
    if (bytes.len % 3) { /* some owners are slow */
        h2_open_window(o->h2, bytes.len);
        h2_open_stream(o->h2, o->ids[i], bytes.len);
        o->held -= bytes.len;
    }
}

static void hook_end(void *user, H2Name name)
{
    (void)slot_of((Owner *)user, name);
}

static void hook_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    (void)slot_of((Owner *)user, name);
    (void)arena;
    see_fields(fields);
}

static void hook_broken(void *user, H2Name name, HttpFault fault)
{
    (void)slot_of((Owner *)user, name);
    MUST(fault != HTTP_FAULT_NONE);
}

static H2Message *hook_message(void *user, H2Name name)
{
    Owner *o = (Owner *)user;
    return &o->messages[slot_of(o, name)];
}

static void hook_closed(void *user, H2Name name, uint32_t code)
{
    Owner *o = (Owner *)user;
    (void)code;
    o->open[slot_of(o, name)] = false;
}

static size_t hook_waiting(void *user, H2Name name, bool *ret_last)
{
    Owner *o = (Owner *)user;
    *ret_last = true;
    return o->to_send[slot_of(o, name)];
}

static void hook_pull(void *user, H2Name name, size_t n, Text *out)
{
    Owner *o = (Owner *)user;
    unsigned i = slot_of(o, name);
    MUST(n <= o->to_send[i]);
    o->to_send[i] -= n;
    for (size_t k = 0; k < n; k++) {
        text_byte(out, 'x');
    }
}

static bool hook_send_trailers(void *user, H2Name name)
{
    (void)slot_of((Owner *)user, name);
    return false;
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

/* Takes all that the session has to say; returns how much that was. */
static size_t drain(H2 *h)
{
    static uint8_t room[OUT_BYTES];
    Text out = text_in(span_of(room, sizeof room));
    bool more = false;
    (void)!h2_take(h, &out, &more);
    MUST(!out.overflow);
    return out.len;
}

static bool feed(H2 *h, Str bytes, size_t piece)
{
    while (bytes.len > 0) {
        Span copy = fuzz_copy(str_take(bytes, piece));
        Err err = h2_feed(h, span_str(copy));
        free(copy.at);
        if (err != ERR_OK) {
            return false;
        }
        bytes = str_drop(bytes, piece);
    }
    return true;
}

static void requests_open(Owner *o)
{
    H2Field fields[] = {{S(":method"), S("GET")},
                        {S(":scheme"), S("http")},
                        {S(":authority"), S("a")},
                        {S(":path"), S("/")}};
    for (unsigned i = 0; i < 4; i++) {
        H2Name name = hook_begin(o, 0);
        int32_t id = 0;
        if (h2_request(o->h2, name, fields, 4, i % 2, &id) != ERR_OK) {
            o->open[name - 1] = false;
        }
        o->ids[name - 1] = id;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str input = str_of(data, size);
    if (size < 1) {
        return 0;
    }
    bool server = str_at(input, 0) % 2 == 0;
    size_t piece = (size_t)(str_at(input, 0) / 2) * 9 + 1;
    Owner owner = {0};
    Budget budget = {.max_bytes = BUDGET_BYTES};
    Blocks blocks;
    blocks_init(&blocks, &budget, 4064, 4);
    H2Plan plan = {.server = server,
                   .limits = {.head = {4096, 30, 1024},
                              .streams_max = 16,
                              .stream_window = 65535,
                              .window = 2 * 65535},
                   .hooks = &hooks,
                   .user = &owner,
                   .budget = &budget,
                   .blocks = &blocks};
    owner.h2 = h2_new(&plan);
    MUST(owner.h2 != NULL);
    if (server) {
        MUST(feed(owner.h2, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1000));
    } else {
        requests_open(&owner);
    }
    size_t said = drain(owner.h2);
    MUST(feed(owner.h2, str_of("\0\0\0\4\0\0\0\0\0", 9), 1000));
    (void)feed(owner.h2, str_drop(input, 1), piece);
    said += drain(owner.h2);
    MUST(said <= 2048 + 40 * size);
    MUST(budget.peak_bytes <= (256u << 10) + 64 * size);
    h2_drop(owner.h2);
    blocks_drop(&blocks);
    MUST(budget.used_bytes == 0);
    return 0;
}
