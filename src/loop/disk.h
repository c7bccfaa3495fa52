/* disk.h - what may wait for a disk: opening and reading files, done by a few threads of their own.
 *
 * The threads of the loop first ask the kernel for what it has in memory (file_open_now,
 * file_read_now); what it has not, they hand over as a job, and its outcome comes back as a message
 * in their mailbox. So a slow disk delays only the requests that need it.
 *
 * Paths are opened beneath a root descriptor only. It knows neither HTTP nor caches. */
#ifndef LOOP_DISK_H
#define LOOP_DISK_H

#include "base/memory.h"
#include "loop/mailbox.h"

#define DISK_THREADS 4u
#define DISK_JOBS_MAX 1024u
#define DISK_PATH_BYTES_MAX 4096u
#define DISK_READ_BYTES_MAX (256u << 10)

typedef enum FileKind {
    FILE_KIND_NONE,
    FILE_KIND_REGULAR,
    FILE_KIND_DIRECTORY /* known, not kept open */
} FileKind;

/* What the system says about a file. Two that are equal are the same file with the same content,
 * as far as that can be seen from outside. */
typedef struct FileFacts {
    FileKind kind;
    uint64_t size;
    int64_t modified_s;
    uint32_t modified_ns;
    uint64_t changed_ns; /* ctime */
    uint64_t inode;
    uint64_t device;
} FileFacts;

bool file_facts_equal(const FileFacts *a, const FileFacts *b);

/* Opens `path` (not absolute, no NUL) beneath `root` without waiting for a disk. ERR_AGAIN: that
 * would wait. ERR_MISSING: there is none, or it is neither a regular file nor a directory, or it
 * lies outside of the root. ERR_DENIED, ERR_DESCRIPTORS, ERR_SYSTEM. *ret_fd is -1 for a
 * directory. */
MUST_USE Err file_open_now(int root, Str path, int *ret_fd, FileFacts *ret);
/* What an open file is now, as far as that is known without asking a disk. */
MUST_USE Err file_look_now(int fd, FileFacts *ret);
/* Reads at `offset` what is in memory. ERR_AGAIN: the disk would be waited for; ERR_CLOSED: the
 * file ends there or before. */
MUST_USE Err file_read_now(int fd, uint64_t offset, Span room, size_t *ret_read);
/* Whether all of a range is in memory, so that sending it waits for no disk; false also where the
 * kernel cannot tell. */
bool file_is_ready(int fd, uint64_t offset, size_t len);
/* Sends from the file to a socket without copying. ERR_AGAIN: the socket is full; ERR_CLOSED: the
 * file ends there or before. */
MUST_USE Err file_send(int socket, int fd, uint64_t offset, size_t len, size_t *ret_sent);
void file_close(int fd);

/* The threads and their queue. */
typedef struct Disk Disk;

/* Where the outcome goes: a message of this kind, with this handle and tag, to this mailbox. */
typedef struct DiskReply {
    Mailbox *to;
    uint32_t kind;
    Handle handle;
    uint64_t tag;
} DiskReply;

/* What reads hand over is counted in `budget`. */
MUST_USE Err disk_start(Budget *budget, Disk **ret);
/* Finishes what was begun, drops what was not; nothing is posted afterwards. No-op on NULL. */
void disk_stop(Disk *d);

/* Jobs; ERR_FULL: the queue is. The descriptors must stay open until the reply comes. */
MUST_USE Err disk_open(Disk *d, int root, Str path, DiskReply reply);
MUST_USE Err disk_read(Disk *d, int fd, uint64_t offset, size_t len, DiskReply reply);

/* What a reply says. The descriptor and the bytes are the receiver's. */
typedef struct DiskOpened {
    Err err;
    int fd; /* -1: none, or a directory */
    FileFacts facts;
} DiskOpened;
typedef struct DiskBytes {
    Err err; /* ERR_CLOSED: the file ended before the first byte */
    size_t room; /* what was taken from the budget */
    Span bytes;
} DiskBytes;
DiskOpened disk_opened(const Message *m);
DiskBytes disk_bytes(const Message *m);
void disk_bytes_drop(Budget *budget, DiskBytes *b);
/* The tag of either. */
static inline uint64_t disk_tag(const Message *m)
{
    return m->words[6];
}

#endif
