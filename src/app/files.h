/* files.h - reads the files that the configuration names: certificates, keys and their like.
 *
 * A path that is not absolute is looked for from the directory where River was started, also when a
 * daemon has left it. Only the supervisor reads; the caged worker gets bytes. */
#ifndef APP_FILES_H
#define APP_FILES_H

#include "config/load.h"

#define FILES_BYTES_MAX (64u << 20) /* a list of a million addresses has 20 */

typedef struct Files {
    int directory; /* where River was started */
    ConfigFiles config;
} Files;

/* Reads until the room is full or the file has ended. */
MUST_USE Err files_fill(int fd, Span room, Str *ret);

/* `f` stays where it is: the configuration's reader points to it. */
void files_open(Files *f);
void files_close(Files *f);
/* Sets what time it is. */
void files_look_at_clock(Files *f);

/* A number that changes when the file does (or comes, or goes), going on from `mark`. */
uint64_t files_mark(const Files *f, Str path, uint64_t mark);

/* Opens the directories of all file servers, for a worker that may not; `why` tells a person. */
MUST_USE Err files_roots(const Files *f, const Settings *settings, Arena *a, int **ret,
                         size_t *ret_count, Text *why);

/* Opens a file to append to, for its owner alone. */
MUST_USE Err files_append(Str path, int *ret_fd);

#endif
