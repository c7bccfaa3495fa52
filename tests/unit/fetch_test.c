/* fetch_test.c - requests of River's own, over real sockets: an origin by hand, and a thread
 * without clients. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pool/fetch.h"
#include "pool/helper_thread.h"
#include "pool/origin.h"
#include "test.h"

typedef struct Site {
    HelperThread *helper;
    Thread *t;
    uint32_t origin;
    int listener;
    int peer; /* the connection that was accepted last; -1: none */
} Site;

static int listen_anywhere(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(bind(fd, (struct sockaddr *)at, sizeof *at) == 0 && listen(fd, 64) == 0 &&
           getsockname(fd, (struct sockaddr *)at, &len) == 0);
    return fd;
}

static Site site_open(uint32_t fetches_max)
{
    Site s = {.peer = -1};
    struct sockaddr_in at;
    s.listener = listen_anywhere(&at);
    Endpoint e = {.protocol = ENDPOINT_H1,
                  .name = S("the origin"),
                  .connect_timeout_ms = 2000,
                  .connect_wait_ms = 2000,
                  .read_timeout_ms = 2000,
                  .write_timeout_ms = 2000,
                  .idle_timeout_ms = 2000};
    const HelperPlan plan = {.fetches_max = fetches_max, .origins_max = 4};
    e.address = (Address){.bytes = sizeof at, .as.v4 = at};
    EXPECT(helper_thread_open(&plan, &s.helper) == ERR_OK);
    s.t = helper_thread_of(s.helper);
    EXPECT(helper_thread_origin(s.helper, &e, &s.origin) == ERR_OK);
    return s;
}

static void site_close(Site *s)
{
    helper_thread_close(s->helper);
    (void)close(s->listener);
    if (s->peer >= 0) {
        (void)close(s->peer);
    }
}

static FetchPlan plan_of(const Site *s)
{
    return (FetchPlan){.origin = s->origin,
                       .method = S("GET"),
                       .target = S("/health?x=1"),
                       .host = S("a.example"),
                       .timeout_ms = 5000,
                       .body_bytes_max = 1u << 16};
}

static Fetch *start(Site *s, const FetchPlan *plan)
{
    Handle h = HANDLE_NONE;
    EXPECT(fetch_start(s->t, plan, &h) == ERR_OK);
    return fetch_get(s->t, h);
}

/* The origin's next connection. */
static bool accepts(Site *s)
{
    for (unsigned i = 0; i < 200; i++) {
        helper_thread_turn(s->helper, 5);
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd >= 0) {
            if (s->peer >= 0) {
                (void)close(s->peer);
            }
            s->peer = fd;
            return true;
        }
    }
    return false;
}

/* What the origin reads, until it ends with `end`. */
static Str reads(Site *s, Span room, Str end)
{
    size_t len = 0;
    for (unsigned i = 0; i < 200; i++) {
        helper_thread_turn(s->helper, 5);
        ssize_t n = recv(s->peer, room.at + len, room.len - len, 0);
        len += n > 0 ? (size_t)n : 0;
        Str got = str_take(span_str(room), len);
        if (len >= end.len && str_equal(str_drop(got, len - end.len), end)) {
            return got;
        }
    }
    return str_take(span_str(room), len);
}

static void says(Site *s, Str text)
{
    EXPECT(send(s->peer, text.at, text.len, MSG_NOSIGNAL) == (ssize_t)text.len);
}

static bool is_over(Site *s, const Fetch *f)
{
    for (unsigned i = 0; i < 500 && f->state != FETCH_OVER; i++) {
        helper_thread_turn(s->helper, 5);
    }
    return f->state == FETCH_OVER;
}

#define HEAD_END S("\r\n\r\n")

static Str asked(Site *s)
{
    static uint8_t room[4096];
    EXPECT(accepts(s));
    return reads(s, span_of(room, sizeof room), HEAD_END);
}

TEST("a fetch sends its head, gathers the answer, and leaves its connection to the next one")
{
    Site s = site_open(4);
    FetchPlan plan = plan_of(&s);
    const FetchField fields[] = {{S("Accept"), S("text/plain")}, {S("X-Two"), S("a b")}};
    plan.fields = fields;
    plan.field_count = 2;
    Fetch *f = start(&s, &plan);
    EXPECT_STR(asked(&s), S("GET /health?x=1 HTTP/1.1\r\nhost: a.example\r\n"
                            "accept: text/plain\r\nx-two: a b\r\n\r\n"));
    says(&s, S("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n"));
    for (unsigned i = 0; i < 5; i++) {
        helper_thread_turn(s.helper, 2);
    }
    EXPECT(f->state == FETCH_BODY);
    says(&s, S("2\r\nde\r\n0\r\n\r\n"));
    EXPECT(is_over(&s, f));
    EXPECT_U64(f->fault, FAULT_NONE);
    EXPECT_U64(f->reply.status, 200);
    EXPECT_STR(f->answer, S("abcde"));
    EXPECT(f->total_us >= f->first_byte_us && f->first_byte_us >= f->connect_us);
    fetch_end(s.t, f->self);
    Fetch *next = start(&s, &plan);
    uint8_t room[512];
    EXPECT(reads(&s, span_of(room, sizeof room), HEAD_END).len > 0); /* over the same one */
    says(&s, S("HTTP/1.1 204 No Content\r\n\r\n"));
    EXPECT(is_over(&s, next) && next->reply.status == 204 && next->answer.len == 0);
    EXPECT_U64(counter_read(&s.t->origins[s.origin].reused), 1);
    site_close(&s);
}

TEST("a fetch over a connection of its own asks for its end, and reads a body until that")
{
    Site s = site_open(4);
    FetchPlan plan = plan_of(&s);
    plan.fresh = true;
    plan.method = S("POST");
    plan.body = S("{\"a\": 1}");
    Fetch *f = start(&s, &plan);
    uint8_t room[512];
    EXPECT(accepts(&s));
    EXPECT_STR(reads(&s, span_of(room, sizeof room), S("1}")),
               S("POST /health?x=1 HTTP/1.1\r\nhost: a.example\r\ncontent-length: 8\r\n"
                 "connection: close\r\n\r\n{\"a\": 1}"));
    says(&s, S("HTTP/1.0 500 Oh\r\n\r\nall of it"));
    EXPECT(shutdown(s.peer, SHUT_WR) == 0);
    EXPECT(is_over(&s, f));
    EXPECT_U64(f->fault, FAULT_NONE);
    EXPECT_U64(f->reply.status, 500);
    EXPECT_STR(f->answer, S("all of it"));
    EXPECT_U64(s.t->upstreams.used, 0);
    site_close(&s);
}

TEST("a connection that died while it was idle costs a fetch one more try, and no more")
{
    Site s = site_open(4);
    const FetchPlan plan = plan_of(&s);
    Fetch *first = start(&s, &plan);
    EXPECT(asked(&s).len > 0);
    says(&s, S("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    EXPECT(is_over(&s, first));
    fetch_end(s.t, first->self);
    Fetch *f = start(&s, &plan);
    uint8_t room[512];
    EXPECT(reads(&s, span_of(room, sizeof room), HEAD_END).len > 0);
    (void)close(s.peer);
    s.peer = -1;
    EXPECT(asked(&s).len > 0);
    EXPECT(f->retried);
    (void)close(s.peer); /* a fresh one that closes is a fault */
    s.peer = -1;
    EXPECT(is_over(&s, f));
    EXPECT_U64(f->fault, FAULT_ORIGIN_CLOSED);
    site_close(&s);
}

typedef struct Wrong {
    Str says;
    bool ends;
    Fault fault;
} Wrong;

TEST("what is wrong with an answer is a fault of the fetch")
{
    static const Wrong wrongs[] = {
        {S("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), true, FAULT_ORIGIN_CUT},
        {S("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"), false, FAULT_ORIGIN_STALLED},
        {S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), false, FAULT_ORIGIN_SWITCH},
        {S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), false,
         FAULT_RESPONSE_LENGTH_CONFLICT},
        {S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), false,
         FAULT_RESPONSE_CHUNK_SIZE},
        {S("HTTP/1.1 20"), true, FAULT_ORIGIN_CUT},
        {S("HTTP/1.1 20"), false, FAULT_ORIGIN_TIMEOUT},
        {S("HTTP/1.1 200 OK\nA: b\n\n"), false, FAULT_RESPONSE_BARE_LF},
    };
    Site s = site_open(4);
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        FetchPlan plan = plan_of(&s);
        plan.timeout_ms = 200;
        plan.fresh = true;
        Fetch *f = start(&s, &plan);
        EXPECT(asked(&s).len > 0);
        says(&s, wrongs[i].says);
        if (wrongs[i].ends) {
            (void)shutdown(s.peer, SHUT_WR);
        }
        EXPECT(is_over(&s, f));
        EXPECT_STR(fault_row(f->fault)->code, fault_row(wrongs[i].fault)->code);
        fetch_end(s.t, f->self);
        EXPECT_U64(s.t->upstreams.used + s.t->leases.used + s.t->fetches.used, 0);
    }
    site_close(&s);
}

TEST("a fetch has bounds: of time without a connection, of the body, of how many there are")
{
    Site s = site_open(2);
    FetchPlan plan = plan_of(&s);
    plan.body_bytes_max = 4;
    Fetch *f = start(&s, &plan);
    EXPECT(asked(&s).len > 0);
    says(&s, S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"));
    EXPECT(is_over(&s, f));
    EXPECT_U64(f->fault, FAULT_RESPONSE_TOO_LARGE);
    Handle h;
    EXPECT(fetch_start(s.t, &plan, &h) == ERR_OK);
    EXPECT(fetch_start(s.t, &plan, &h) == ERR_FULL); /* the first one has not been ended */
    site_close(&s);

    Site gone = site_open(2);
    (void)close(gone.listener); /* nobody listens any more */
    plan = plan_of(&gone);
    f = start(&gone, &plan);
    EXPECT(is_over(&gone, f));
    EXPECT_U64(f->fault, FAULT_CONNECT_REFUSED);
    gone.listener = dup(2);
    site_close(&gone);
}

TEST("no part of a fetch can end a line of its head, or a word")
{
    Site s = site_open(2);
    const Str bad[] = {S("a\r\nb"), S("a\nb"), S("a\rb"), S("a\x7f"), S(""), S("a b"), S("a\tb")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Handle h;
        FetchPlan plans[4];
        FetchField field = {bad[i], S("v")};
        for (unsigned k = 0; k < 4; k++) {
            plans[k] = plan_of(&s);
        }
        plans[0].method = bad[i];
        plans[1].target = bad[i];
        plans[2].host = bad[i];
        plans[3].fields = &field;
        plans[3].field_count = 1;
        for (unsigned k = 0; k < 4; k++) {
            EXPECT(fetch_start(s.t, &plans[k], &h) == ERR_SYNTAX);
        }
        field = (FetchField){S("x-a"), bad[i]};
        EXPECT(fetch_start(s.t, &plans[3], &h) == (i < 4 ? ERR_SYNTAX : ERR_OK));
        if (i >= 4) {
            fetch_end(s.t, h);
        }
    }
    site_close(&s);
}

typedef struct Sink {
    size_t bytes;
    unsigned pauses;
} Sink;

static bool sink_take(void *context, Thread *t, Handle fetch, Str bytes)
{
    Sink *k = (Sink *)context;
    k->bytes += bytes.len;
    k->pauses++;
    fetch_pause(t, fetch);
    return true;
}

TEST("a sink gets the body piece by piece, and nothing is read while it pauses")
{
    static uint8_t piece[1u << 16];
    Site s = site_open(2);
    Sink sink = {0};
    FetchPlan plan = plan_of(&s);
    plan.sink = sink_take;
    plan.context = &sink;
    plan.body_bytes_max = 0;
    Fetch *f = start(&s, &plan);
    EXPECT(asked(&s).len > 0);
    says(&s, S("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n"));
    size_t sent = 0;
    while (sent < 8388608 && f->state != FETCH_OVER) {
        ssize_t n = send(s.peer, piece, sizeof piece, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        if (n <= 0) { /* it is full: River reads no more than it was asked to */
            unsigned pauses = sink.pauses;
            for (unsigned i = 0; i < 3; i++) {
                helper_thread_turn(s.helper, 0);
            }
            EXPECT(sink.pauses <= pauses + 1);
            fetch_resume(s.t, f->self);
            helper_thread_turn(s.helper, 0);
        }
    }
    for (unsigned i = 0; i < 5000 && f->state != FETCH_OVER; i++) {
        fetch_resume(s.t, f->self);
        helper_thread_turn(s.helper, 1);
    }
    EXPECT_U64(f->fault, FAULT_NONE);
    EXPECT_U64(sink.bytes, 8388608);
    EXPECT(sink.pauses > 8388608 / (128u << 10));
    site_close(&s);
}

TEST("a fetch that is ended in the middle leaves nothing behind, at whatever moment")
{
    Site s = site_open(8);
    for (unsigned turns = 0; turns < 6; turns++) {
        const FetchPlan plan = plan_of(&s);
        Fetch *f = start(&s, &plan);
        for (unsigned i = 0; i < turns; i++) {
            helper_thread_turn(s.helper, 2);
        }
        fetch_end(s.t, f->self);
        for (unsigned i = 0; i < 4; i++) {
            helper_thread_turn(s.helper, 2);
        }
        EXPECT_U64(s.t->leases.used + s.t->fetches.used, 0);
        EXPECT_U64(s.t->arena_blocks.out_count + s.t->buf_blocks.out_count, 0);
    }
    site_close(&s);
}

TEST("ten thousand fetches over eight connections are all answered")
{
    enum { ALL = 10000, AT_ONCE = 64, PEERS = 64 };
    Site s = site_open(AT_ONCE);
    static int peers[PEERS];
    Handle under_way[AT_ONCE] = {{0}};
    unsigned peer_count = 0;
    unsigned started = 0;
    unsigned whole = 0;
    unsigned turns = 0;
    const FetchPlan plan = plan_of(&s);
    s.t->group->origins[s.origin].own.connections_max = 8;
    while (whole < ALL && turns++ < 200000) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            Fetch *f = fetch_get(s.t, under_way[i]);
            if (f && f->state == FETCH_OVER) {
                whole += f->fault == FAULT_NONE && str_equal(f->answer, S("fine"));
                fetch_end(s.t, under_way[i]);
                f = NULL;
            }
            if (!f && started < ALL) {
                started += fetch_start(s.t, &plan, &under_way[i]) == ERR_OK;
            }
        }
        helper_thread_turn(s.helper, 1);
        int fd = accept4(s.listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd >= 0 && peer_count < PEERS) {
            peers[peer_count++] = fd;
        }
        for (unsigned i = 0; i < peer_count; i++) {
            uint8_t room[512];
            if (recv(peers[i], room, sizeof room, 0) > 0) {
                const Str fine = S("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
                EXPECT(send(peers[i], fine.at, fine.len, MSG_NOSIGNAL) == (ssize_t)fine.len);
            }
        }
    }
    EXPECT_U64(whole, ALL);
    EXPECT(peer_count <= 8);
    for (unsigned i = 0; i < peer_count; i++) {
        (void)close(peers[i]);
    }
    site_close(&s);
}
