/* slow_disk.c - files on a disk that takes half a second for all: whoever asks for them waits,
 * nobody else does, and no thread of the loop ever makes a call that could wait.
 *
 * The table of system calls is replaced: what is called "slow" is in no memory, what is called
 * "broken" cannot be read, what is called "none-left" finds no descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "filter/file_server.h"
#include "loop/disk.h"
#include "loop/system.h"
#include "proxy/worker.h"
#include "sim/site.h"

#define SLOW_MS 500
#define FAST_MS_MAX 400 /* of an answer that needs no disk, also on a busy machine */
#define SLOW_CLIENTS 6u
#define SLOW_BYTES (600u << 10)
#define FDS 1024

typedef enum Mark { MARK_NONE, MARK_SLOW, MARK_BROKEN } Mark;

static _Thread_local bool is_loop;
static _Atomic unsigned waited; /* calls of a loop's thread that could have waited for a disk */
static _Atomic unsigned slow_calls;
static _Atomic uint8_t marks[FDS];
static int port;
static char directory[] = "/tmp/river-slow-disk-XXXXXX";

/* --- the disk -------------------------------------------------------------------------------- */

static void disk_turns(bool now)
{
    if (is_loop && !now) {
        atomic_fetch_add(&waited, 1);
    }
    if (!now) {
        atomic_fetch_add(&slow_calls, 1);
        (void)usleep(SLOW_MS * 1000);
    }
}

static int slow_open(int root, const char *path, bool now)
{
    Mark mark = strstr(path, "slow") ? MARK_SLOW : strstr(path, "broken") ? MARK_BROKEN : MARK_NONE;
    if (strstr(path, "none-left")) {
        errno = EMFILE;
        return -1;
    }
    if (mark != MARK_NONE) {
        disk_turns(now);
        if (now) {
            errno = EAGAIN;
            return -1;
        }
    }
    int fd = system_real.file_open(root, path, now && mark == MARK_NONE);
    if (fd < 0 && errno == EAGAIN) { /* the real disk is none of this test's business */
        fd = system_real.file_open(root, path, false);
    }
    if (fd >= 0 && fd < FDS) {
        atomic_store(&marks[fd], (uint8_t)mark);
    }
    return fd;
}

static ssize_t slow_read(int fd, void *bytes, size_t room, uint64_t offset, bool now)
{
    Mark mark = (Mark)atomic_load(&marks[fd]);
    if (mark != MARK_NONE) {
        disk_turns(now);
        errno = now ? EAGAIN : EIO;
        if (now || mark == MARK_BROKEN) {
            return -1;
        }
    }
    return system_real.file_read(fd, bytes, room, offset, false);
}

static ssize_t slow_ready(int fd, uint64_t offset, size_t len)
{
    return atomic_load(&marks[fd]) ? 0 : system_real.file_ready(fd, offset, len);
}

static ssize_t slow_send(int socket, int fd, uint64_t offset, size_t len)
{
    if (atomic_load(&marks[fd])) {
        disk_turns(false);
    }
    return system_real.file_send(socket, fd, offset, len);
}

static int loop_wait(int poller, struct epoll_event *events, int room, int timeout_ms)
{
    is_loop = true;
    return system_real.poll_wait(poller, events, room, timeout_ms);
}

/* --- clients --------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* One request; its status, 0 for no answer. *ret_sum tells the body. */
static unsigned ask(const char *path, size_t *ret_bytes, uint64_t *ret_sum)
{
    static _Thread_local char text[1 << 16];
    int fd = dial();
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       path);
    CHECK(send(fd, text, (size_t)len, MSG_NOSIGNAL) == len);
    size_t got = 0;
    unsigned status = 0;
    size_t body = 0;
    *ret_sum = 0;
    *ret_bytes = 0;
    for (ssize_t n; (n = recv(fd, text + got, sizeof text - 1 - got, 0)) > 0;) {
        got += (size_t)n;
        if (body == 0) {
            text[got] = 0;
            char *end = strstr(text, "\r\n\r\n");
            if (!end) {
                continue;
            }
            (void)sscanf(text, "HTTP/1.1 %u", &status);
            body = (size_t)(end + 4 - text);
            memmove(text, text + body, got - body);
            got -= body;
        }
        for (size_t i = 0; i < got; i++) {
            *ret_sum = *ret_sum * 31 + (uint8_t)text[i];
        }
        *ret_bytes += got;
        got = 0;
    }
    close(fd);
    return status;
}

static uint64_t slow_sum;

static void *slow_main(void *ret)
{
    size_t bytes = 0;
    uint64_t sum = 0;
    unsigned status = ask("/slow.bin", &bytes, &sum);
    *(bool *)ret = status == 200 && bytes == SLOW_BYTES && sum == slow_sum;
    return NULL;
}

/* --- the site -------------------------------------------------------------------------------- */

static void write_file(const char *name, size_t bytes, uint64_t *ret_sum)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    *ret_sum = 0;
    for (size_t i = 0; i < bytes; i++) {
        int c = (int)(i * 7 + i / 251) & 255;
        (void)fputc(c, file);
        *ret_sum = *ret_sum * 31 + (uint64_t)c;
    }
    CHECK(fclose(file) == 0);
}

static int listen_any(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1024) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &bytes) == 0);
    port = ntohs(at.sin_port);
    return fd;
}

static unsigned passed;
static unsigned failed;

static void expect(bool holds, const char *what)
{
    printf("%s %s\n", holds ? "ok  " : "FAIL", what);
    passed += holds;
    failed += !holds;
}

/* Asks for what needs no disk, again and again, while others wait for theirs. */
static void test_nobody_else_waits(uint64_t fast_sum)
{
    pthread_t clients[SLOW_CLIENTS];
    bool right[SLOW_CLIENTS] = {false};
    for (unsigned i = 0; i < SLOW_CLIENTS; i++) {
        CHECK(pthread_create(&clients[i], NULL, slow_main, &right[i]) == 0);
    }
    uint64_t start = now_ms();
    uint64_t longest = 0;
    unsigned asked = 0;
    bool all = true;
    while (now_ms() - start < 2 * SLOW_MS) {
        size_t bytes = 0;
        uint64_t sum = 0;
        uint64_t before = now_ms();
        all = ask("/fast.txt", &bytes, &sum) == 200 && sum == fast_sum && all;
        uint64_t took = now_ms() - before;
        longest = took > longest ? took : longest;
        asked++;
    }
    bool whole = true;
    for (unsigned i = 0; i < SLOW_CLIENTS; i++) {
        (void)pthread_join(clients[i], NULL);
        whole = whole && right[i];
    }
    printf("  %u others were answered meanwhile, the slowest after %u ms\n", asked,
           (unsigned)longest);
    expect(all && asked >= 5 && longest < FAST_MS_MAX, "nobody else waits for a slow disk");
    expect(whole, "who asked for it gets all of it");
    expect(atomic_load(&slow_calls) >= 3, "it was asked for at the disk");
}

static void test_failures(void)
{
    size_t bytes = 0;
    uint64_t sum = 0;
    expect(ask("/broken.bin", &bytes, &sum) == 500, "a file that cannot be read is a 500");
    expect(ask("/none-left", &bytes, &sum) == 503, "without descriptors there is a 503");
    expect(ask("/slow-none", &bytes, &sum) == 404, "what is not there is found out, too");
}

int main(void)
{
    static System table;
    static Site site;
    static FileServer files;
    uint64_t fast_sum = 0;
    uint64_t other = 0;
    table = system_real;
    table.file_open = slow_open;
    table.file_read = slow_read;
    table.file_ready = slow_ready;
    table.file_send = slow_send;
    table.poll_wait = loop_wait;
    system_calls = &table;
    CHECK(mkdtemp(directory) != NULL);
    write_file("fast.txt", 5000, &fast_sum);
    write_file("slow.bin", SLOW_BYTES, &slow_sum);
    write_file("broken.bin", 5000, &other);
    int listener = listen_any();
    site_make(&site, listener, (Address){0});
    files = (FileServer){.root = open(directory, O_PATH | O_DIRECTORY), .index = S("index.html")};
    site.service.route = (Route){.handler = {.kind = &filter_file_server, .state = &files}};
    WorkerPlan plan = {.threads = 1,
                       .connections_max = 100,
                       .files_max = 64,
                       .memory_bytes_max = 64u << 20};
    Worker *worker = site_work(&site, &plan, true);
    test_nobody_else_waits(fast_sum);
    test_failures();
    worker_stop(worker);
    worker_join(worker);
    worker_free(worker);
    expect(atomic_load(&waited) == 0, "no thread of the loop has waited for a disk");
    close(listener);
    close(files.root);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    expect(system(command) == 0, "the files are gone");
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
