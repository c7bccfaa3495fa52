/* pool_threads.c - the shared pool and the mailboxes with real threads and real sockets; meant for
 * ThreadSanitizer (`make test` runs it there), and true in every build.
 *
 * Clients on several connections ask a worker of several threads, which takes up one snapshot after
 * the other meanwhile; a small origin in this program answers. Every answer must be right, the pool
 * must stay small, and a drain must leave nothing. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balance/policies.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "sim/site.h"

#define WORKER_THREADS 4u
#define CLIENT_THREADS 8u
#define CLIENT_THREADS_MAX 64u /* more than the queue of waiters holds at first */
#define REQUESTS 400u
#define ORIGIN_CONNECTIONS_MAX 256
#define POSTERS 4u
#define POSTS 5000u

static _Atomic unsigned wrong;
static _Atomic unsigned origin_accepted;
static _Atomic bool origin_stops;
static int origin_fd;
static int river_port;

static int listen_any(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1024) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &bytes) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* Answers each head with its own path. */
static bool origin_answer(int fd)
{
    char head[4096];
    ssize_t n = recv(fd, head, sizeof head - 1, 0);
    if (n <= 0) {
        return false;
    }
    head[n] = 0;
    char path[64] = "";
    char answer[256];
    CHECK(sscanf(head, "GET %63s", path) == 1);
    int len = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(path), path);
    return send(fd, answer, (size_t)len, MSG_NOSIGNAL) == len;
}

static void *origin_main(void *unused)
{
    (void)unused;
    static struct pollfd fds[ORIGIN_CONNECTIONS_MAX];
    nfds_t count = 1;
    fds[0] = (struct pollfd){.fd = origin_fd, .events = POLLIN};
    while (!atomic_load(&origin_stops)) {
        (void)poll(fds, count, 50);
        for (nfds_t i = count - 1; i > 0; i--) {
            if (fds[i].revents && !origin_answer(fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        }
        int fd = fds[0].revents ? accept(origin_fd, NULL, NULL) : -1;
        if (fd >= 0 && count < ORIGIN_CONNECTIONS_MAX) {
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
            atomic_fetch_add(&origin_accepted, 1);
        }
    }
    for (nfds_t i = 1; i < count; i++) {
        close(fds[i].fd);
    }
    return NULL;
}

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
            return strncmp(text, "HTTP/1.1 200", 12) == 0 && strcmp(body + 4, path) == 0;
        }
    }
}

static void *client_main(void *argument)
{
    unsigned number = *(const unsigned *)argument;
    int fd = client_connect();
    for (unsigned i = 0; i < REQUESTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/%u/%u", number, i);
        if (!client_ask(fd, path)) {
            atomic_fetch_add(&wrong, 1);
        }
        if (i % 50 == 49) { /* a new connection, perhaps on another thread */
            close(fd);
            fd = client_connect();
        }
    }
    close(fd);
    return NULL;
}

/* --- the pool -------------------------------------------------------------------------------- */

/* `connections`: to the origin, at once; 0: as many as it takes. */
/* What a reload makes: another service, listener and snapshot. */
typedef struct Next {
    Service service;
    Listener listener;
    Snapshot snapshot;
    const Service *services[1];
    const Listener *listeners[1];
} Next;

static _Atomic bool reloads_stop;

static void next_make(Worker *w, const Site *site, uint64_t number, Next *ret)
{
    *ret = (Next){.service = site->service, .listener = site->listener};
    CHECK(worker_take_part(w, &ret->service.part) == ERR_OK);
    ret->listener.service = &ret->service;
    ret->services[0] = &ret->service;
    ret->listeners[0] = &ret->listener;
    ret->snapshot = (Snapshot){.number = number, .service_count = 1, .listener_count = 1};
    ret->snapshot.services = ret->services;
    ret->snapshot.listeners = ret->listeners;
}

/* Publishes snapshots while clients ask, and overwrites each old one as soon as nobody may be using
 * it any more: who still does is a race. Returns how many there were. */
static unsigned reload_until_told(Worker *w, const Site *site)
{
    static Next rooms[2];
    unsigned count = 0;
    while (!atomic_load(&reloads_stop) || count == 0) {
        Next *fresh = &rooms[count % 2];
        Next *old = count > 0 ? &rooms[1 - count % 2] : NULL;
        next_make(w, site, count + 2, fresh);
        worker_publish(w, &fresh->snapshot);
        while (!worker_has_adopted(w, fresh->snapshot.number) ||
               (old && worker_pins(w, old->service.part) > 0)) {
            (void)usleep(50);
        }
        if (old) {
            worker_give_part(w, old->service.part);
            memset(old, 0xA5, sizeof *old);
        }
        count++;
    }
    return count;
}

static void *joiner_main(void *argument)
{
    pthread_t *clients = (pthread_t *)argument;
    for (unsigned i = 0; i < CLIENT_THREADS_MAX && clients[i]; i++) {
        (void)pthread_join(clients[i], NULL);
    }
    atomic_store(&reloads_stop, true);
    return NULL;
}

static unsigned test_pool(unsigned client_count, uint32_t connections)
{
    int origin_port = 0;
    origin_fd = listen_any(&origin_port);
    int listener = listen_any(&river_port);
    static Site site;
    IpAddress ip = {.family = 4, .bytes = {127, 0, 0, 1}};
    site_make(&site, listener, address_ip(ip, (uint16_t)origin_port));
    site.service.limits.linger_ms = 100;
    site.endpoint.connections_max = connections;
    site.service.limits.concurrent_requests_max = 1000; /* so that requests are counted */
    WorkerPlan plan = {.threads = WORKER_THREADS,
                       .connections_max = 1000,
                       .idle_upstreams_max = 1000, .memory_bytes_max = 256u << 20};
    pthread_t origin;
    atomic_store(&origin_accepted, 0);
    atomic_store(&origin_stops, false);
    pthread_t clients[CLIENT_THREADS_MAX + 1] = {0};
    pthread_t joiner;
    unsigned numbers[CLIENT_THREADS_MAX];
    unsigned most = connections ? connections : 2 * client_count;
    Worker *worker = NULL;
    CHECK(pthread_create(&origin, NULL, origin_main, NULL) == 0);
    worker = site_work(&site, &plan, true);
    for (unsigned i = 0; i < client_count; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&clients[i], NULL, client_main, &numbers[i]) == 0);
    }
    atomic_store(&reloads_stop, false);
    CHECK(pthread_create(&joiner, NULL, joiner_main, clients) == 0);
    unsigned reloads = reload_until_told(worker, &site);
    (void)pthread_join(joiner, NULL);
    worker_drain(worker, 0);
    worker_join(worker);
    worker_free(worker);
    atomic_store(&origin_stops, true);
    (void)pthread_join(origin, NULL);
    close(listener);
    close(origin_fd);
    unsigned opened = atomic_load(&origin_accepted);
    printf("  %u requests, %u wrong, %u connections to the origin, %u snapshots\n",
           client_count * REQUESTS, atomic_load(&wrong), opened, reloads);
    return atomic_load(&wrong) == 0 && opened <= most && reloads > 1 &&
           atomic_load(&site.active) == 0;
}

/* --- mailboxes ------------------------------------------------------------------------------- */

static Mailbox box;

static void *poster_main(void *argument)
{
    uint32_t number = *(const unsigned *)argument;
    for (uint32_t i = 0; i < POSTS; i++) {
        Message m = {.kind = number, .words = {i}};
        while (mailbox_post(&box, &m) == ERR_FULL) {
            (void)usleep(100);
        }
    }
    return NULL;
}

static unsigned test_mailbox(void)
{
    CHECK(mailbox_open(&box) == ERR_OK);
    pthread_t posters[POSTERS];
    unsigned numbers[POSTERS];
    uint64_t next[POSTERS] = {0};
    for (unsigned i = 0; i < POSTERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&posters[i], NULL, poster_main, &numbers[i]) == 0);
    }
    bool in_order = true;
    for (unsigned taken = 0; taken < POSTERS * POSTS;) {
        struct pollfd wake = {.fd = box.wake_fd, .events = POLLIN};
        if (poll(&wake, 1, 10000) != 1) {
            in_order = false; /* a wake-up was lost */
            break;
        }
        mailbox_awake(&box);
        Message m;
        while (mailbox_take(&box, &m)) {
            in_order = in_order && m.words[0] == next[m.kind]++;
            taken++;
        }
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        (void)pthread_join(posters[i], NULL);
    }
    mailbox_close(&box);
    return in_order;
}

int main(void)
{
    unsigned passed = test_mailbox();
    passed += test_pool(CLIENT_THREADS, 0);
    passed += test_pool(CLIENT_THREADS_MAX, 2); /* nearly all of them wait, and the queue grows */
    printf("%u passed, %u failed\n", passed, 3 - passed);
    return passed == 3 ? 0 : 1;
}
