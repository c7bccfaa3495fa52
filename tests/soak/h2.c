/* h2.c - clients of HTTP/2 without TLS (prior knowledge, RFC 9113 §3.3): several requests at once
 * on each connection. The codec is River's, as a client; what the answers hold is checked here.
 *
 * GOAWAY is how a server leaves: streams that it names are finished, the connection makes room for
 * a new one. Streams above the last one were not seen, and count as raced. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/number.h"
#include "http/h2.h"
#include "soak.h"

#define STREAMS 8u
#define OUT_BYTES 65536u
#define LENGTH_MAX 20000u

typedef struct Stream {
    bool busy;
    bool failed;
    bool ended;
    bool begun; /* a head came */
    int32_t id;
    uint64_t asked_ns;
    uint64_t next_ns; /* when the next request is due; 0: not known yet */
    uint64_t seed;
    size_t length;
    size_t at;
    H2Message message;
} Stream;

typedef struct Client {
    Actor actor;
    bool connecting;
    uint64_t deadline_ns;
    H2 *h2;
    Budget budget;
    Blocks blocks;
    Stream streams[STREAMS];
    unsigned busy;
    uint8_t out[OUT_BYTES];
    size_t out_at;
    size_t out_len;
    bool waits_to_write;
} Client;

/* ---- what the codec tells ---- */

static Stream *stream_of(Client *c, H2Name name)
{
    return &c->streams[(name - 1) % STREAMS];
}

static void fail_stream(Client *c, Stream *s, Cause cause, const char *what, uint64_t number)
{
    if (s->busy && !s->failed) {
        s->failed = true;
        stats_failed(c->actor.kind, cause, "stream %d: %s (%llu), %zu of %zu bytes", s->id, what,
                     (unsigned long long)number, s->at, s->length);
    }
}

static void on_response(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                        HttpFault fault, bool last)
{
    Client *c = user;
    Stream *s = stream_of(c, name);
    (void)arena;
    s->begun = true;
    if (fault != HTTP_FAULT_NONE) {
        fail_stream(c, s, CAUSE_PROTOCOL, "a wrong head", (uint64_t)fault);
    } else if (head->status != 200) {
        fail_stream(c, s, CAUSE_STATUS, "status", head->status);
    }
    s->ended = s->ended || last;
}

static void on_data(void *user, H2Name name, Str bytes)
{
    Client *c = user;
    Stream *s = stream_of(c, name);
    if (bytes.len > s->length - s->at) {
        fail_stream(c, s, CAUSE_BYTES, "more than the answer", bytes.len);
    } else if (!pattern_matches(s->seed, s->at, bytes.at, bytes.len)) {
        fail_stream(c, s, CAUSE_BYTES, "other bytes", bytes.len);
    } else {
        s->at += bytes.len;
    }
    h2_open_window(c->h2, bytes.len);
    h2_open_stream(c->h2, s->id, bytes.len);
}

static void on_end(void *user, H2Name name)
{
    Client *c = user;
    stream_of(c, name)->ended = true;
}

static void on_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    Client *c = user;
    (void)arena;
    (void)fields;
    fail_stream(c, stream_of(c, name), CAUSE_BYTES, "trailers", 0);
}

/* A stream that the peer did not see, or says that it did nothing for, may be asked again. */
static bool is_unseen(const Client *c, const Stream *s, uint32_t code)
{
    int32_t last = 0;
    return code == H2_REFUSED_STREAM || (h2_peer_leaves(c->h2, &last) && s->id > last);
}

/* A reset follows, which counts. */
static void on_broken(void *user, H2Name name, HttpFault fault)
{
    (void)user;
    (void)name;
    (void)fault;
}

static H2Message *on_message(void *user, H2Name name)
{
    return &stream_of(user, name)->message;
}

static void on_closed(void *user, H2Name name, uint32_t code)
{
    Client *c = user;
    Stream *s = stream_of(c, name);
    if (!s->busy) {
        return;
    }
    if (s->failed) {
        /* It is counted already. */
    } else if (s->ended && s->at == s->length) {
        stats_done(c->actor.kind, s->asked_ns);
    } else if (!s->begun && is_unseen(c, s, code)) {
        stats_raced(c->actor.kind);
    } else if (code != H2_NO_ERROR) {
        fail_stream(c, s, CAUSE_RESET, "code", code);
    } else {
        fail_stream(c, s, CAUSE_EOF, "the end", code);
    }
    *s = (Stream){0};
    c->busy--;
}

static H2Name on_begin(void *user, int32_t id)
{
    (void)user;
    (void)id;
    return 0;
}

static size_t on_waiting(void *user, H2Name name, bool *ret_last)
{
    (void)user;
    (void)name;
    *ret_last = true;
    return 0;
}

static const H2Hooks hooks = {.begin = on_begin,
                              .response = on_response,
                              .data = on_data,
                              .end = on_end,
                              .trailers = on_trailers,
                              .broken = on_broken,
                              .message = on_message,
                              .closed = on_closed,
                              .waiting = on_waiting};

/* ---- connections ---- */

static void drop(Client *c, unsigned pause_ms)
{
    actor_close(&c->actor);
    h2_drop(c->h2);
    c->h2 = NULL;
    blocks_drop(&c->blocks);
    c->connecting = false;
    c->busy = 0;
    c->out_at = c->out_len = 0;
    c->waits_to_write = false;
    c->actor.due_ns = soak.now_ns + pause_ms * MS;
    for (unsigned i = 0; i < STREAMS; i++) {
        c->streams[i] = (Stream){0};
    }
}

/* The connection broke: what becomes of its streams. */
static void broken(Client *c, Cause cause, const char *what)
{
    int32_t last = 0;
    bool leaves = h2_peer_leaves(c->h2, &last);
    bool lost = false;
    if (c->busy == 0 && cause == CAUSE_PROTOCOL) {
        stats_failed(c->actor.kind, cause, "a connection without streams: %s", what);
    } else if (c->busy == 0) {
        stats_idle_closed(c->actor.kind);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        Stream *s = &c->streams[i];
        if (s->busy && !s->failed && leaves && s->id > last && !s->begun) {
            stats_raced(c->actor.kind);
        } else if (s->busy) {
            fail_stream(c, s, cause, what, 0);
            lost = true;
        }
    }
    drop(c, lost ? PAUSE_MS : 0);
}

/* Sends what the codec has to say; false: the connection is gone. */
static bool flush(Client *c)
{
    bool more = true;
    while (more || c->out_at < c->out_len) {
        if (c->out_at == c->out_len) {
            Text out = text_in(span_of(c->out, sizeof c->out));
            if (h2_take(c->h2, &out, &more) != ERR_OK) {
                broken(c, CAUSE_PROTOCOL, "no HTTP/2");
                return false;
            }
            c->out_at = 0;
            c->out_len = out.len;
            if (out.len == 0) {
                break;
            }
        }
        ssize_t n = send(c->actor.fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            c->waits_to_write = true;
            actor_watch(&c->actor, EPOLLIN | EPOLLOUT);
            return true;
        }
        if (n < 0) {
            broken(c, CAUSE_RESET, strerror(errno));
            return false;
        }
        c->out_at += (size_t)n;
    }
    if (c->waits_to_write) {
        c->waits_to_write = false;
        actor_watch(&c->actor, EPOLLIN);
    }
    return true;
}

static bool ask(Client *c, unsigned slot)
{
    Stream *s = &c->streams[slot];
    char path[64];
    *s = (Stream){.seed = random_u64() >> 1,
                  .length = random_below(LENGTH_MAX),
                  .asked_ns = s->next_ns};
    int n = snprintf(path, sizeof path, "/p/%llu/%zu", (unsigned long long)s->seed, s->length);
    const H2Field fields[] = {{S(":method"), S("GET")},
                              {S(":scheme"), S("http")},
                              {S(":authority"), S("soak.example")},
                              {S(":path"), str_of(path, (size_t)n)}};
    if (h2_request(c->h2, slot + 1, fields, 4, false, &s->id) != ERR_OK) {
        return false; /* no stream is free now */
    }
    s->busy = true;
    c->busy++;
    return true;
}

/* Gives streams up that got no answer, while others on their connection did. */
static void keep_deadlines(Client *c)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        Stream *s = &c->streams[i];
        if (s->busy && !s->failed && soak.now_ns - s->asked_ns > soak.answer_ms * MS) {
            fail_stream(c, s, CAUSE_TIMEOUT, "silence", 0);
            h2_reset(c->h2, s->id, H2_CANCEL);
        }
    }
}

/* Asks on every stream that is free, or lets go of a connection that is at its end. */
static void go_on(Client *c)
{
    int32_t last = 0;
    keep_deadlines(c);
    bool leaves = soak.ending || h2_peer_leaves(c->h2, &last) || h2_is_over(c->h2);
    if (leaves && c->busy == 0) {
        if (!soak.ending) {
            stats_idle_closed(c->actor.kind);
        }
        drop(c, 0);
        return;
    }
    c->actor.due_ns = c->deadline_ns;
    for (unsigned i = 0; i < STREAMS && !leaves; i++) {
        Stream *s = &c->streams[i];
        if (!s->busy && s->next_ns == 0) {
            s->next_ns = soak_pace();
        }
        if (!s->busy && s->next_ns > soak.now_ns) {
            c->actor.due_ns = s->next_ns < c->actor.due_ns ? s->next_ns : c->actor.due_ns;
        } else if (!s->busy && !ask(c, i)) {
            break;
        }
    }
    (void)flush(c);
}

static void open_session(Client *c)
{
    c->connecting = false;
    blocks_init(&c->blocks, &c->budget, 16384, 4);
    H2Plan plan = {.limits = {.head = {.head_bytes_max = 8192,
                                       .fields_max = 50,
                                       .target_bytes_max = 1024},
                              .streams_max = STREAMS,
                              .stream_window = 65535,
                              .window = 1u << 20},
                   .hooks = &hooks,
                   .user = c,
                   .budget = &c->budget,
                   .blocks = &c->blocks};
    c->h2 = h2_new(&plan);
    if (!c->h2) {
        die("h2_new");
    }
    c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    actor_watch(&c->actor, EPOLLIN);
    go_on(c);
}

static void receive(Client *c)
{
    ssize_t n = recv(c->actor.fd, soak_room, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        broken(c, n == 0 ? CAUSE_EOF : CAUSE_RESET, n == 0 ? "the end" : strerror(errno));
        return;
    }
    c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    if (h2_feed(c->h2, str_of(soak_room, (size_t)n)) != ERR_OK) {
        broken(c, CAUSE_PROTOCOL, "no HTTP/2");
        return;
    }
    go_on(c);
}

static void on_ready(Actor *a, uint32_t events)
{
    Client *c = (Client *)a;
    if (c->connecting) {
        if (actor_connected(a)) {
            open_session(c);
        } else {
            drop(c, PAUSE_MS);
        }
        return;
    }
    if ((events & EPOLLOUT) && !flush(c)) {
        return;
    }
    if (events & ~(uint32_t)EPOLLOUT) {
        receive(c);
    }
}

static void on_time(Actor *a)
{
    Client *c = (Client *)a;
    if (c->h2 && soak.now_ns >= c->deadline_ns && c->busy > 0) {
        broken(c, CAUSE_TIMEOUT, "silence");
    } else if (c->h2) {
        c->deadline_ns = c->busy > 0 ? c->deadline_ns : soak.now_ns + soak.answer_ms * MS;
        go_on(c);
    } else if (c->connecting) {
        stats_failed(a->kind, CAUSE_TIMEOUT, "no connection");
        drop(c, PAUSE_MS);
    } else if (soak.ending) {
        a->over = true;
        a->due_ns = NEVER;
    } else {
        a->due_ns = soak.now_ns + soak.answer_ms * MS;
        c->connecting = true;
        if (!actor_connect(a)) {
            drop(c, PAUSE_MS);
        }
    }
}

Actor *h2_client_new(unsigned number)
{
    (void)number;
    Client *c = calloc(1, sizeof *c);
    if (!c) {
        die("memory");
    }
    c->actor = (Actor){.kind = KIND_H2, .fd = -1, .on_ready = on_ready, .on_time = on_time};
    return &c->actor;
}
