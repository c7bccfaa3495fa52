/* origin.c - a very cheap HTTP/1.1 origin, so that a measurement sees the proxy.
 *
 *     origin PORT COUNTERS
 *
 * /0 /1k /64k /1m answer with that many bytes, /chunks with a thousand chunks of one byte. COUNTERS
 * is a file of three native 64-bit words that anybody may map: connections accepted, requests, and
 * the most connections at once. It reads requests without bodies, and does not check them. */
#include <fcntl.h>
#include <sys/mman.h>

#include "net.h"

#define FDS_MAX 65536
#define HEAD_MAX 65536

typedef struct Answer {
    const char *path;
    size_t body;
    char *bytes;
    size_t len;
} Answer;

typedef struct Conn {
    char *in; /* part of a head */
    size_t in_len;
    const char *out; /* rest of an answer */
    size_t out_len;
    bool closing;
} Conn;

static Answer answers[] = {{.path = "/0 "},
                           {.path = "/1k ", .body = 1024},
                           {.path = "/64k ", .body = 65536},
                           {.path = "/1m ", .body = 1048576},
                           {.path = "/chunks "}};
static Conn conns[FDS_MAX];
static uint64_t *counters;
static uint64_t active;
static int poller;

static void answers_make(void)
{
    size_t count = sizeof answers / sizeof answers[0];
    for (size_t i = 0; i < count; i++) {
        Answer *a = &answers[i];
        a->bytes = malloc(a->body + 16384);
        if (i + 1 < count) {
            a->len = (size_t)sprintf(a->bytes,
                                     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                     "Content-Length: %zu\r\n\r\n",
                                     a->body);
            memset(a->bytes + a->len, 'x', a->body);
            a->len += a->body;
            continue;
        }
        a->len = (size_t)sprintf(a->bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int n = 0; n < 1000; n++) {
            a->len += (size_t)sprintf(a->bytes + a->len, "1\r\nx\r\n");
        }
        a->len += (size_t)sprintf(a->bytes + a->len, "0\r\n\r\n");
    }
}

static void conn_close(int fd)
{
    free(conns[fd].in);
    conns[fd] = (Conn){0};
    close(fd);
    active--;
}

static bool conn_flush(int fd)
{
    Conn *c = &conns[fd];
    while (c->out_len > 0) {
        ssize_t n = send(fd, c->out, c->out_len, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) {
                watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
                return true;
            }
            return false;
        }
        c->out += n;
        c->out_len -= (size_t)n;
    }
    return !c->closing;
}

static bool conn_answer(int fd, const char *head, size_t len)
{
    const char *path = memchr(head, ' ', len);
    const Answer *a = &answers[1];
    for (size_t i = 0; path && i < sizeof answers / sizeof answers[0]; i++) {
        if (strncmp(path + 1, answers[i].path, strlen(answers[i].path)) == 0) {
            a = &answers[i];
        }
    }
    counters[1]++;
    conns[fd].closing = memmem(head, len, "Connection: close", 17) != NULL;
    conns[fd].out = a->bytes;
    conns[fd].out_len = a->len;
    return conn_flush(fd);
}

static bool conn_read(int fd)
{
    static char bytes[HEAD_MAX + 1];
    Conn *c = &conns[fd];
    if (c->in_len) {
        memcpy(bytes, c->in, c->in_len);
    }
    ssize_t n = recv(fd, bytes + c->in_len, HEAD_MAX - c->in_len, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    size_t len = c->in_len + (size_t)n;
    c->in_len = 0;
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (end) {
        return conn_answer(fd, bytes, (size_t)(end - bytes) + 4);
    }
    c->in = realloc(c->in, HEAD_MAX);
    memcpy(c->in, bytes, len);
    c->in_len = len;
    return len < HEAD_MAX;
}

static void conn_accept(int listener)
{
    for (int i = 0; i < 64; i++) {
        int fd = accept_one(listener);
        if (fd < 0 || fd >= FDS_MAX) {
            return;
        }
        conns[fd] = (Conn){0};
        counters[0]++;
        active++;
        counters[2] = active > counters[2] ? active : counters[2];
        watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    bench_begin();
    answers_make();
    int file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ftruncate(file, 4096) != 0) {
        die(argv[2]);
    }
    counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(0);
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                conn_accept(fd);
                continue;
            }
            bool good = true;
            if (events[i].events & EPOLLOUT) {
                watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN);
                good = conn_flush(fd);
            }
            if (!good || ((events[i].events & ~(uint32_t)EPOLLOUT) && !conn_read(fd))) {
                conn_close(fd);
            }
        }
    }
}
