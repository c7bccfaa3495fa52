/* file_cache.h - the files that a thread has open or knows about: a bounded cache.
 *
 * An entry is what a path was when it was last looked at: an open file, a directory, or nothing.
 * After FILE_CHECK_MS it is looked at again before it is used; an open file is asked each time
 * whether it was written to, because its entity tag is strong. Small files are kept in memory and
 * hold no descriptor. What the kernel cannot tell at once is asked by the disk's threads
 * (loop/disk.h), and whoever asked is woken.
 *
 * A File is named by a handle and pinned while an exchange uses it: its descriptor and its content
 * stay what they were, whatever happens to the path meanwhile. */
#ifndef PROXY_FILE_CACHE_H
#define PROXY_FILE_CACHE_H

#include "http/conditional.h"
#include "http/date.h"
#include "loop/disk.h"
#include "transport/thread.h"

#define FILE_CHECK_MS 1000u
#define FILE_ETAG_BYTES 36u /* two numbers of 64 bits in hexadecimal, quotes and a dash */
#define FILE_CONTENT_BYTES_MAX (64u << 10)   /* larger files are read each time */
#define FILE_CONTENTS_BYTES_MAX (8u << 20)   /* of all that one thread keeps in memory, at most */
#define FILE_CONTENTS_SHARE 16u              /* ... and of the budget, all threads together */
#define FILES_ABSENT_MAX 256u                /* paths known to name nothing */
#define FILES_WAITS_MAX 4096u                /* exchanges that wait for a file to be opened */

typedef struct File {
    Handle self;
    Handle next; /* in its bucket */
    Handle newer;
    Handle older;
    uint64_t hash;
    int root;
    int fd;  /* -1: nothing to read, or all of it is in `content` */
    Err err; /* why there is none */
    FileFacts facts;
    uint64_t checked_ms;
    uint32_t pins;
    uint32_t first_wait; /* index + 1 of who waits for it */
    bool listed;         /* can be found; else it goes with its last pin */
    bool opening;        /* a job of the disk's looks at the path */
    Span content;
    Span path; /* owned */
    size_t etag_len;
    uint8_t etag[FILE_ETAG_BYTES];
    uint8_t modified[DATE_BYTES]; /* as Last-Modified says it */
} File;

/* `present_max`: files and directories that the cache keeps. `content_max`: bytes of small files in
 * memory. NULL: no memory. */
FileCache *file_cache_new(uint32_t present_max, size_t content_max);
void file_cache_drop(Thread *t);

/* What `path` is, below the root with this descriptor. ERR_OK: *ret is pinned, a regular file or a
 * directory. ERR_AGAIN: `who` will be woken, and asks again. ERR_MISSING, ERR_DENIED,
 * ERR_DESCRIPTORS, ERR_MEMORY; ERR_FULL: too much waits for the disk. */
MUST_USE Err file_cache_find(Thread *t, int root, Str path, Token who, Handle *ret);
/* Ends a pin; a handle that is none is none. */
void file_cache_release(Thread *t, Handle h);

/* Reads at `offset` without waiting. ERR_AGAIN: it is not in memory; ERR_CLOSED: the file has
 * become shorter. */
MUST_USE Err file_cache_read(const File *f, uint64_t offset, Span room, size_t *ret_read);
/* Lets the disk's threads read for `who` (an exchange). */
MUST_USE Err file_cache_load(Thread *t, File *f, uint64_t offset, size_t len, Handle who);

/* Messages of the disk's threads. */
void file_cache_on_opened(Thread *t, const Message *m);
/* They have read for Message.handle. */
DiskBytes file_cache_on_bytes(Thread *t, const Message *m);
/* The same for messages that came too late. */
void file_cache_discard(Thread *t, const Message *m);

File *file_cache_get(const Thread *t, Handle h);

static inline Str file_etag(const File *f)
{
    return str_of(f->etag, f->etag_len);
}

#endif
