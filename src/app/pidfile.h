/* pidfile.h - the file with River's process id, whose lock admits one River at a time. */
#ifndef APP_PIDFILE_H
#define APP_PIDFILE_H

#include "base/text.h"

/* Locks the file (ERR_EXISTS: another River holds it) and writes this process's id. The descriptor
 * must stay open to keep the lock. */
MUST_USE Err pidfile_write(Str path, int *ret_fd, Text *why);
/* Removes the file and drops the lock; -1: no-op. */
void pidfile_remove(Str path, int fd);
/* Drops the lock and leaves the file to the next writer; *fd becomes -1. */
void pidfile_release(int *fd);

#endif
