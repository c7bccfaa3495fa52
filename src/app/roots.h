/* roots.h - the directories below which files are served, and where their paths lead now.
 *
 * A deployment replaces such a directory, or the symbolic link that leads to it. The supervisor
 * looks at the paths; a worker only gets descriptors (supervisor_roots.c). */
#ifndef APP_ROOTS_H
#define APP_ROOTS_H

#include "app/files.h"
#include "base/text.h"

typedef struct Root {
    int fd;
    int holder; /* the directory with the last link of the path, if this directory lies in it: a
                 * worker's cage admits it too, so that the link may lead elsewhere; -1: none */
    bool gone;  /* the log says that the path leads nowhere */
} Root;

/* Opens all directories of the settings, in their order. On failure `why` says what went wrong;
 * what is open is the caller's to close in any case. */
MUST_USE Err roots_open(const Files *f, const Settings *settings, Arena *a, Root **ret,
                        size_t *ret_count, Text *why);
void root_close(Root *root);

/* Opens what the path leads to now, if that is another directory. ERR_EXISTS: it is the same one
 * still. */
MUST_USE Err root_look(const Files *f, Str path, const Root *root, int *ret_fd);
/* Whether a worker that was caged for `root` may serve this directory in its place. */
bool root_admits(const Root *root, int fd);

#endif
