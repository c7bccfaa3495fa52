/* h2_peers.c - peers that speak HTTP/2: River's own codec in their hands, on either side. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "trial.h"

#define CONSUME_NS (250 * LAN_MS)
#define END_NS (3 * LAN_MS) /* between a body's last bytes and its end */
#define HALF_CLOSED_BYTES_MAX 30000u

static const ClientPlan *client_plan(const Party *p)
{
    bool planned = p->client && !trial->calm && p->number < trial->plan.client_count;
    return planned ? &trial->plan.clients[p->number] : NULL;
}

/* `n` bytes were taken: the other side may send as many again. */
static void opens(H2 *h, int32_t stream, size_t n)
{
    h2_open_window(h, n);
    if (stream > 0) {
        h2_open_stream(h, stream, n);
    }
}

/* --- a client's hooks ------------------------------------------------------------------------ */

static Ask *ask_named(H2Name name)
{
    Ask *a = ask_by_id(name);
    return a && !a->over ? a : NULL;
}

static void client_done(Ask *a, const char *why)
{
    Party *p = &trial->peers[a->peer];
    p->live--;
    p->idle_ns = lan_now_ns();
    ask_over(a, why == NULL, why);
}

static void on_response(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                        HttpFault fault, bool last)
{
    (void)user;
    (void)arena;
    Ask *a = ask_named(name);
    if (fault != HTTP_FAULT_NONE) {
        trial_fail("a client got a malformed head over HTTP/2");
        return;
    }
    if (!a || head->status < 200) {
        return;
    }
    a->status = head->status;
    a->moved_ns = lan_now_ns();
    if (head->status != 200) {
        a->size = head->framing.has_length ? head->framing.length : 0;
    }
    if (last) {
        client_done(a, NULL);
    }
}

/* A client that half-closes in the middle of an answer, which needs no more of its windows. */
static void half_close(const Ask *a)
{
    Party *p = &trial->peers[a->peer];
    const ClientPlan *c = client_plan(p);
    bool fits = c && a->size < HALF_CLOSED_BYTES_MAX && c->window >= 2 * HALF_CLOSED_BYTES_MAX;
    bool plain = !a->tainted && !a->quiet && !a->tunnel && a->sent == a->sends;
    if (fits && plain && p->live == 1 && a->id % 4 == 2) {
        p->ending = true;
    }
}

static void on_data(void *user, H2Name name, Str bytes)
{
    (void)user;
    Ask *a = ask_by_id(name);
    if (a && a->status == 200 && !a->garbled && !pattern_fits(a->id, a->got, bytes)) {
        trial_fail("client %u got another answer than it asked for, over HTTP/2", a->client);
    }
    if (a) {
        a->got += bytes.len;
        a->held += bytes.len;
        a->moved_ns = lan_now_ns();
        half_close(a);
    }
}

static void on_end(void *user, H2Name name)
{
    (void)user;
    Ask *a = ask_named(name);
    if (a) {
        client_done(a, NULL);
    }
}

static void on_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    (void)user;
    (void)name;
    (void)arena;
    (void)fields;
}

static void on_closed(void *user, H2Name name, uint32_t code)
{
    static const char *const codes[] = {"NO_ERROR", "PROTOCOL", "INTERNAL", "FLOW", "SETTINGS",
                                        "CLOSED", "SIZE", "REFUSED", "CANCEL"};
    (void)user;
    Ask *a = ask_named(name);
    if (a) {
        /* River had said goodbye meanwhile: it may be asked again, and was not done. */
        int32_t last = 0;
        const Party *p = &trial->peers[a->peer];
        a->tainted |= code == H2_REFUSED_STREAM && a->status == 0 && h2_peer_leaves(p->h2, &last);
        client_done(a, code < sizeof codes / sizeof codes[0] ? codes[code] : "a stream's error");
    }
}

static size_t ask_waiting(void *user, H2Name name, bool *ret_last)
{
    (void)user;
    const Ask *a = ask_by_id(name);
    /* Some say the end by itself, a little later. */
    bool apart = a && a->id % 4 == 1 && a->sends > 0 &&
                 (a->sent < a->sends || lan_now_ns() < a->end_ns);
    *ret_last = a && !a->quiet && !apart;
    return a ? (size_t)u64_min(a->sends - a->sent, 1u << 20) : 0;
}

static void pattern_put(uint64_t id, uint64_t at, size_t n, Text *out)
{
    while (n > 0) {
        size_t len = n;
        const uint8_t *bytes = pattern_at(id, at, &len);
        text_add(out, str_of(bytes, len));
        at += len;
        n -= len;
    }
}

static void ask_pull(void *user, H2Name name, size_t n, Text *out)
{
    Ask *a = ask_by_id(name);
    pattern_put(a->id, a->sent, n, out);
    a->sent += n;
    if (a->sent == a->sends) {
        a->end_ns = lan_now_ns() + END_NS;
        peer_wake_at((Party *)user, a->end_ns);
    }
}

static bool no_trailers(void *user, H2Name name)
{
    (void)user;
    (void)name;
    return false;
}

/* A reset follows, which counts. */
static void on_broken(void *user, H2Name name, HttpFault fault)
{
    (void)user;
    (void)name;
    (void)fault;
}

static H2Message *ask_message(void *user, H2Name name)
{
    Ask *a = ask_by_id(name);
    (void)user;
    return a ? &a->message : NULL;
}

static const H2Hooks client_hooks = {
    .broken = on_broken,
    .message = ask_message,
    .response = on_response,
    .data = on_data,
    .end = on_end,
    .trailers = on_trailers,
    .closed = on_closed,
    .waiting = ask_waiting,
    .pull = ask_pull,
    .send_trailers = no_trailers,
};

/* Opens windows for what was read, at the client's rate. */
void client_consumes(Party *p)
{
    const ClientPlan *c = client_plan(p);
    for (unsigned i = trial->ask_count; i-- > 0 && p->h2;) {
        Ask *a = &trial->asks[i];
        bool ours = a->peer == p->self && a->client == p->number;
        if (ours && !a->over && a->sends > 0 && a->sent == a->sends && a->stream > 0) {
            h2_resume(p->h2, a->stream); /* which says the end */
            if (lan_now_ns() < a->end_ns) {
                peer_wake_at(p, a->end_ns);
            }
        }
        if (!ours || a->held == 0) {
            continue;
        }
        size_t n = (size_t)a->held;
        if (c && c->conduct == CONDUCT_DEAF) {
            continue; /* a window that never opens */
        }
        a->held -= n;
        opens(p->h2, a->over ? 0 : a->stream, n);
    }
}

bool h2_client_ask(Party *p, Ask *a)
{
    char path[100];
    ask_path(a, path, sizeof path);
    bool body = a->sends > 0 || a->quiet;
    H2Field fields[] = {{S(":method"), a->post ? S("POST") : body ? S("PUT") : S("GET")},
                        {S(":scheme"), S("http")},
                        {S(":authority"), S("x")},
                        {S(":path"), str_of(path, strlen(path))},
                        {S("content-type"), S("application/grpc")},
                        {S("te"), S("trailers")}};
    if (p->tls) {
        fields[1].value = S("https");
    }
    size_t count = a->quiet ? 6 : 4;
    Err err = h2_request(p->h2, a->id, fields, count, body, &a->stream);
    if (err != ERR_OK) {
        a->tainted = true;
        client_done(a, "no stream");
        return false;
    }
    return true;
}

/* --- an origin's hooks ----------------------------------------------------------------------- */

static Serve *serve_named(H2Name name)
{
    return name >= 1 && name <= SERVES_MAX && trial->serves[name - 1].used
               ? &trial->serves[name - 1]
               : NULL;
}

static H2Name on_begin(void *user, int32_t id)
{
    Party *p = (Party *)user;
    if (trial->trouble[TROUBLE_REFUSE_STREAMS][p->number] && trial_pick(2)) {
        return 0;
    }
    for (unsigned i = 0; i < SERVES_MAX; i++) {
        if (!trial->serves[i].used) {
            trial->serves_touched = i + 1 > trial->serves_touched ? i + 1 : trial->serves_touched;
            trial->serves[i] = (Serve){.used = true, .peer = p->self, .stream = id};
            p->live++;
            return i + 1;
        }
    }
    return 0;
}

static void on_request(void *user, H2Name name, Arena *arena, const RequestHead *head,
                       HttpFault fault, bool last)
{
    (void)arena;
    Party *p = (Party *)user;
    Serve *s = serve_named(name);
    if (fault != HTTP_FAULT_NONE) {
        trial_fail("an origin got a malformed head over HTTP/2");
    }
    if (s && !s->known && fault == HTTP_FAULT_NONE) {
        origin_reads_head(p, s, head);
        s->over = last;
    }
}

static void on_request_data(void *user, H2Name name, Str bytes)
{
    (void)user;
    Serve *s = serve_named(name);
    if (s && s->ask && !s->ask->garbled && !pattern_fits(s->ask->id, s->got, bytes)) {
        trial_fail("an origin got another body than was sent for ask %llu (at %llu): %.*s",
                   (unsigned long long)s->ask->id, (unsigned long long)s->got,
                   (int)size_min(bytes.len, 60), (const char *)bytes.at);
    }
    if (s) {
        s->got += bytes.len;
        s->held += bytes.len;
    }
}

static void on_request_end(void *user, H2Name name)
{
    (void)user;
    Serve *s = serve_named(name);
    if (s) {
        s->over = true;
    }
}

static void on_request_closed(void *user, H2Name name, uint32_t code)
{
    (void)code;
    Party *p = (Party *)user;
    Serve *s = serve_named(name);
    if (s) {
        p->live--;
        *s = (Serve){0};
    }
}

static size_t serve_waiting(void *user, H2Name name, bool *ret_last)
{
    (void)user;
    const Serve *s = serve_named(name);
    /* Some say the end by itself, a little later. */
    bool apart = s && s->ask && s->ask->id % 4 == 1 && s->size > 0 &&
                 (s->at < s->size || lan_now_ns() < s->end_ns);
    *ret_last = !s || (serve_is_all(s) && !apart);
    return s ? (size_t)u64_min(serve_ready(s), 1u << 20) : 0;
}

static void serve_pull(void *user, H2Name name, size_t n, Text *out)
{
    Serve *s = serve_named(name);
    pattern_put(s->ask->id, s->at, n, out);
    s->at += n;
    s->ask->touched = true;
    if (s->at == s->size) {
        s->end_ns = lan_now_ns() + END_NS;
        peer_wake_at((Party *)user, s->end_ns);
    }
}

static H2Message *serve_message(void *user, H2Name name)
{
    Serve *s = serve_named(name);
    (void)user;
    return s ? &s->message : NULL;
}

static const H2Hooks origin_hooks = {
    .broken = on_broken,
    .message = serve_message,
    .begin = on_begin,
    .request = on_request,
    .data = on_request_data,
    .end = on_request_end,
    .trailers = on_trailers,
    .closed = on_request_closed,
    .waiting = serve_waiting,
    .pull = serve_pull,
    .send_trailers = no_trailers,
};

static void serve_reply(Party *p, Serve *s)
{
    char length[30];
    uint64_t says = s->lies ? s->size + 1 + trial_pick(100) : s->size;
    snprintf(length, sizeof length, "%llu", (unsigned long long)says);
    Str type = s->ask->quiet ? S("application/grpc") : S("text/plain");
    H2Field fields[] = {{S(":status"), S("200")},
                        {S("content-type"), type},
                        {S("content-length"), str_of(length, strlen(length))}};
    s->replied = true;
    s->ask->touched = true;
    bool open = s->ask->quiet || s->tunnel;
    size_t count = !open && (s->lies || !s->chunked) ? 3 : 2;
    (void)!h2_respond(p->h2, s->stream, fields, count, true);
}

void h2_origin_goes_on(Party *p)
{
    for (unsigned i = 0; i < trial->serves_touched; i++) {
        Serve *s = &trial->serves[i];
        if (!s->used || s->peer != p->self || !s->known) {
            continue;
        }
        if (s->held > 0 && !trial->trouble[TROUBLE_DEAF_ORIGIN][p->number]) {
            opens(p->h2, s->stream, (size_t)s->held);
            s->held = 0;
        }
        if (s->ended || !(s->over || s->ask->quiet || s->tunnel)) {
            continue;
        }
        if (lan_now_ns() < s->due_ns) {
            peer_wake_at(p, s->due_ns);
            continue;
        }
        if (!s->replied) {
            serve_reply(p, s);
        }
        serve_paces(p, s);
        h2_resume(p->h2, s->stream);
        if (lan_now_ns() < s->end_ns) {
            peer_wake_at(p, s->end_ns);
        }
    }
}

/* --- both ------------------------------------------------------------------------------------ */

bool h2_peer_open(Party *p)
{
    const ClientPlan *c = client_plan(p);
    uint32_t window = !p->client ? trial->plan.origins[p->number].window : c ? c->window : 65535;
    /* Where few streams are allowed, those that are sent before SETTINGS have come are refused, and
     * after three such connections a request is; one whose body was begun, at once. */
    Theme theme = trial->plan.theme;
    bool many = theme >= THEME_FRAMES || theme == THEME_MIXED || trial->plan.goodbyes ||
                trial->plan.turns;
    uint32_t least = many ? 8 : 1;
    H2Plan plan = {.server = !p->client,
                   .limits = {.head = {.head_bytes_max = 65536, .fields_max = 100,
                                       .target_bytes_max = 16384},
                              .streams_max = p->client ? 100 : least + (uint32_t)trial_pick(100),
                              .stream_window = window,
                              .window = window * 4},
                   .hooks = p->client ? &client_hooks : &origin_hooks,
                   .user = p,
                   .budget = &trial->peers_budget,
                   .blocks = &trial->peers_blocks};
    p->h2 = h2_new(&plan);
    CHECK(p->h2 != NULL);
    return true;
}

void h2_peer_hears(Party *p, Str bytes)
{
    if (h2_feed(p->h2, bytes) != ERR_OK && !trial_failed()) {
        trial_fail("a peer got frames that break the protocol");
    }
}

void h2_peer_says(Party *p)
{
    static uint8_t room[65536];
    bool more = !p->finished;
    while (more && p->out.len < 100000) {
        Text out = text_in(span_of(room, sizeof room));
        if (h2_take(p->h2, &out, &more) != ERR_OK) {
            break;
        }
        if (out.len == 0) {
            break;
        }
        peer_say(p, text_str(&out));
    }
    int32_t last = 0;
    bool leaves = h2_peer_leaves(p->h2, &last);
    if (h2_is_over(p->h2) || (leaves && p->live == 0)) {
        p->ending = true;
    }
}
