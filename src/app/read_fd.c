/* read_fd.c - reads in a loop. */
#include "app/read_fd.h"

#include <errno.h>
#include <unistd.h>

Err read_fd(int fd, Span room, Str *ret)
{
    size_t len = 0;
    while (len < room.len) {
        Span rest = span_drop(room, len);
        ssize_t n = read(fd, rest.at, rest.len); /* system call */
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    *ret = str_take(span_str(room), len);
    return ERR_OK;
}
