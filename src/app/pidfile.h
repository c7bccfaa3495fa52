/* pidfile.h - the file that tells others River's process id, and that only one River runs by it. */
#ifndef APP_PIDFILE_H
#define APP_PIDFILE_H

#include "base/text.h"

/* Locks the file (ERR_EXISTS: another River holds it) and writes this process's id. The descriptor
 * must stay open: the lock ends with it. */
MUST_USE Err pidfile_write(Str path, int *ret_fd, Text *why);
/* Removes the file and ends the lock; -1 is fine. */
void pidfile_remove(Str path, int fd);
/* Ends the lock, and leaves the file to the next who writes it; *fd becomes -1. */
void pidfile_release(int *fd);

#endif
