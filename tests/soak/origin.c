/* origin.c - the origin of the load: a thread that answers with patterns, sums of uploads, and
 * echoes of WebSocket messages.
 *
 *     GET /p/SEED/LENGTH     so many bytes of that pattern
 *     POST /u                "LENGTH CRC32\n" of the body
 *     GET /ws                with Upgrade: a tunnel; each frame comes back, unmasked
 *
 * It never closes a connection that River keeps open, so that what is lost is River's doing. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32.h"
#include "soak.h"

#define FDS_MAX 65536
#define ROOM 16384u
#define FRAME_HEAD_MAX 14u

typedef enum State { HEAD, BODY, TUNNEL } State;

typedef struct Conn {
    State state;
    bool blocked; /* waits until it can write */
    uint8_t in[ROOM];
    size_t in_len;
    uint8_t out[ROOM];
    size_t out_at;
    size_t out_len;
    uint64_t seed; /* of a pattern that is being sent */
    uint64_t at;
    uint64_t length;
    uint64_t left; /* of an upload */
    uint64_t taken;
    uint32_t crc;
} Conn;

static Conn *conns[FDS_MAX];
static int poller;
static int listener;

static void watch(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    (void)epoll_ctl(poller, operation, fd, &event);
}

static void conn_close(int fd)
{
    free(conns[fd]);
    conns[fd] = NULL;
    (void)close(fd);
}

/* ---- writing ---- */

static void out_add(Conn *c, const void *bytes, size_t len)
{
    if (len > ROOM - c->out_len) {
        die("origin: an answer is too long");
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

/* The next piece of the pattern. */
static void out_fill(Conn *c)
{
    uint64_t left = c->length - c->at;
    size_t n = left < ROOM ? (size_t)left : ROOM;
    pattern_fill(c->seed, c->at, c->out, n);
    c->at += n;
    c->out_at = 0;
    c->out_len = n;
}

static bool flush(int fd, Conn *c)
{
    while (c->out_at < c->out_len || c->at < c->length) {
        if (c->out_at == c->out_len) {
            out_fill(c);
        }
        ssize_t n = send(fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
        if (n < 0) {
            c->blocked = errno == EAGAIN;
            return c->blocked;
        }
        c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
    c->blocked = false;
    return true;
}

static void answer(Conn *c, const char *status, uint64_t length)
{
    char head[160];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\n"
                     "Content-Length: %llu\r\n\r\n",
                     status, (unsigned long long)length);
    out_add(c, head, (size_t)n);
}

/* ---- requests ---- */

/* The value of a field, or NULL; `head` ends with an empty line and a NUL. */
static const char *field(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *value = line + 2 + len + 1;
            while (*value == ' ') {
                value++;
            }
            return value;
        }
    }
    return NULL;
}

static bool open_tunnel(Conn *c, const char *head)
{
    const char *key = field(head, "sec-websocket-key");
    if (!key || !field(head, "upgrade")) {
        return false;
    }
    char text[256];
    /* Both ends are ours: the key itself proves as much as its SHA-1 would. */
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                     (int)strcspn(key, "\r"), key);
    out_add(c, text, (size_t)n);
    c->state = TUNNEL;
    return true;
}

static bool take_head(Conn *c, const char *head)
{
    unsigned long long seed = 0;
    unsigned long long length = 0;
    if (sscanf(head, "GET /p/%llu/%llu HTTP/1.1\r\n", &seed, &length) == 2) {
        answer(c, "200 OK", length);
        c->seed = seed;
        c->at = 0;
        c->length = length;
        return true;
    }
    if (strncmp(head, "GET /ws ", 8) == 0) {
        return open_tunnel(c, head);
    }
    const char *bytes = field(head, "content-length");
    if (strncmp(head, "POST /u ", 8) != 0 || !bytes) {
        return false;
    }
    c->left = strtoull(bytes, NULL, 10);
    c->taken = 0;
    c->crc = CRC32_START;
    c->state = BODY;
    return true;
}

static size_t take_body(Conn *c)
{
    size_t n = c->in_len < c->left ? c->in_len : (size_t)c->left;
    c->crc = crc32_add(c->crc, str_of(c->in, n));
    c->left -= n;
    c->taken += n;
    if (c->left == 0) {
        char sum[64];
        int len = snprintf(sum, sizeof sum, "%llu %08x\n", (unsigned long long)c->taken,
                           crc32_end(c->crc));
        answer(c, "200 OK", (uint64_t)len);
        out_add(c, sum, (size_t)len);
        c->state = HEAD;
    }
    return n;
}

/* Echoes one whole frame of at most 65535 bytes (RFC 6455 §5.2). 0: it is not whole yet. */
static size_t take_frame(Conn *c)
{
    const uint8_t *in = c->in;
    size_t head = 6;
    size_t len = c->in_len < 2 ? 0 : in[1] & 127u;
    if (len == 126) {
        head = 8;
        len = c->in_len < 4 ? 0 : (size_t)in[2] << 8 | in[3];
    }
    if (c->in_len < head + len || c->in_len < FRAME_HEAD_MAX || ROOM - c->out_len < head + len) {
        return 0;
    }
    uint8_t frame_head[4] = {in[0], (uint8_t)(in[1] & 127u), in[2], in[3]};
    out_add(c, frame_head, head - 4);
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = in[head + i] ^ in[head - 4 + i % 4];
        out_add(c, &byte, 1);
    }
    return head + len;
}

/* Does what the bytes say that are there; false: the connection is at its end. */
static bool take(Conn *c)
{
    size_t n = 1;
    while (n > 0 && c->in_len > 0 && c->at == c->length) {
        if (c->state == HEAD) {
            uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
            if (!end) {
                return c->in_len < ROOM;
            }
            n = (size_t)(end - c->in) + 4;
            uint8_t kept = c->in[n - 1];
            c->in[n - 1] = '\0';
            if (!take_head(c, (const char *)c->in)) {
                c->in[n - 1] = kept;
                (void)fprintf(stderr, "origin: what is this?\n%.*s", (int)n, (const char *)c->in);
                return false;
            }
        } else {
            n = c->state == BODY ? take_body(c) : take_frame(c);
        }
        memmove(c->in, c->in + n, c->in_len - n);
        c->in_len -= n;
        if (c->state != TUNNEL && c->out_len > 0) {
            return true; /* River does not pipeline: the answer goes first */
        }
    }
    return true;
}

/* ---- the loop ---- */

static bool serve(int fd, Conn *c)
{
    if (c->blocked) {
        if (!flush(fd, c)) {
            return false;
        }
        if (!c->blocked) {
            watch(EPOLL_CTL_MOD, fd, EPOLLIN);
        }
        return true;
    }
    ssize_t n = recv(fd, c->in + c->in_len, ROOM - c->in_len, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    c->in_len += (size_t)n;
    if (!take(c) || !flush(fd, c)) {
        return false;
    }
    if (c->blocked) {
        watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
    }
    return true;
}

static void accept_all(void)
{
    for (int i = 0; i < 64; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (fd >= FDS_MAX) {
            die("origin: too many connections");
        }
        conns[fd] = calloc(1, sizeof(Conn));
        if (!conns[fd]) {
            die("origin: memory");
        }
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static void *run(void *nothing)
{
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all();
            } else if (conns[fd] && !serve(fd, conns[fd])) {
                conn_close(fd);
            }
        }
    }
    return nothing;
}

uint16_t origin_start(void)
{
    uint16_t port = 0;
    pthread_t thread;
    listener = listen_anywhere(&port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        die("origin: thread");
    }
    (void)pthread_detach(thread);
    return port;
}
