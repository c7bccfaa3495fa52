/* websocket.c - clients that open one tunnel and keep it for the whole run (RFC 6455): numbered
 * messages go through it, and each must come back as it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "soak.h"

#define HEAD_MAX 1024u
#define MESSAGE_MAX 2000u
#define FRAME_MAX (MESSAGE_MAX + 8u)
#define INTERVAL_MS 20u

typedef enum State { CLOSED, CONNECTING, HANDSHAKE, OPEN, AWAITING } State;

typedef struct Client {
    Actor actor;
    State state;
    uint64_t asked_ns;
    uint64_t deadline_ns;
    uint64_t number;   /* of the message that is under way: the seed of its pattern, too */
    size_t length;
    char key[32];
    uint8_t in[HEAD_MAX + FRAME_MAX];
    size_t in_len;
} Client;

static void drop(Client *c, unsigned pause_ms)
{
    actor_close(&c->actor);
    c->state = CLOSED;
    c->in_len = 0;
    c->deadline_ns = NEVER;
    c->actor.due_ns = soak.now_ns + pause_ms * MS;
}

static void failed(Client *c, Cause cause, const char *what)
{
    static const char *const states[] = {"closed", "connecting", "handshake", "open", "awaiting"};
    stats_failed(c->actor.kind, cause, "%s, %s, message %llu", what, states[c->state],
                 (unsigned long long)(c->number & 0xffffffffu));
    drop(c, PAUSE_MS);
}

static void expect_until(Client *c, State state)
{
    c->state = state;
    c->deadline_ns = soak.now_ns + soak.answer_ms * MS;
    c->actor.due_ns = c->deadline_ns;
}

static void send_all(Client *c, const void *bytes, size_t len)
{
    ssize_t sent = send(c->actor.fd, bytes, len, MSG_NOSIGNAL);
    if (sent != (ssize_t)len) {
        failed(c, CAUSE_RESET, sent < 0 ? strerror(errno) : "the tunnel takes no more");
    }
}

static void handshake(Client *c)
{
    char text[300];
    (void)snprintf(c->key, sizeof c->key, "key%016llx", (unsigned long long)random_u64());
    int n = snprintf(text, sizeof text,
                     "GET /ws HTTP/1.1\r\nHost: soak.example\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: %s\r\n\r\n",
                     c->key);
    expect_until(c, HANDSHAKE);
    actor_watch(&c->actor, EPOLLIN | EPOLLRDHUP);
    send_all(c, text, (size_t)n);
}

/* The next message, masked (§5.3). */
static void send_message(Client *c)
{
    uint8_t frame[FRAME_MAX];
    size_t head = 2;
    c->number++;
    c->length = 8 + random_below(MESSAGE_MAX - 8);
    frame[0] = 0x82; /* one whole binary message */
    if (c->length < 126) {
        frame[1] = (uint8_t)(0x80 | c->length);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(c->length >> 8);
        frame[3] = (uint8_t)c->length;
        head = 4;
    }
    uint32_t mask = (uint32_t)random_u64();
    memcpy(frame + head, &mask, 4);
    head += 4;
    pattern_fill(c->number, 0, frame + head, c->length);
    for (size_t i = 0; i < c->length; i++) {
        frame[head + i] ^= frame[head - 4 + i % 4];
    }
    c->asked_ns = clock_ns();
    expect_until(c, AWAITING);
    send_all(c, frame, head + c->length);
}

static void forget(Client *c, size_t n)
{
    memmove(c->in, c->in + n, c->in_len - n);
    c->in_len -= n;
}

static void take_head(Client *c)
{
    char accept[64];
    uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) {
        if (c->in_len >= HEAD_MAX) {
            failed(c, CAUSE_PROTOCOL, "a head without end");
        }
        return;
    }
    *end = '\0';
    int n = snprintf(accept, sizeof accept, "sec-websocket-accept: %s", c->key);
    if (strncmp((const char *)c->in, "HTTP/1.1 101 ", 13) != 0) {
        failed(c, CAUSE_STATUS, "no 101");
    } else if (n < 0 || !strcasestr((const char *)c->in, accept)) {
        failed(c, CAUSE_PROTOCOL, "no Sec-WebSocket-Accept");
    } else {
        forget(c, (size_t)(end - c->in) + 4);
        c->state = OPEN;
        c->deadline_ns = NEVER;
        c->actor.due_ns = soak.now_ns;
        if (c->in_len > 0) {
            failed(c, CAUSE_BYTES, "bytes behind the handshake");
        }
    }
}

static void take_frame(Client *c)
{
    size_t head = c->length < 126 ? 2 : 4;
    if (c->in_len < head + c->length) {
        return;
    }
    size_t len = head == 2 ? c->in[1] : (size_t)c->in[2] << 8 | c->in[3];
    bool good = c->in[0] == 0x82 && (head == 2 || c->in[1] == 126) && len == c->length &&
                c->in_len == head + len && pattern_matches(c->number, 0, c->in + head, len);
    if (!good) {
        failed(c, CAUSE_BYTES, "another message came back");
        return;
    }
    stats_done(c->actor.kind, c->asked_ns);
    c->in_len = 0;
    c->state = OPEN;
    c->deadline_ns = NEVER;
    c->actor.due_ns = soak.now_ns + INTERVAL_MS * MS;
}

static void receive(Client *c)
{
    ssize_t n = recv(c->actor.fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        failed(c, n == 0 ? CAUSE_EOF : CAUSE_RESET, n == 0 ? "the end" : strerror(errno));
        return;
    }
    c->in_len += (size_t)n;
    if (c->state == HANDSHAKE) {
        take_head(c);
    } else if (c->state == AWAITING) {
        take_frame(c);
    } else {
        failed(c, CAUSE_BYTES, "bytes that nobody asked for");
    }
}

static void on_ready(Actor *a, uint32_t events)
{
    Client *c = (Client *)a;
    if (c->state != CONNECTING) {
        receive(c);
    } else if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        return;
    } else if (actor_connected(a)) {
        handshake(c);
    } else {
        drop(c, PAUSE_MS);
    }
}

static void on_time(Actor *a)
{
    Client *c = (Client *)a;
    a->due_ns = c->deadline_ns;
    if (soak.now_ns >= c->deadline_ns) {
        failed(c, CAUSE_TIMEOUT, "silence");
    } else if (soak.ending && (c->state == OPEN || c->state == CLOSED)) {
        actor_close(a);
        a->over = true;
        a->due_ns = NEVER;
    } else if (c->state == OPEN) {
        send_message(c);
    } else if (c->state == CLOSED) {
        expect_until(c, CONNECTING);
        if (!actor_connect(a)) {
            drop(c, PAUSE_MS);
        }
    }
}

Actor *websocket_new(unsigned number)
{
    Client *c = calloc(1, sizeof *c);
    if (!c) {
        die("memory");
    }
    c->actor = (Actor){.kind = KIND_WEBSOCKET, .fd = -1, .on_ready = on_ready, .on_time = on_time};
    c->number = (uint64_t)number << 32; /* no two clients send the same */
    c->deadline_ns = NEVER;
    return &c->actor;
}
