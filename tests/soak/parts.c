/* parts.c - clocks, sockets, the pattern, and what all clients do with connections. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define SOURCES 64u /* addresses that clients come from: one has too few ports */

Soak soak;
uint8_t soak_room[READ_BYTES];

_Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

int socket_new(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static struct sockaddr_in loopback(unsigned last_byte, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(0x7f000000u + last_byte)};
}

int listen_anywhere(uint16_t *ret_port)
{
    int fd = socket_new();
    struct sockaddr_in at = loopback(1, 0);
    socklen_t bytes = sizeof at;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 65535) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &bytes) != 0) {
        die("listen");
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* ---- the pattern ---- */

/* The n-th eight bytes (the mixing of Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t pattern_word(uint64_t seed, uint64_t n)
{
    uint64_t x = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void pattern_fill(uint64_t seed, uint64_t from, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t word = pattern_word(seed, (from + i) / 8);
        size_t skip = (size_t)((from + i) % 8);
        size_t n = len - i < 8 - skip ? len - i : 8 - skip;
        memcpy(to + i, (const uint8_t *)&word + skip, n);
        i += n;
    }
}

bool pattern_matches(uint64_t seed, uint64_t from, const uint8_t *bytes, size_t len)
{
    uint8_t expected[4096];
    for (size_t i = 0; i < len;) {
        size_t n = len - i < sizeof expected ? len - i : sizeof expected;
        pattern_fill(seed, from + i, expected, n);
        if (memcmp(expected, bytes + i, n) != 0) {
            return false;
        }
        i += n;
    }
    return true;
}

uint64_t random_u64(void)
{
    static uint64_t count;
    return pattern_word(UINT64_C(20240601), count++);
}

uint64_t random_below(uint64_t limit)
{
    return random_u64() % limit;
}

uint64_t soak_pace(void)
{
    static uint64_t next_ns;
    if (soak.rate == 0) {
        return soak.now_ns;
    }
    next_ns = next_ns == 0 ? soak.now_ns : next_ns + 1000 * MS / soak.rate;
    return next_ns;
}

/* ---- connections ---- */

static void watch(const Actor *a, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)a->generation << 32 | a->index};
    if (epoll_ctl(soak.poller, operation, a->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void count_failed_connect(const Actor *a, int number)
{
    stats_failed(a->kind, number == ECONNRESET ? CAUSE_RESET : CAUSE_REFUSED, "connect: %s",
                 strerror(number));
}

bool actor_connect(Actor *a)
{
    static unsigned source;
    struct sockaddr_in from = loopback(2 + source++ % SOURCES, 0);
    struct sockaddr_in to = loopback(1, soak.port);
    int on = 1;
    a->fd = socket_new();
    a->generation++;
    (void)setsockopt(a->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (a->receive_bytes > 0) {
        (void)setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &a->receive_bytes, sizeof(int));
    }
    if (bind(a->fd, (struct sockaddr *)&from, sizeof from) != 0) {
        die("bind");
    }
    if (connect(a->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        count_failed_connect(a, errno);
        actor_close(a);
        return false;
    }
    watch(a, EPOLL_CTL_ADD, EPOLLOUT);
    return true;
}

bool actor_connected(Actor *a)
{
    int number = 0;
    socklen_t bytes = sizeof number;
    (void)getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &number, &bytes);
    if (number != 0) {
        count_failed_connect(a, number);
        return false;
    }
    stats_connected(a->kind);
    return true;
}

void actor_watch(const Actor *a, uint32_t events)
{
    watch(a, EPOLL_CTL_MOD, events);
}

void actor_close(Actor *a)
{
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    a->fd = -1;
}
