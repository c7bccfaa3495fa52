/* file_cache.h - the files that a thread has open or knows about: a bounded cache.
 *
 * An entry records what a path was when last checked: an open file, a directory, or nothing. After
 * FILE_CHECK_MS it is checked again before use; an open file is checked for modification each time,
 * because its entity tag is strong. Small files are kept in memory without a descriptor. What the
 * kernel cannot answer without blocking is done by the disk's threads (loop/disk.h), which then
 * wake the requester.
 *
 * A handle names a File, and an exchange pins it while in use: descriptor and content stay as they
 * were, whatever happens to the path meanwhile. */
#ifndef PROXY_FILE_CACHE_H
#define PROXY_FILE_CACHE_H

#include "base/handle_list.h"
#include "http/conditional.h"
#include "http/date.h"
#include "loop/disk.h"
#include "transport/thread.h"

#define FILE_CHECK_MS 1000u
#define FILE_ETAG_BYTES 36u /* two numbers of 64 bits in hexadecimal, quotes and a dash */
#define FILE_CONTENT_BYTES_MAX (64u << 10)   /* larger files are read from disk each time */
#define FILE_CONTENTS_BYTES_MAX (8u << 20)   /* per thread, at most */
#define FILE_CONTENTS_SHARE 16u              /* ... and a budget share, all threads together */
#define FILES_ABSENT_MAX 256u                /* paths known to name nothing */
#define FILES_WAITS_MAX 4096u                /* exchanges waiting for a file to be opened */

typedef struct File {
    Handle self;
    Handle next; /* in its bucket */
    HandleLinks links; /* in the list of files by age */
    uint64_t hash;
    int root;
    int fd;  /* -1: nothing to read, or all is in `content` */
    Err err; /* why there is no file */
    FileFacts facts;
    uint64_t checked_ms;
    uint32_t pins;
    uint32_t first_wait; /* index + 1 of the first exchange waiting for it */
    bool listed;         /* can be found; otherwise freed with its last pin */
    bool opening;        /* a disk job is checking the path */
    Span content;
    Span path; /* owned */
    size_t etag_len;
    uint8_t etag[FILE_ETAG_BYTES];
    uint8_t modified[DATE_BYTES]; /* the value of Last-Modified */
} File;

/* `present_max`: number of files and directories to keep. `content_max`: bytes of small files in
 * memory. NULL: no memory. */
FileCache *file_cache_new(uint32_t present_max, size_t content_max);
void file_cache_drop(Thread *t);

/* Looks up `path` below the root with this descriptor. ERR_OK: *ret is pinned, a regular file or a
 * directory. ERR_AGAIN: `who` will be woken, and must ask again. ERR_MISSING, ERR_DENIED,
 * ERR_DESCRIPTORS, ERR_MEMORY; ERR_FULL: too many requests wait for the disk. */
MUST_USE Err file_cache_find(Thread *t, int root, Str path, Token who, Handle *ret);
/* Releases a pin; no-op for an empty handle. */
void file_cache_release(Thread *t, Handle h);

/* Reads at `offset` without blocking. ERR_AGAIN: not in memory; ERR_CLOSED: the file shrank. */
MUST_USE Err file_cache_read(const File *f, uint64_t offset, Span room, size_t *ret_read);
/* Makes the disk's threads read for `who` (an exchange). */
MUST_USE Err file_cache_load(Thread *t, File *f, uint64_t offset, size_t len, Handle who);

/* The root is another directory now: nothing that is known of it holds for new requests. What is
 * pinned stays as it is; who waits for a file to be opened asks again. */
void file_cache_forget(Thread *t, int root);

/* Messages from the disk's threads. */
void file_cache_on_opened(Thread *t, const Message *m);
/* The bytes read for Message.handle. */
DiskBytes file_cache_on_bytes(Thread *t, const Message *m);
/* Drops the results of messages that came too late. */
void file_cache_discard(Thread *t, const Message *m);

File *file_cache_get(const Thread *t, Handle h);

static inline Str file_etag(const File *f)
{
    return str_of(f->etag, f->etag_len);
}

#endif
