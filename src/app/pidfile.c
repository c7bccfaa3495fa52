/* pidfile.c - a locked file with a process id in it. */
#include "app/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#define PIDFILE_MODE 0644

static Err pid_file_fail(Text *why, const char *path, int fd)
{
    Err err = err_from_errno(errno);
    text_format(why, "cannot write the pid file %s: %s", path, err_sentence(err));
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

Err pidfile_write(Str path, int *ret_fd, Text *why)
{
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PIDFILE_MODE);
    if (fd < 0) {
        return pid_file_fail(why, name, -1);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        text_format(why, "another River runs already: it holds the pid file %s", name);
        (void)close(fd);
        return ERR_EXISTS;
    }
    uint8_t room[24];
    Text pid = text_in(span_of(room, sizeof room));
    text_u64(&pid, (uint64_t)getpid());
    text_byte(&pid, '\n');
    if (ftruncate(fd, 0) != 0 || pwrite(fd, room, pid.len, 0) != (ssize_t)pid.len) {
        return pid_file_fail(why, name, fd);
    }
    *ret_fd = fd;
    return ERR_OK;
}

void pidfile_remove(Str path, int fd)
{
    char name[PATH_MAX];
    if (fd < 0) {
        return;
    }
    if (str_to_c(path, span_of(name, sizeof name)) == ERR_OK) {
        (void)unlink(name);
    }
    (void)close(fd);
}

void pidfile_release(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}
