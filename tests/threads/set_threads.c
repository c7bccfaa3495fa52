/* set_threads.c - a set of 10,000 endpoints that changes 100 times a second under load, over real
 * sockets; also run under ThreadSanitizer.
 *
 * Endpoints are addresses of 127.0.0.0/8 where one origin in this program listens. Clients ask a
 * worker of several threads meanwhile, and every answer must be right. Now and then the cluster is
 * prepared and committed anew, as a reload does. In the end nothing but the last set is left. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "balance/policies.h"
#include "base/clock.h"
#include "base/number.h"
#include "proxy/worker.h"
#include "sim/site.h"

#define WORKER_THREADS 2u
#define CLIENT_THREADS 4u
#define ENDPOINTS 10000u
#define STEADY 100u /* endpoints that stay all the time */
#define CHANGE_MS 10u
#define TICK_US 2000u
#define RELOAD_EVERY 50u /* changes */
#define PATHS 200u
#define NAME_BYTES 32u
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(SANITIZED)
#define STALE_MS_MOST (20 * CLUSTER_STALE_MS) /* a table takes far longer there */
#else
#define STALE_MS_MOST CLUSTER_STALE_MS
#endif

static _Atomic bool clients_stop;
static _Atomic bool origin_stops;
static _Atomic uint64_t asked;
static _Atomic uint64_t wrong;
static int origin_fd;
static int river_port;
static uint16_t origin_port;
static char names[ENDPOINTS][NAME_BYTES];
static Endpoint endpoints[ENDPOINTS];

/* --- the origin ------------------------------------------------------------------------------ */

static int listen_at(uint32_t address, int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4096) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &bytes) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* Answers a head with its own path. */
static bool origin_answer(int fd)
{
    char head[4096];
    char path[64] = "";
    char answer[256];
    ssize_t n = recv(fd, head, sizeof head - 1, 0);
    if (n <= 0) {
        return false;
    }
    head[n] = 0;
    CHECK(sscanf(head, "GET %63s", path) == 1);
    int len = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(path), path);
    return send(fd, answer, (size_t)len, MSG_NOSIGNAL) == len;
}

static void *origin_main(void *unused)
{
    (void)unused;
    struct epoll_event events[256];
    int poller = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = origin_fd};
    CHECK(poller >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, origin_fd, &e) == 0);
    while (!atomic_load(&origin_stops)) {
        int count = epoll_wait(poller, events, 256, 50);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != origin_fd && !origin_answer(fd)) {
                close(fd);
            }
            while (fd == origin_fd && (fd = accept(origin_fd, NULL, NULL)) >= 0) {
                e.data.fd = fd;
                CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) == 0);
                fd = origin_fd;
            }
        }
    }
    close(poller);
    return NULL;
}

/* --- clients --------------------------------------------------------------------------------- */

static int client_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)river_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* One request; false when the answer is not the path. */
static bool client_ask(int fd, const char *path)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
        return false;
    }
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
        text[got] = 0;
        const char *body = strstr(text, "\r\n\r\n");
        if (body && strlen(body + 4) >= strlen(path)) {
            bool right = strncmp(text, "HTTP/1.1 200", 12) == 0 && strcmp(body + 4, path) == 0;
            if (!right) {
                fprintf(stderr, "%s\n", text);
            }
            return right;
        }
    }
}

static void *client_main(void *argument)
{
    unsigned number = *(const unsigned *)argument;
    int fd = client_connect();
    for (unsigned i = 0; !atomic_load(&clients_stop); i++) {
        char path[64];
        snprintf(path, sizeof path, "/%u", (number + i * 7) % PATHS);
        atomic_fetch_add(&asked, 1);
        if (!client_ask(fd, path)) {
            atomic_fetch_add(&wrong, 1);
            close(fd);
            fd = client_connect();
        }
    }
    close(fd);
    return NULL;
}

/* --- changes --------------------------------------------------------------------------------- */

static void endpoints_make(const Endpoint *like)
{
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        IpAddress ip = {.family = 4, .bytes = {127, 1, (uint8_t)(i >> 8), (uint8_t)i}};
        snprintf(names[i], NAME_BYTES, "127.1.%u.%u:%u", i >> 8, i & 255, origin_port);
        endpoints[i] = *like;
        endpoints[i].address = address_ip(ip, origin_port);
        endpoints[i].name = str_from_c(names[i]);
    }
}

static void prepare(Worker *w, uint32_t cluster, Str policy)
{
    ClusterPlan plan = {.balancer = policy_find(policy), .count = ENDPOINTS};
    plan.endpoints = endpoints;
    CHECK(cluster_prepare(w, cluster, &plan) == ERR_OK);
    clusters_commit(w);
}

/* What is measured. */
typedef struct Course {
    unsigned changes;
    unsigned reloads;
    uint64_t change_ns;     /* processor time of this thread, all changes together */
    uint64_t wanted_set;    /* the first that the table must follow; 0: it has */
    uint64_t wanted_ms;     /* since when */
    uint64_t stale_ms_most;
} Course;

static uint64_t thread_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One of what health checks, discovery and operators do. */
static void change(Worker *w, Cluster *c, Course *course)
{
    unsigned i = STEADY + course->changes * 7919u % (ENDPOINTS - STEADY);
    Str name = endpoints[i].name;
    EndpointChange kinds[] = {
        {.kind = ENDPOINT_TURN, .name = name, .state = ENDPOINT_DOWN},
        {.kind = ENDPOINT_REMOVE, .name = name},
        {.kind = ENDPOINT_REWEIGHT, .name = name, .weight = (uint16_t)(course->changes % 4)},
        {.kind = ENDPOINT_TURN, .name = name, .state = ENDPOINT_DRAINING},
        {.kind = ENDPOINT_ADD, .name = name, .weight = 1, .endpoint = &endpoints[i]},
        {.kind = ENDPOINT_TURN, .name = name, .state = ENDPOINT_UP}};
    const EndpointChange *one = &kinds[course->changes % 6];
    uint64_t start = thread_ns();
    Err err = cluster_change(w, c->number, one, 1, clock_ms());
    course->change_ns += thread_ns() - start;
    CHECK(err == ERR_OK || err == ERR_EXISTS || err == ERR_MISSING);
    course->changes++;
    if (c->stale && course->wanted_set == 0) {
        course->wanted_set = c->newest->number;
        course->wanted_ms = clock_ms();
    }
}

static void look_at_table(const Cluster *c, Course *course)
{
    const CostlyTable *t = c->newest->costly;
    uint64_t age_ms = course->wanted_set ? clock_ms() - course->wanted_ms : 0;
    course->stale_ms_most = u64_max(course->stale_ms_most, age_ms);
    if (t && t->set >= course->wanted_set) {
        course->wanted_set = 0;
    }
}

static void run(Worker *w, Cluster *c, Str policy, uint64_t for_ms, Course *course)
{
    uint64_t start = clock_ms();
    while (clock_ms() < start + for_ms) {
        (void)usleep(TICK_US);
        (void)clusters_tidy(w, clock_ms());
        look_at_table(c, course);
        if (clock_ms() < start + course->changes * CHANGE_MS) {
            continue;
        }
        change(w, c, course);
        if (course->changes % RELOAD_EVERY == 0) {
            prepare(w, c->number, policy);
            course->reloads++;
            course->wanted_set = 0; /* its table is built at once */
        }
    }
}

/* --- what stays ------------------------------------------------------------------------------ */

typedef struct Steady {
    const Endpoint *endpoint;
    uint32_t origin;
    uint64_t requests;
} Steady;

static uint64_t count_of(const Worker *w, uint32_t origin, bool reused)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        const OriginCounters *o = &w->group.threads[i]->origins[origin];
        sum += counter_read(reused ? &o->reused : &o->requests);
    }
    return sum;
}

static void steady_note(const Worker *w, const Cluster *c, Steady *ret)
{
    for (unsigned i = 0; i < STEADY; i++) {
        ret[i].endpoint = c->newest->members[i].endpoint;
        ret[i].origin = ret[i].endpoint->origin;
        ret[i].requests = count_of(w, ret[i].origin, false);
    }
}

/* The same endpoints with the same pools; and all of their connections together served again. */
static bool steady_is(const Worker *w, const Cluster *c, const Steady *was, bool reuses)
{
    uint64_t reused = 0;
    bool same = true;
    for (unsigned i = 0; i < STEADY; i++) {
        const Endpoint *e = c->newest->members[i].endpoint;
        same = same && e == was[i].endpoint && e->origin == was[i].origin &&
               count_of(w, e->origin, false) >= was[i].requests;
    }
    for (uint32_t i = 0; i < w->origin_names.touched; i++) {
        reused += count_of(w, i, true);
    }
    return same && (!reuses || reused > 1000);
}

static bool nothing_is_left(Worker *w, const Cluster *c)
{
    uint64_t start = clock_ms();
    bool left = true;
    while (left && clock_ms() < start + 20000) {
        (void)usleep(1000);
        left = clusters_tidy(w, clock_ms()) != UINT32_MAX;
    }
    size_t count = 0;
    for (size_t i = 0; i < c->newest->count; i++) {
        count += c->newest->members[i].endpoint != NULL;
    }
    return !left && w->clusters.sets_live == 1 && w->clusters.endpoints.used == count &&
           w->origin_names.count == count;
}

static bool test_sets(Str policy, bool reuses, uint64_t for_ms)
{
    static Site site;
    static Steady steady[STEADY];
    pthread_t origin;
    pthread_t clients[CLIENT_THREADS];
    unsigned numbers[CLIENT_THREADS];
    int port = 0;
    Course course = {0};
    origin_fd = listen_at(INADDR_ANY, &port);
    origin_port = (uint16_t)port;
    int listener = listen_at(INADDR_LOOPBACK, &river_port);
    IpAddress ip = {.family = 4, .bytes = {127, 0, 0, 1}};
    site_make(&site, listener, address_ip(ip, origin_port));
    site.endpoint.idle_timeout_ms = 2000;
    site.service.limits.linger_ms = 100;
    WorkerPlan plan = {.threads = WORKER_THREADS,
                       .connections_max = 1000,
                       .idle_upstreams_max = 500,
                       .memory_bytes_max = 512u << 20};
    atomic_store(&clients_stop, false);
    atomic_store(&origin_stops, false);
    atomic_store(&asked, 0);
    atomic_store(&wrong, 0);
    CHECK(pthread_create(&origin, NULL, origin_main, NULL) == 0);
    Worker *w = site_work(&site, &plan, true);
    Cluster *c = site.service.route.cluster;
    endpoints_make(&site.endpoint);
    prepare(w, c->number, policy);
    steady_note(w, c, steady);
    for (unsigned i = 0; i < CLIENT_THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&clients[i], NULL, client_main, &numbers[i]) == 0);
    }
    run(w, c, policy, for_ms, &course);
    bool kept = steady_is(w, c, steady, reuses);
    atomic_store(&clients_stop, true);
    for (unsigned i = 0; i < CLIENT_THREADS; i++) {
        (void)pthread_join(clients[i], NULL);
    }
    bool clean = nothing_is_left(w, c);
    worker_drain(w, 0);
    worker_join(w);
    worker_free(w);
    atomic_store(&origin_stops, true);
    (void)pthread_join(origin, NULL);
    close(listener);
    close(origin_fd);
    printf("  %.*s: %llu requests, %llu wrong, %u changes (%llu us each), %u reloads, tables at "
           "most %llu ms old%s%s\n", STR_ARG(policy), (unsigned long long)atomic_load(&asked),
           (unsigned long long)atomic_load(&wrong), course.changes,
           (unsigned long long)(course.change_ns / 1000 / course.changes), course.reloads,
           (unsigned long long)course.stale_ms_most, kept ? "" : "; what stays was not kept",
           clean ? "" : "; something is left");
    return atomic_load(&wrong) == 0 && atomic_load(&asked) > 100 && kept && clean &&
           course.stale_ms_most <= STALE_MS_MOST;
}

/* `set_threads [MS]`: so long for each policy. */
int main(int argc, char **argv)
{
    static const struct {
        Str policy;
        bool reuses;
    } all[] = {{S_INIT("RoundRobin"), false}, {S_INIT("Random"), false}, {S_INIT("Ketama"), true}};
    uint64_t for_ms = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
    struct rlimit files;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    unsigned passed = 0;
    for (unsigned i = 0; i < 3; i++) {
        passed += test_sets(all[i].policy, all[i].reuses, for_ms);
    }
    printf("%u passed, %u failed\n", passed, 3 - passed);
    return passed == 3 ? 0 : 1;
}
