/* load.c - many kinds of load at once, each answer checked to the last byte.
 *
 *     load [--keepalive N] [--fresh N] [--h2 N] [--websocket N] [--upload N] [--download N]
 *          [--think-ms MS] [--answer-ms MS] [--rate N] [--requests N] [--seconds S]
 *
 * N is how many clients of that kind there are (soak.h says what they do); --rate is requests a
 * second of keepalive, fresh and h2 together; --answer-ms is their patience. It starts an origin of
 * its own and prints "origin PORT"; then it obeys lines on standard input:
 *
 *     target PORT     the proxy is there: begin, in the phase "start"
 *     phase NAME      from now on answers count for this phase
 *     stop            finish what is under way, report, end; so do --requests, --seconds, and the
 *                     input's end
 *
 * While it runs it prints "progress REQUESTS FAILURES" ten times a second, at the end the report as
 * one line of JSON. All is on loopback, at ports that the system chose. */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "soak.h"

#define ACTORS_MAX 4096u
#define EVENTS 256
#define TICK_MS 1u
#define PROGRESS_MS 100u
#define END_SECONDS 30u /* for what is under way at the end */

static Actor *actors[ACTORS_MAX];
static unsigned actor_count;
static unsigned counts[KINDS] = {[KIND_KEEPALIVE] = 32, [KIND_FRESH] = 16, [KIND_H2] = 4,
                                 [KIND_WEBSOCKET] = 8,  [KIND_UPLOAD] = 8, [KIND_DOWNLOAD] = 4};
static uint64_t requests_max = NEVER;
static uint64_t seconds_max = 3600;
static uint64_t end_ns; /* of the run, then of what is under way */
static char line[256];
static size_t line_len;
static bool input_ended;

/* ---- the command line ---- */

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
#define X(name, text) {text, required_argument, NULL, KIND_##name},
        KIND_TABLE(X)
#undef X
        {"think-ms", required_argument, NULL, 't'},
        {"answer-ms", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'a'},
        {"requests", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {0}};
    int option;
    soak.think_ms = 50;
    soak.answer_ms = 10000;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t value = optarg ? strtoull(optarg, NULL, 10) : 0;
        if (option >= 0 && option < KINDS) {
            counts[option] = (unsigned)value;
        } else if (option == 't') {
            soak.think_ms = (unsigned)value;
        } else if (option == 'w') {
            soak.answer_ms = value;
        } else if (option == 'a') {
            soak.rate = value;
        } else if (option == 'r') {
            requests_max = value;
        } else if (option == 's') {
            seconds_max = value;
        } else {
            exit(2);
        }
    }
}

/* ---- clients ---- */

static Actor *actor_new(Kind kind, unsigned number)
{
    switch (kind) {
    case KIND_KEEPALIVE:
    case KIND_FRESH:
    case KIND_UPLOAD:
    case KIND_DOWNLOAD:
        return h1_new(kind, number);
    case KIND_H2:
        return h2_client_new(number);
    case KIND_WEBSOCKET:
        return websocket_new(number);
    case KINDS:
        break;
    }
    die("kind");
}

static void start_clients(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned i = 0; i < counts[kind]; i++) {
            if (actor_count == ACTORS_MAX) {
                die("too many clients");
            }
            Actor *a = actor_new((Kind)kind, i);
            a->index = actor_count;
            /* Not all at the same moment: they would stay in step. */
            a->due_ns = soak.now_ns + random_below(100) * MS;
            actors[actor_count++] = a;
        }
    }
}

/* Calls whose time has come; true when all are over. */
static bool keep_times(void)
{
    bool over = true;
    for (unsigned i = 0; i < actor_count; i++) {
        Actor *a = actors[i];
        if (soak.now_ns >= a->due_ns) {
            a->on_time(a);
        }
        over = over && a->over;
    }
    return over;
}

static void take_events(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(soak.poller, events, EVENTS, timeout_ms);
    soak.now_ns = clock_ns();
    for (int i = 0; i < n; i++) {
        Actor *a = actors[(uint32_t)events[i].data.u64];
        if (a->fd >= 0 && a->generation == (uint32_t)(events[i].data.u64 >> 32)) {
            a->on_ready(a, events[i].events);
        }
    }
}

/* ---- orders ---- */

static void begin_end(void)
{
    if (!soak.ending) {
        soak.ending = true;
        end_ns = soak.now_ns + END_SECONDS * 1000 * MS;
    }
}

static void obey(const char *order)
{
    if (strncmp(order, "target ", 7) == 0 && soak.port == 0) {
        soak.port = (uint16_t)strtoul(order + 7, NULL, 10);
    } else if (strncmp(order, "phase ", 6) == 0) {
        if (!stats_phase(order + 6)) {
            die("phase");
        }
    } else if (strcmp(order, "stop") == 0) {
        begin_end();
    } else {
        (void)fprintf(stderr, "load: what is \"%s\"?\n", order);
        exit(2);
    }
}

/* Reads what is there of standard input, and waits for it where `wait` says so. */
static void take_orders(bool wait)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (input_ended || poll(&input, 1, wait ? -1 : 0) <= 0) {
        return;
    }
    ssize_t n = read(STDIN_FILENO, line + line_len, sizeof line - 1 - line_len);
    input_ended = n <= 0;
    line_len += n > 0 ? (size_t)n : 0;
    line[line_len] = '\0';
    char *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        obey(line);
        line_len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, line_len + 1);
    }
    if (line_len == sizeof line - 1) {
        die("a line without end");
    }
}

/* ---- the run ---- */

static void run(void)
{
    end_ns = soak.now_ns + seconds_max * 1000 * MS;
    uint64_t progress_ns = soak.now_ns;
    uint64_t tick_ns = soak.now_ns;
    bool over = false;
    while (!over) {
        take_events((int)TICK_MS);
        if (soak.now_ns >= tick_ns + TICK_MS * MS) {
            tick_ns = soak.now_ns;
            over = keep_times();
        }
        if (soak.now_ns >= progress_ns + PROGRESS_MS * MS) {
            progress_ns = soak.now_ns;
            take_orders(false);
            (void)printf("progress %llu %llu\n", (unsigned long long)stats_requests(),
                         (unsigned long long)stats_failures());
        }
        bool late = soak.now_ns >= end_ns;
        if (soak.ending && late) {
            (void)fprintf(stderr, "load: some requests did not come to their end\n");
            exit(1);
        }
        if (!soak.ending && (late || input_ended || stats_requests() >= requests_max)) {
            begin_end();
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    read_options(argc, argv);
    soak.poller = epoll_create1(EPOLL_CLOEXEC);
    (void)printf("origin %u\n", origin_start());
    while (soak.port == 0 && !input_ended) {
        take_orders(true);
    }
    soak.now_ns = clock_ns();
    (void)stats_phase("start");
    start_clients();
    run();
    stats_report(stdout);
    return 0;
}
