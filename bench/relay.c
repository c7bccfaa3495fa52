/* relay.c - the floor: a TCP relay that parses nothing, one origin connection for each client.
 *
 *     relay PORT ORIGIN_PORT
 *
 * What a proxy costs above this is what its HTTP costs. One thread, one large buffer. */
#include "net.h"

#define FDS_MAX 65536
#define BUFFER_BYTES (256u << 10)

typedef struct End {
    int other;
    char *rest; /* for this side, not sent yet */
    size_t rest_at;
    size_t rest_len;
} End;

static End ends[FDS_MAX];
static char buffer[BUFFER_BYTES];
static int poller;

static void pair_close(int fd)
{
    int other = ends[fd].other;
    if (other <= 0) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        int side = i ? other : fd;
        free(ends[side].rest);
        ends[side] = (End){0};
        close(side);
    }
}

/* Sends, and keeps what does not go; reading from the other side stops until it has gone. */
static bool end_put(int fd, const char *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN) {
        return false;
    }
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent < len) {
        End *e = &ends[fd];
        e->rest = e->rest ? e->rest : malloc(BUFFER_BYTES);
        memmove(e->rest, bytes + sent, len - sent);
        e->rest_at = 0;
        e->rest_len = len - sent;
        watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
        watch(poller, EPOLL_CTL_MOD, e->other, 0);
    }
    return true;
}

static bool end_flush(int fd)
{
    End *e = &ends[fd];
    if (e->rest_len == 0) {
        return true;
    }
    ssize_t n = send(fd, e->rest + e->rest_at, e->rest_len, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN;
    }
    e->rest_at += (size_t)n;
    e->rest_len -= (size_t)n;
    if (e->rest_len == 0) {
        watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN);
        watch(poller, EPOLL_CTL_MOD, e->other, EPOLLIN);
    }
    return true;
}

static void pair_open(int listener, int origin_port)
{
    for (int i = 0; i < 64; i++) {
        int client = accept_one(listener);
        if (client < 0) {
            return;
        }
        int origin = stream_socket();
        struct sockaddr_in to = loopback(1, origin_port);
        if (connect(origin, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
            die("connect");
        }
        ends[client] = (End){.other = origin};
        ends[origin] = (End){.other = client};
        watch(poller, EPOLL_CTL_ADD, client, EPOLLIN);
        watch(poller, EPOLL_CTL_ADD, origin, EPOLLIN);
    }
}

static bool end_read(int fd)
{
    if (ends[ends[fd].other].rest_len > 0) {
        return true;
    }
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    return end_put(ends[fd].other, buffer, (size_t)n);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    bench_begin();
    int listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(0);
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                pair_open(listener, atoi(argv[2]));
            } else if (ends[fd].other > 0) {
                bool good = !(events[i].events & EPOLLOUT) || end_flush(fd);
                good = good && (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) ||
                                end_read(fd));
                if (!good) {
                    pair_close(fd);
                }
            }
        }
    }
}
