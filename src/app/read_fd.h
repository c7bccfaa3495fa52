/* read_fd.h - reads a descriptor up to end of file. */
#ifndef APP_READ_FD_H
#define APP_READ_FD_H

#include "base/str.h"

/* Reads until the room is full or the file ends. */
MUST_USE Err read_fd(int fd, Span room, Str *ret);

#endif
