/* h1.c - clients of HTTP/1.1: keep-alive, a connection for each request, slow uploads, large
 * downloads. They read heads by themselves: a test must not trust the parser that it tests.
 *
 * A keep-alive connection may end between two answers, after "Connection: close" or while it is
 * idle. A request that meets such an end is counted as raced; every other end is a failure. An
 * upload has a connection of its own, because nobody may send it a second time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crc32.h"
#include "soak.h"

#define HEAD_MAX 4096u
#define TEXT_MAX 64u
#define DRIP_MS 50u            /* between two pieces of an upload */
#define DRIP_BYTES 4096u
#define UPLOAD_MIN 65536u      /* so many bytes, 16 pieces: 0.8 s ... */
#define UPLOAD_MAX 327680u     /* ... to 80 pieces: 4 s */
#define DOWNLOAD_MIN 65536u
#define DOWNLOAD_MAX 12582912u /* far more than the system takes at once from River: 2.5 MiB here */
#define DOWNLOAD_READ 32768u   /* so much at once ... */
#define DOWNLOAD_PAUSE_MS 5u   /* ... and then a pause */

typedef enum State {
    IDLE,       /* no request is under way; with or without a connection */
    CONNECTING,
    SENDING,    /* an upload: `due_ns` is when the next piece goes */
    HEAD,
    BODY
} State;

typedef struct Client {
    Actor actor;
    State state;
    unsigned think_ms;
    uint64_t asked_ns;
    uint64_t next_ns; /* when the next request is due */
    uint64_t deadline_ns;
    uint64_t answers; /* on this connection */
    uint64_t seed;
    size_t length; /* of the body that is expected */
    size_t at;
    bool close_after;
    char head[HEAD_MAX + 1];
    size_t head_len;
    size_t upload; /* bytes to send in all; 0: a request without a body */
    size_t sent;
    uint32_t crc;
    char text[TEXT_MAX]; /* the body that is expected, where it is no pattern */
} Client;

/* ---- the start of a request ---- */

/* When on_time is called next: the next step, or the deadline. */
static void wait_until(Client *c, uint64_t due_ns)
{
    c->actor.due_ns = due_ns < c->deadline_ns ? due_ns : c->deadline_ns;
}

static void wait_for_answer(Client *c)
{
    c->state = HEAD;
    c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    wait_until(c, NEVER);
}

/* The connection is gone; the next request comes after a pause. */
static void drop(Client *c, unsigned pause_ms)
{
    actor_close(&c->actor);
    c->answers = 0;
    c->state = IDLE;
    c->deadline_ns = NEVER;
    c->actor.due_ns = soak.now_ns + pause_ms * MS;
}

/* The connection broke: the client's fault line between lost and raced. */
static void broken(Client *c, Cause cause, const char *what)
{
    Kind kind = c->actor.kind;
    if (c->state == IDLE) {
        stats_idle_closed(kind);
        drop(c, 0);
        return;
    }
    if (c->answers > 0 && c->head_len == 0 && c->state == HEAD) {
        stats_raced(kind);
        drop(c, 0);
        return;
    }
    static const char *const states[] = {"idle", "connecting", "sending", "head", "body"};
    stats_failed(kind, cause, "%s in %s, answer %llu of its connection, %zu of %zu bytes", what,
                 states[c->state], (unsigned long long)c->answers + 1, c->at, c->length);
    drop(c, PAUSE_MS);
}

static void wrong(Client *c, Cause cause, const char *what)
{
    stats_failed(c->actor.kind, cause, "%s: \"%.60s\", %zu of %zu bytes", what, c->head, c->at,
                 c->length);
    drop(c, PAUSE_MS);
}

/* Sends the next piece of an upload; what the queue does not take waits for the next time. */
static void drip(Client *c)
{
    uint8_t piece[DRIP_BYTES];
    size_t n = c->upload - c->sent < sizeof piece ? c->upload - c->sent : sizeof piece;
    pattern_fill(c->seed, c->sent, piece, n);
    ssize_t sent = send(c->actor.fd, piece, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        broken(c, CAUSE_RESET, strerror(errno));
        return;
    }
    n = sent < 0 ? 0 : (size_t)sent;
    c->crc = crc32_add(c->crc, str_of(piece, n));
    c->sent += n;
    if (n > 0) {
        c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    }
    if (c->sent < c->upload) {
        wait_until(c, soak.now_ns + DRIP_MS * MS);
        return;
    }
    int len = snprintf(c->text, sizeof c->text, "%zu %08x\n", c->upload, crc32_end(c->crc));
    c->length = (size_t)len;
    c->asked_ns = soak.now_ns; /* the answer's latency, not the upload's */
    wait_for_answer(c);
}

static void send_request(Client *c)
{
    char text[200];
    const char *close = c->actor.kind == KIND_FRESH ? "Connection: close\r\n" : "";
    int n;
    if (c->upload > 0) {
        n = snprintf(text, sizeof text,
                     "POST /u HTTP/1.1\r\nHost: soak.example\r\nContent-Length: %zu\r\n\r\n",
                     c->upload);
    } else {
        n = snprintf(text, sizeof text, "GET /p/%llu/%zu HTTP/1.1\r\nHost: soak.example\r\n%s\r\n",
                     (unsigned long long)c->seed, c->length, close);
    }
    c->head_len = 0;
    c->at = 0;
    c->close_after = false;
    wait_for_answer(c);
    actor_watch(&c->actor, EPOLLIN | EPOLLRDHUP);
    ssize_t sent = send(c->actor.fd, text, (size_t)n, MSG_NOSIGNAL);
    if (sent != n) {
        broken(c, CAUSE_RESET, sent < 0 ? strerror(errno) : "half a request went out");
        return;
    }
    if (c->upload > 0) {
        c->state = SENDING;
        wait_until(c, soak.now_ns);
    }
}

static void begin(Client *c)
{
    static const size_t lengths[] = {0, 1, 100, 1000, 1000, 1000, 8000, 30000};
    c->seed = random_u64() >> 1;
    c->sent = c->upload = 0;
    c->crc = CRC32_START;
    if (c->actor.kind == KIND_UPLOAD) {
        c->upload = UPLOAD_MIN + random_below(UPLOAD_MAX - UPLOAD_MIN);
        c->length = 0;
    } else if (c->actor.kind == KIND_DOWNLOAD) {
        c->length = DOWNLOAD_MIN + random_below(DOWNLOAD_MAX - DOWNLOAD_MIN);
    } else {
        c->length = lengths[random_below(sizeof lengths / sizeof lengths[0])];
    }
    c->asked_ns = c->next_ns != 0 ? c->next_ns : soak.now_ns;
    c->next_ns = 0;
    if (c->actor.fd >= 0) {
        send_request(c);
        return;
    }
    c->state = CONNECTING;
    c->answers = 0;
    c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    wait_until(c, NEVER);
    if (!actor_connect(&c->actor)) {
        drop(c, PAUSE_MS);
    }
}

/* ---- the answer ---- */

static void finish(Client *c)
{
    stats_done(c->actor.kind, c->asked_ns);
    c->answers++;
    c->state = IDLE;
    c->deadline_ns = NEVER;
    if (c->close_after || c->actor.kind == KIND_FRESH || c->actor.kind == KIND_UPLOAD) {
        drop(c, 0);
    }
    if (c->think_ms > 0) {
        c->actor.due_ns = soak.now_ns + random_below(c->think_ms) * MS;
    } else if (c->actor.kind == KIND_KEEPALIVE || c->actor.kind == KIND_FRESH) {
        c->next_ns = soak_pace();
        c->actor.due_ns = c->next_ns;
    } else {
        c->actor.due_ns = soak.now_ns;
    }
    if (soak.ending) {
        c->actor.due_ns = soak.now_ns;
    } else if (c->actor.due_ns <= soak.now_ns) {
        begin(c);
    }
}

/* Bytes of the body; false: they are wrong, or too many. */
static bool take_body(Client *c, const uint8_t *bytes, size_t len)
{
    if (len > c->length - c->at) {
        wrong(c, CAUSE_BYTES, "more than the answer");
        return false;
    }
    bool good = c->upload > 0 ? memcmp(c->text + c->at, bytes, len) == 0
                              : pattern_matches(c->seed, c->at, bytes, len);
    if (!good) {
        wrong(c, CAUSE_BYTES, "other bytes");
        return false;
    }
    c->at += len;
    return true;
}

/* A whole head stands in c->head, ended by a NUL. */
static bool take_head(Client *c)
{
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (strncmp(c->head, "HTTP/1.1 ", 9) != 0) {
        wrong(c, CAUSE_PROTOCOL, "no head");
        return false;
    }
    if (strncmp(c->head + 9, "200 ", 4) != 0) {
        wrong(c, CAUSE_STATUS, "status");
        return false;
    }
    if (c->state == SENDING) {
        wrong(c, CAUSE_PROTOCOL, "an answer before the upload's end");
        return false;
    }
    if (!length || strtoull(length + 17, NULL, 10) != c->length) {
        wrong(c, CAUSE_BYTES, "another length");
        return false;
    }
    c->close_after = strcasestr(c->head, "\r\nconnection: close\r\n") != NULL;
    c->state = BODY;
    return true;
}

/* Returns how many of the bytes belong to the head; all: it is not whole yet. */
static size_t add_to_head(Client *c, const uint8_t *bytes, size_t len)
{
    size_t before = c->head_len;
    size_t n = len < HEAD_MAX - before ? len : HEAD_MAX - before;
    memcpy(c->head + before, bytes, n);
    c->head_len += n;
    c->head[c->head_len] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        return n;
    }
    c->head_len = (size_t)(end - c->head) + 4;
    c->head[c->head_len] = '\0';
    return c->head_len - before;
}

static void take(Client *c, const uint8_t *bytes, size_t len)
{
    if (c->state == IDLE || c->state == CONNECTING) {
        c->head[0] = '\0';
        wrong(c, CAUSE_PROTOCOL, "bytes that nobody asked for");
        return;
    }
    if (c->state != BODY) {
        size_t n = add_to_head(c, bytes, len);
        if (c->head_len < 4 || memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) != 0) {
            if (c->head_len == HEAD_MAX) {
                wrong(c, CAUSE_PROTOCOL, "a head without end");
            }
            return;
        }
        bytes += n;
        len -= n;
        if (!take_head(c)) {
            return;
        }
    }
    if (take_body(c, bytes, len) && c->at == c->length) {
        finish(c);
    }
}

static void receive(Client *c)
{
    size_t room = c->actor.kind == KIND_DOWNLOAD ? DOWNLOAD_READ : READ_BYTES;
    ssize_t n = recv(c->actor.fd, soak_room, room, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        broken(c, n == 0 ? CAUSE_EOF : CAUSE_RESET, n == 0 ? "the end" : strerror(errno));
        return;
    }
    c->deadline_ns = c->state == IDLE ? NEVER : soak.now_ns + soak.answer_ms * MS;
    take(c, soak_room, (size_t)n);
    if (c->actor.kind == KIND_DOWNLOAD && c->state == BODY) {
        actor_watch(&c->actor, 0);
        wait_until(c, soak.now_ns + DOWNLOAD_PAUSE_MS * MS);
    }
}

/* ---- events ---- */

static void on_ready(Actor *a, uint32_t events)
{
    Client *c = (Client *)a;
    if (c->state != CONNECTING) {
        receive(c);
    } else if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        return;
    } else if (actor_connected(a)) {
        send_request(c);
    } else {
        drop(c, PAUSE_MS);
    }
}

static void on_time(Actor *a)
{
    Client *c = (Client *)a;
    a->due_ns = c->deadline_ns;
    if (soak.now_ns >= c->deadline_ns) {
        c->head[c->head_len] = '\0';
        wrong(c, CAUSE_TIMEOUT, c->state == CONNECTING ? "no connection" : "no answer");
    } else if (c->state == SENDING) {
        drip(c);
    } else if (c->state == BODY) {
        actor_watch(a, EPOLLIN | EPOLLRDHUP);
    } else if (c->state == IDLE && soak.ending) {
        actor_close(a);
        a->over = true;
        a->due_ns = NEVER;
    } else if (c->state == IDLE) {
        begin(c);
    }
}

Actor *h1_new(Kind kind, unsigned number)
{
    Client *c = calloc(1, sizeof *c);
    if (!c) {
        die("memory");
    }
    c->actor = (Actor){.kind = kind, .fd = -1, .on_ready = on_ready, .on_time = on_time};
    if (kind == KIND_DOWNLOAD) {
        /* A slow reader: much of the answer is still River's when something happens to it. */
        c->actor.receive_bytes = DOWNLOAD_READ;
    }
    /* Every second one lets its connection stand idle between two requests. */
    c->think_ms = kind == KIND_KEEPALIVE && number % 2 ? soak.think_ms : 0;
    c->deadline_ns = NEVER;
    return &c->actor;
}
