/* load.c - a cheap HTTP/1.1 load client that also watches the proxy's processor time.
 *
 *     load -p PORT [-u PATH] [-c CONNECTIONS] [-d SECONDS] [-w WARM_UP] [-e BODY_BYTES]
 *          [-P PID,PID] [-x] a connection for each request  [-H] a head of 60 fields
 *          [-i MS] each connection asks once in MS, at random phases
 *          [-b] ... the first time all at once
 *          [-I] opens the connections, asks once on each, prints "ready", holds until stdin closes
 *
 * Prints one JSON object: requests, errors, rates, latencies, and the processor time that the
 * processes of -P used in the measured window (their own accounting, exact to the nanosecond). */
#include <poll.h>

#include "net.h"

#define FDS_MAX 65536
#define BUCKETS 4096
#define PIDS_MAX 16

typedef enum State { OFF, CONNECTING, HEAD, BODY, CHUNKS, PAUSE } State;

typedef struct Conn {
    State state;
    int fd;
    uint64_t asked_ns;
    uint64_t next_ns;
    size_t left;
    char tail[8]; /* the last bytes of a chunked body */
} Conn;

static struct {
    int port;
    int connections;
    const char *path;
    double seconds;
    double warm;
    long expect;
    bool close;
    bool many_fields;
    bool burst;
    bool idle;
    double interval_ms;
    int pid_count;
    clockid_t pids[PIDS_MAX];
} option = {.connections = 64, .path = "/1k", .seconds = 2, .warm = 0.5, .expect = -1};

static Conn *conns;
static int owner[FDS_MAX];
static char request[16384];
static size_t request_len;
static char buffer[1 << 18];
static uint64_t histogram[BUCKETS];
static uint64_t done;
static uint64_t errors;
static uint64_t connects;
static bool measuring;
static int poller;
static unsigned source;

static unsigned bucket_of(uint64_t us)
{
    if (us < 64) {
        return (unsigned)us;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - 6;
    unsigned bucket = (shift + 1) * 64 + ((unsigned)(us >> shift) & 63);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t bucket_value(unsigned bucket)
{
    return bucket < 64 ? bucket : (uint64_t)((bucket & 63) | 64) << (bucket / 64 - 1);
}

static uint64_t quantile(double share)
{
    uint64_t total = 0;
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        total += histogram[i];
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (total && (double)seen >= (double)total * share) {
            return bucket_value(i);
        }
    }
    return 0;
}

static uint64_t processor_ns(void)
{
    uint64_t total = 0;
    for (int i = 0; i < option.pid_count; i++) {
        struct timespec used;
        if (clock_gettime(option.pids[i], &used) == 0) {
            total += (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
        }
    }
    return total;
}

static void conn_open(Conn *c)
{
    struct sockaddr_in from = loopback(2 + source++ % 16, 0); /* more ports than one address has */
    struct sockaddr_in to = loopback(1, option.port);
    int on = 1;
    c->fd = stream_socket();
    (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (c->fd >= FDS_MAX || bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0) {
        die("bind");
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        die("connect");
    }
    owner[c->fd] = (int)(c - conns);
    c->state = CONNECTING;
    c->asked_ns = now_ns();
    connects++;
    watch(poller, EPOLL_CTL_ADD, c->fd, EPOLLOUT);
}

static void conn_again(Conn *c, bool failed)
{
    errors += failed;
    if (errors > 10000) {
        fprintf(stderr, "load: too many errors\n");
        exit(3);
    }
    close(c->fd);
    conn_open(c);
}

static void conn_ask(Conn *c)
{
    if (!option.close) {
        c->asked_ns = now_ns();
    }
    c->state = HEAD;
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len) {
        conn_again(c, true);
    }
}

static void conn_answered(Conn *c)
{
    done++;
    if (measuring) {
        histogram[bucket_of((now_ns() - c->asked_ns) / 1000)]++;
    }
    if (option.close) {
        conn_again(c, false);
    } else if (option.interval_ms > 0 || option.idle) {
        c->state = PAUSE;
    } else {
        conn_ask(c);
    }
}

static void conn_chunks(Conn *c, const char *bytes, size_t len)
{
    for (size_t i = len > 5 ? len - 5 : 0; i < len; i++) {
        memmove(c->tail, c->tail + 1, 4);
        c->tail[4] = bytes[i];
    }
    if (memcmp(c->tail, "0\r\n\r\n", 5) == 0) {
        conn_answered(c);
    }
}

/* Heads of answers are small: one that comes in pieces counts as an error. */
static void conn_head(Conn *c, char *bytes, size_t len)
{
    bytes[len] = 0;
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    const char *length = strcasestr(bytes, "content-length:");
    if (!end || strncmp(bytes, "HTTP/1.1 200", 12) != 0) {
        conn_again(c, true);
        return;
    }
    size_t have = len - (size_t)(end + 4 - bytes);
    if (!length || length > end) {
        c->state = CHUNKS;
        memset(c->tail, 0, sizeof c->tail);
        conn_chunks(c, end + 4, have);
        return;
    }
    long total = strtol(length + 15, NULL, 10);
    if ((option.expect >= 0 && total != option.expect) || (size_t)total < have) {
        conn_again(c, true);
        return;
    }
    c->left = (size_t)total - have;
    c->state = BODY;
    if (c->left == 0) {
        conn_answered(c);
    }
}

static void conn_read(Conn *c)
{
    bool discard = c->state == BODY && c->left > 16384;
    ssize_t n = discard ? recv(c->fd, NULL, c->left, MSG_TRUNC)
                        : recv(c->fd, buffer, sizeof buffer - 1, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        conn_again(c, c->state != PAUSE || option.idle);
    } else if (c->state == HEAD) {
        conn_head(c, buffer, (size_t)n);
    } else if (c->state == BODY) {
        c->left -= (size_t)n < c->left ? (size_t)n : c->left;
        if (c->left == 0) {
            conn_answered(c);
        }
    } else if (c->state == CHUNKS) {
        conn_chunks(c, buffer, (size_t)n);
    } else {
        conn_again(c, true);
    }
}

static void conn_event(Conn *c)
{
    if (c->state != CONNECTING) {
        conn_read(c);
        return;
    }
    int error = 0;
    socklen_t len = sizeof error;
    (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        conn_again(c, true);
        return;
    }
    watch(poller, EPOLL_CTL_MOD, c->fd, EPOLLIN);
    if (option.interval_ms > 0 && !option.burst) {
        c->state = PAUSE;
    } else {
        conn_ask(c);
    }
}

static void turn(int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        conn_event(&conns[owner[events[i].data.fd]]);
    }
    uint64_t now = option.interval_ms > 0 ? now_ns() : 0;
    for (int i = 0; now && i < option.connections; i++) {
        if (conns[i].next_ns <= now) {
            conns[i].next_ns += (uint64_t)(option.interval_ms * 1e6);
            if (conns[i].state == PAUSE) {
                conn_ask(&conns[i]);
            }
        }
    }
}

static void request_make(void)
{
    int n = sprintf(request,
                    "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: river-bench\r\n"
                    "Accept: */*\r\n%s",
                    option.path, option.close ? "Connection: close\r\n" : "");
    for (int i = 0; option.many_fields && i < 56; i++) {
        n += sprintf(request + n,
                     "X-Field-Number-%02d: a value of some length that goes on and on, %02d\r\n",
                     i, i);
    }
    n += sprintf(request + n, "\r\n");
    request_len = (size_t)n;
}

/* Opens all, asks once on each, and holds them. */
static int hold(void)
{
    int opened = 0;
    while (done < (uint64_t)option.connections && errors == 0) {
        while (opened < option.connections && (uint64_t)opened < done + 32) {
            conn_open(&conns[opened++]);
        }
        turn(50);
    }
    printf("ready %lu errors %lu\n", (unsigned long)done, (unsigned long)errors);
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    for (int i = 0; i < 60 && poll(&input, 1, 1000) == 0; i++) {
    }
    return 0;
}

static int measure(void)
{
    uint64_t start = now_ns();
    srand(42);
    for (int i = 0; i < option.connections; i++) {
        conns[i].next_ns = start + (uint64_t)(option.interval_ms * 1e6 * rand() / RAND_MAX);
        conn_open(&conns[i]);
    }
    int timeout_ms = option.interval_ms > 0 ? 1 : 50;
    uint64_t from = start + (uint64_t)(option.warm * 1e9);
    while (now_ns() < from) {
        turn(timeout_ms);
    }
    measuring = true;
    uint64_t used = processor_ns();
    uint64_t before = done;
    from = now_ns();
    uint64_t until = from + (uint64_t)(option.seconds * 1e9);
    while (now_ns() < until) {
        turn(timeout_ms);
    }
    used = processor_ns() - used;
    double seconds = (double)(now_ns() - from) / 1e9;
    double requests = (double)(done - before);
    printf("{\"requests\":%.0f,\"errors\":%lu,\"seconds\":%.3f,\"rate\":%.1f,\"cpu_us\":%.4f,"
           "\"busy\":%.3f,\"p50_us\":%lu,\"p99_us\":%lu,\"connects\":%lu}\n",
           requests, (unsigned long)errors, seconds, requests / seconds,
           requests > 0 ? (double)used / 1e3 / requests : 0, (double)used / 1e9 / seconds,
           (unsigned long)quantile(0.5), (unsigned long)quantile(0.99), (unsigned long)connects);
    return 0;
}

static void pids_read(char *list)
{
    for (char *at = strtok(list, ","); at && option.pid_count < PIDS_MAX; at = strtok(NULL, ",")) {
        if (clock_getcpuclockid(atoi(at), &option.pids[option.pid_count]) == 0) {
            option.pid_count++;
        }
    }
}

int main(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "p:u:c:d:w:e:P:i:xHbI")) != -1) {
        switch (letter) {
        case 'p': option.port = atoi(optarg); break;
        case 'u': option.path = optarg; break;
        case 'c': option.connections = atoi(optarg); break;
        case 'd': option.seconds = atof(optarg); break;
        case 'w': option.warm = atof(optarg); break;
        case 'e': option.expect = atol(optarg); break;
        case 'P': pids_read(optarg); break;
        case 'i': option.interval_ms = atof(optarg); break;
        case 'x': option.close = true; break;
        case 'H': option.many_fields = true; break;
        case 'b': option.burst = true; break;
        case 'I': option.idle = true; break;
        default: return 2;
        }
    }
    bench_begin();
    request_make();
    poller = epoll_create1(0);
    conns = calloc((size_t)option.connections, sizeof *conns);
    return option.idle ? hold() : measure();
}
