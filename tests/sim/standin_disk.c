/* standin_disk.c - a disk in memory: River's own queue of jobs (loop/disk.c) without its threads,
 * which the simulation's clock plays, and files whose content follows from their names.
 *
 * "ID/SIZE/..." is a file of SIZE bytes with the pattern of ask ID. What is to be answered at once
 * is refused now and then, as a kernel does for what it has not in memory. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

static int standin_create(pthread_t *ret, const pthread_attr_t *how, void *(*runs)(void *),
                          void *what);
static int standin_join(pthread_t thread, void **ret);
static int standin_signal(pthread_cond_t *what);

#define pthread_create standin_create
#define pthread_join standin_join
#define pthread_cond_signal standin_signal
#include "loop/disk.c"
#undef pthread_create
#undef pthread_join
#undef pthread_cond_signal

#include "base/number.h"
#include "lan_inside.h"
#include "trial.h"

#define FILES_OPEN_MAX 4096
#define FILE_FD 50000
#define NOT_NOW 3u     /* one question in so many has no answer at once */
#define SLOW 10u       /* one job in so many takes seconds */
#define DEPLOYMENT 8u  /* one job in so many is under way when the root becomes another directory */
#define QUICK_NS (30 * LAN_MS)
#define SLOW_NS (4 * LAN_S)
#define SEND_BYTES 16384u

typedef struct Opened {
    bool open;
    uint64_t id;
    uint64_t size;
} Opened;

static Opened files[FILES_OPEN_MAX];
static Disk *the_disk;

/* --- its threads ----------------------------------------------------------------------------- */

static int standin_create(pthread_t *ret, const pthread_attr_t *how, void *(*runs)(void *),
                          void *what)
{
    (void)how;
    (void)runs;
    *ret = pthread_self();
    the_disk = (Disk *)what;
    gate_arrive(&the_disk->gate);
    return 0;
}

static int standin_join(pthread_t thread, void **ret)
{
    (void)thread;
    (void)ret;
    the_disk = NULL;
    return 0;
}

/* A job has come: it will be done. */
static int standin_signal(pthread_cond_t *what)
{
    (void)what;
    uint64_t most_ns = trial_pick(SLOW) || trial->calm ? QUICK_NS : SLOW_NS;
    lan_timer(lan_now_ns() + trial_pick(most_ns), TIMER_DISK, 0);
    return 0;
}

void disk_goes_on(void)
{
    static Job job;
    if (!the_disk || the_disk->count == 0 || !take_job(the_disk, &job)) {
        return;
    }
    if (trial_pick(DEPLOYMENT) == 0) { /* while a thread waits for this job */
        worker_forget_files(trial->worker, trial->site.files.root);
    }
    if (job.order.kind == JOB_OPEN) {
        do_open(the_disk, &job);
    } else {
        do_read(the_disk, &job.order);
    }
}

/* --- its files ------------------------------------------------------------------------------- */

static Opened *opened(int fd)
{
    Opened *f = &files[fd - FILE_FD];
    CHECK(fd >= FILE_FD && fd < FILE_FD + FILES_OPEN_MAX && f->open);
    return f;
}

static bool waits(bool now)
{
    if (now && trial_pick(NOT_NOW) == 0) {
        errno = EAGAIN;
        return true;
    }
    return false;
}

int disk_file_open(int root, const char *path, bool now)
{
    (void)root;
    StrCut id = str_cut(str_from_c(path), '/');
    StrCut size = str_cut(id.tail, '/');
    Opened f = {.open = true};
    if (waits(now)) {
        return -1;
    }
    if (number_decimal(id.head, UINT64_MAX, &f.id) != ERR_OK ||
        number_decimal(size.head, UINT64_MAX, &f.size) != ERR_OK) {
        errno = ENOENT;
        return -1;
    }
    for (int i = 0; i < FILES_OPEN_MAX; i++) {
        if (!files[i].open) {
            files[i] = f;
            return FILE_FD + i;
        }
    }
    errno = EMFILE;
    return -1;
}

int disk_file_facts(int fd, bool now, struct statx *ret)
{
    const Opened *f = opened(fd);
    if (waits(now)) {
        return -1;
    }
    *ret = (struct statx){.stx_mode = S_IFREG | 0644, .stx_size = f->size, .stx_ino = f->id};
    return 0;
}

ssize_t disk_file_read(int fd, void *bytes, size_t room, uint64_t offset, bool now)
{
    const Opened *f = opened(fd);
    if (waits(now)) {
        return -1;
    }
    size_t n = offset < f->size ? (size_t)u64_min(f->size - offset, room) : 0;
    n = n > 1 && trial_pick(4) == 0 ? 1 + trial_pick(n) : n; /* a short read */
    const uint8_t *at = pattern_at(f->id, offset, &n);
    (void)span_copy(span_of(bytes, room), str_of(at, n));
    return (ssize_t)n;
}

ssize_t disk_file_ready(int fd, uint64_t offset, size_t len)
{
    (void)opened(fd);
    (void)offset;
    uint64_t chance = trial_pick(4);
    return chance == 0 ? -1 : chance == 1 ? 0 : (ssize_t)len;
}

ssize_t disk_file_send(int socket, int fd, uint64_t offset, size_t len)
{
    const Opened *f = opened(fd);
    size_t n = offset < f->size ? (size_t)u64_min(f->size - offset, len) : 0;
    n = size_min(n, SEND_BYTES);
    const uint8_t *at = pattern_at(f->id, offset, &n);
    return n > 0 ? system_calls->send(socket, at, n) : 0;
}

bool disk_file_close(int fd)
{
    if (fd < FILE_FD || fd >= FILE_FD + FILES_OPEN_MAX) {
        return false;
    }
    opened(fd)->open = false;
    return true;
}

size_t disk_files_open(void)
{
    size_t count = 0;
    for (int i = 0; i < FILES_OPEN_MAX; i++) {
        count += files[i].open;
    }
    return count;
}
