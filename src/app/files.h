/* files.h - reads the files that the configuration names: certificates, keys and their like.
 *
 * A path that is not absolute is looked for from the directory where River was started, also when a
 * daemon has left it. Only the supervisor opens them. It reads all but those with private keys,
 * which the kernel copies to where only a worker and the key checker look. */
#ifndef APP_FILES_H
#define APP_FILES_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/key_checker.h"
#include "base/region.h"
#include "config/load.h"

#define FILES_BYTES_MAX (64u << 20) /* a list of a million addresses has 20 */

#define FILES_LOOKERS_MAX 3u

/* Looking whether files have changed. Of thousands that is waiting for the memory where the kernel
 * keeps what it knows of them, so that threads beside the caller's save time. */
typedef struct FilesLooking {
    const struct Files *files;
    size_t count;
    const FileSettings *list COUNTED_BY(count);
    uint64_t *marks COUNTED_BY(count); /* NULL: nothing was begun */
    _Atomic size_t taken;              /* up to here somebody has begun */
    size_t started;
    pthread_t threads[FILES_LOOKERS_MAX];
} FilesLooking;

typedef struct Files {
    int directory; /* where River was started */
    Region *region;  /* of the configuration that is being read: there secrets go */
    KeyChecker keys; /* who sees them; its manager is the owner's to set */
    ConfigFiles config;
    FilesLooking looking;
} Files;

/* `f` stays where it is: the configuration's reader points to it. */
void files_open(Files *f);
void files_close(Files *f);
/* Sets what time it is. */
void files_look_at_clock(Files *f);

/* A number that changes when the file does, or comes, or goes. */
uint64_t files_mark(const Files *f, Str path);

/* Begins, on other threads, to mark files that the configuration's reader will ask for; the list
 * must stay until the end. Few files, or a machine of one processor: nothing is begun. */
void files_look_begin(Files *f, const FileSettings *list, size_t count);
/* Once for each beginning, whether somebody has asked or not. */
void files_look_end(Files *f);

/* Opens the directories of all file servers, for a worker that may not; `why` tells a person. */
MUST_USE Err files_roots(const Files *f, const Settings *settings, Arena *a, int **ret,
                         size_t *ret_count, Text *why);

#endif
