/* disk.c - files through the table of system calls, and the threads that may wait for a disk. */
#include "loop/disk.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "loop/gate.h"
#include "loop/system.h"

#define STACK_BYTES (128u << 10)
#define FULL_PAUSE_US 1000u /* until a full mailbox is tried again */

typedef enum JobKind { JOB_OPEN, JOB_READ } JobKind;

typedef struct Order {
    JobKind kind;
    int fd; /* the root, or the file */
    uint64_t offset;
    size_t len;
    DiskReply reply;
} Order;

typedef struct Job {
    Order order;
    size_t path_len;
    uint8_t path[DISK_PATH_BYTES_MAX];
} Job;

struct Disk {
    Budget *budget;
    pthread_mutex_t lock;
    pthread_cond_t work;
    _Atomic bool stopping;
    uint32_t head;
    uint32_t count;
    Job *ring;
    Gate gate; /* the threads have begun */
    unsigned started;
    pthread_t threads[DISK_THREADS];
};

/* --- files ----------------------------------------------------------------------------------- */

bool file_facts_equal(const FileFacts *a, const FileFacts *b)
{
    return a->kind == b->kind && a->size == b->size && a->modified_s == b->modified_s &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns &&
           a->inode == b->inode && a->device == b->device;
}

/* What a failed call means for a caller that asks for the file. A path that leaves the root
 * (EXDEV), goes through what is no directory, in circles, or is too long names nothing. */
static Err file_error(int number)
{
    switch (number) {
    case EXDEV:
    case ELOOP:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ENXIO: /* a socket, or a device that is not there */
    case ENODEV:
    case ENOENT:
        return ERR_MISSING;
    case EPERM:
    case EACCES:
        return ERR_DENIED;
    default:
        return err_from_errno(number);
    }
}

static FileKind kind_of(unsigned mode)
{
    return S_ISREG(mode) ? FILE_KIND_REGULAR : S_ISDIR(mode) ? FILE_KIND_DIRECTORY : FILE_KIND_NONE;
}

static Err facts_of(int fd, bool now, FileFacts *ret)
{
    struct statx s;
    if (system_calls->file_facts(fd, now, &s) != 0) {
        return err_from_errno(errno);
    }
    *ret = (FileFacts){
        .kind = kind_of(s.stx_mode),
        .size = s.stx_size,
        .modified_s = s.stx_mtime.tv_sec,
        .modified_ns = s.stx_mtime.tv_nsec,
        .changed_ns = (uint64_t)s.stx_ctime.tv_sec * UINT64_C(1000000000) + s.stx_ctime.tv_nsec,
        .inode = s.stx_ino,
        .device = (uint64_t)s.stx_dev_major << 32 | s.stx_dev_minor,
    };
    return ret->kind == FILE_KIND_NONE ? ERR_MISSING : ERR_OK;
}

static Err file_open(int root, Str path, bool now, int *ret_fd, FileFacts *ret)
{
    char name[DISK_PATH_BYTES_MAX + 1];
    *ret_fd = -1;
    if (str_to_c(path, span_of(name, sizeof name)) != ERR_OK) {
        return ERR_MISSING;
    }
    int fd = system_calls->file_open(root, path.len ? name : ".", now);
    if (fd < 0) {
        Err why = file_error(errno);
        return why == ERR_AGAIN && !now ? ERR_MISSING : why; /* it is moved all the time */
    }
    Err err = facts_of(fd, now, ret);
    if (err != ERR_OK || ret->kind != FILE_KIND_REGULAR) {
        file_close(fd);
        return err;
    }
    *ret_fd = fd;
    return ERR_OK;
}

Err file_open_now(int root, Str path, int *ret_fd, FileFacts *ret)
{
    return file_open(root, path, true, ret_fd, ret);
}

Err file_look_now(int fd, FileFacts *ret)
{
    return facts_of(fd, true, ret);
}

Err file_read_now(int fd, uint64_t offset, Span room, size_t *ret_read)
{
    ssize_t n = system_calls->file_read(fd, room.at /* system call */, room.len, offset, true);
    if (n > 0) {
        *ret_read = (size_t)n;
        return ERR_OK;
    }
    return n == 0 ? ERR_CLOSED : err_from_errno(errno);
}

bool file_is_ready(int fd, uint64_t offset, size_t len)
{
    return system_calls->file_ready(fd, offset, len) == (ssize_t)len;
}

Err file_send(int socket, int fd, uint64_t offset, size_t len, size_t *ret_sent)
{
    ssize_t n = system_calls->file_send(socket, fd, offset, len);
    if (n > 0) {
        *ret_sent = (size_t)n;
        return ERR_OK;
    }
    Err err = n == 0 ? ERR_CLOSED : err_from_errno(errno);
    return n < 0 && err == ERR_CLOSED ? ERR_RESET : err; /* the socket's end, not the file's */
}

void file_close(int fd)
{
    (void)system_calls->close(fd);
}

/* --- the threads ----------------------------------------------------------------------------- */

/* Delivers, waiting for room; false when all is being stopped. */
static bool post_reply(Disk *d, const DiskReply *reply, Message *m)
{
    m->kind = reply->kind;
    m->handle = reply->handle;
    m->words[6] = reply->tag;
    while (!atomic_load(&d->stopping)) {
        if (mailbox_post(reply->to, m) == ERR_OK) {
            return true;
        }
        (void)usleep(FULL_PAUSE_US); /* a thread of the disk's own may wait */
    }
    return false;
}

static void do_open(Disk *d, const Job *job)
{
    FileFacts facts = {0};
    int fd = -1;
    Err err = file_open(job->order.fd, str_of(job->path, job->path_len), false, &fd, &facts);
    Message m = {
        .fd = fd,
        .words = {(uint64_t)err | (uint64_t)facts.kind << 8 | (uint64_t)facts.modified_ns << 32,
                  facts.size, (uint64_t)facts.modified_s, facts.changed_ns, facts.inode,
                  facts.device}};
    if (!post_reply(d, &job->order.reply, &m) && fd >= 0) {
        file_close(fd);
    }
}

/* Reads until the room is full or the file ends. */
static Err fill_from(int fd, uint64_t offset, Span room, size_t *ret_read)
{
    size_t got = 0;
    while (got < room.len) {
        Span rest = span_drop(room, got);
        ssize_t n = system_calls->file_read(fd, rest.at /* system call */, rest.len, offset + got,
                                            false);
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    *ret_read = got;
    return got > 0 ? ERR_OK : ERR_CLOSED;
}

static void do_read(Disk *d, const Order *order)
{
    size_t got = 0;
    void *room = memory_new(d->budget, order->len);
    Err err = ERR_MEMORY;
    if (room) {
        err = fill_from(order->fd, order->offset, span_of(room, order->len), &got);
    }
    Message m = {.fd = -1,
                 .words = {(uint64_t)err, (uint64_t)(uintptr_t)room, order->len, got}};
    if (!post_reply(d, &order->reply, &m) && room) {
        memory_drop(d->budget, room, order->len);
    }
}

static bool take_job(Disk *d, Job *ret)
{
    (void)pthread_mutex_lock(&d->lock);
    while (d->count == 0 && !atomic_load(&d->stopping)) {
        (void)pthread_cond_wait(&d->work, &d->lock);
    }
    bool any = !atomic_load(&d->stopping);
    if (any) {
        *ret = d->ring[d->head];
        d->head = (d->head + 1) % DISK_JOBS_MAX;
        d->count--;
    }
    (void)pthread_mutex_unlock(&d->lock);
    return any;
}

static void *disk_main(void *argument)
{
    Disk *d = (Disk *)argument;
    Job job;
    gate_arrive(&d->gate);
    while (take_job(d, &job)) {
        if (job.order.kind == JOB_OPEN) {
            do_open(d, &job);
        } else {
            do_read(d, &job.order);
        }
    }
    return NULL;
}

static void disk_free(Disk *d)
{
    memory_release(d->ring, sizeof(Job) * DISK_JOBS_MAX);
    gate_drop(&d->gate);
    (void)pthread_cond_destroy(&d->work);
    (void)pthread_mutex_destroy(&d->lock);
    memory_release(d, sizeof *d);
}

Err disk_start(Budget *budget, Disk **ret)
{
    Disk *d = (Disk *)memory_reserve(sizeof *d);
    if (!d) {
        return ERR_MEMORY;
    }
    d->budget = budget;
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->work, NULL);
    gate_init(&d->gate);
    d->ring = (Job *)memory_reserve(sizeof(Job) * DISK_JOBS_MAX);
    if (!d->ring) {
        disk_free(d);
        return ERR_MEMORY;
    }
    pthread_attr_t small;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, STACK_BYTES);
    while (d->started < DISK_THREADS &&
           pthread_create(&d->threads[d->started], &small, disk_main, d) == 0) {
        d->started++;
    }
    gate_wait(&d->gate, d->started);
    (void)pthread_attr_destroy(&small);
    if (d->started == 0) {
        disk_free(d);
        return ERR_SYSTEM;
    }
    *ret = d;
    return ERR_OK;
}

void disk_stop(Disk *d)
{
    if (!d) {
        return;
    }
    (void)pthread_mutex_lock(&d->lock);
    atomic_store(&d->stopping, true);
    (void)pthread_cond_broadcast(&d->work);
    (void)pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < d->started; i++) {
        (void)pthread_join(d->threads[i], NULL);
    }
    disk_free(d);
}

static Err submit_job(Disk *d, const Order *order, Str path)
{
    if (path.len > DISK_PATH_BYTES_MAX) {
        return ERR_LIMIT;
    }
    (void)pthread_mutex_lock(&d->lock);
    bool room = d->count < DISK_JOBS_MAX;
    if (room) {
        Job *job = &d->ring[(d->head + d->count++) % DISK_JOBS_MAX];
        job->order = *order;
        job->path_len = span_copy(span_of(job->path, sizeof job->path), path);
        (void)pthread_cond_signal(&d->work);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return room ? ERR_OK : ERR_FULL;
}

Err disk_open(Disk *d, int root, Str path, DiskReply reply)
{
    Order order = {.kind = JOB_OPEN, .fd = root, .reply = reply};
    return submit_job(d, &order, path);
}

Err disk_read(Disk *d, int fd, uint64_t offset, size_t len, DiskReply reply)
{
    Order order = {.kind = JOB_READ,
                   .fd = fd,
                   .offset = offset,
                   .len = len < DISK_READ_BYTES_MAX ? len : DISK_READ_BYTES_MAX,
                   .reply = reply};
    return submit_job(d, &order, STR_NONE);
}

/* --- replies --------------------------------------------------------------------------------- */

DiskOpened disk_opened(const Message *m)
{
    return (DiskOpened){.err = (Err)(m->words[0] & 0xff),
                        .fd = m->fd,
                        .facts = {.kind = (FileKind)(m->words[0] >> 8 & 0xff),
                                  .size = m->words[1],
                                  .modified_s = (int64_t)m->words[2],
                                  .modified_ns = (uint32_t)(m->words[0] >> 32),
                                  .changed_ns = m->words[3],
                                  .inode = m->words[4],
                                  .device = m->words[5]}};
}

DiskBytes disk_bytes(const Message *m)
{
    void *at = (void *)(uintptr_t)m->words[1];
    return (DiskBytes){.err = (Err)m->words[0],
                       .room = (size_t)m->words[2],
                       .bytes = span_of(at, at ? (size_t)m->words[3] : 0)};
}

void disk_bytes_drop(Budget *budget, DiskBytes *b)
{
    if (b->bytes.at /* system call */) {
        memory_drop(budget, b->bytes.at /* system call */, b->room);
    }
    *b = (DiskBytes){0};
}
