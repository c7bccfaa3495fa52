/* files.h - reads the files that the configuration names: certificates, keys and the like.
 *
 * Relative paths start at the directory where River was started, even if a daemon has left it; the
 * configuration's own have its directory in front by then (config/relative.h). Only
 * the supervisor opens the files. It reads all of them except those with private keys, which the
 * kernel copies to memory that only a worker and the key checker map. */
#ifndef APP_FILES_H
#define APP_FILES_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/key_checker.h"
#include "base/region.h"
#include "config/load.h"

#define FILES_BYTES_MAX (64u << 20) /* a list of a million addresses takes 20 MB */

#define FILES_LOOKERS_MAX 3u

/* Marks files on several threads, to see which have changed. With thousands of files this is bound
 * by cache misses on the kernel's inodes, so further threads save time. */
typedef struct FilesLooking {
    const struct Files *files;
    size_t count;
    const FileSettings *list COUNTED_BY(count);
    uint64_t *marks COUNTED_BY(count); /* NULL: not started */
    _Atomic size_t taken;              /* files before this index are claimed */
    size_t started;
    pthread_t threads[FILES_LOOKERS_MAX];
} FilesLooking;

typedef struct Files {
    int directory; /* where River was started */
    Region *region;  /* of the configuration being read; secrets go there */
    KeyChecker keys; /* reads them; the owner sets its manager */
    ConfigFiles config;
    FilesLooking looking;
} Files;

/* `f` must not move: the configuration reader points to it. */
void files_open(Files *f);
void files_close(Files *f);
/* Updates the current time. */
void files_look_at_clock(Files *f);

/* A number that changes when the file changes, appears or disappears. */
uint64_t files_mark(const Files *f, Str path);

/* Starts marking files that the configuration reader will ask for, on other threads; the list must
 * stay valid until files_look_end. Does nothing for few files or on a single processor. */
void files_look_begin(Files *f, const FileSettings *list, size_t count);
/* Call once for each files_look_begin, whether the marks were used or not. */
void files_look_end(Files *f);

/* Opens a directory below which files are served. ERR_UNSUPPORTED: not a directory, or the kernel
 * cannot confine paths to it (before Linux 5.6). */
MUST_USE Err files_open_directory(const Files *f, Str path, int *ret_fd);

#endif
