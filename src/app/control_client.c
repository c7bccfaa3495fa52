/* control_client.c - who asks: `river status`, and where the control socket is by default. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/control.h"
#include "app/files.h"

#define ANSWER_MS 10000

/* Whether `path` is a directory of ours that nobody else can write to. */
static bool is_private(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
           (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static Err default_directory(Text *ret)
{
    Str run_time = str_from_c(getenv("XDG_RUNTIME_DIR"));
    if (geteuid() == 0) {
        text_add(ret, S("/run/river"));
    } else if (str_starts(run_time, S("/"))) {
        text_add(ret, run_time);
        text_add(ret, S("/river"));
    } else {
        text_format(ret, "/tmp/river-%u", (unsigned)geteuid());
    }
    return ret->overflow ? ERR_LIMIT : ERR_OK;
}

Err control_default_path(bool make, Text *ret)
{
    TRY(default_directory(ret));
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    TRY(str_to_c(text_str(ret), span_of(directory, sizeof directory)));
    if (make && mkdir(directory, S_IRWXU) != 0 && errno != EEXIST) {
        return err_from_errno(errno);
    }
    /* In /tmp anybody can be first: what is not ours is not used, by either side. */
    if (!is_private(directory)) {
        return ERR_DENIED;
    }
    text_add(ret, S("/control.sock"));
    return ret->overflow ? ERR_LIMIT : ERR_OK;
}

static Err dial(Str path, int *ret)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    TRY(str_to_c(path, span_of(to.sun_path, sizeof to.sun_path)));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        int number = errno;
        (void)close(fd);
        return number == ENOENT ? ERR_REFUSED : err_from_errno(number);
    }
    struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    *ret = fd;
    return ERR_OK;
}

/* Copies the answer to standard output until it ends. */
static Err print_answer(int fd)
{
    uint8_t room[4096];
    for (;;) {
        ssize_t n = recv(fd, room, sizeof room, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ERR_OK : ERR_TIMEOUT;
        }
        Str rest = str_of(room, (size_t)n);
        while (rest.len > 0) {
            ssize_t written = write(STDOUT_FILENO, rest.at, rest.len); /* system call */
            if (written < 0) {
                return err_from_errno(errno);
            }
            rest = str_drop(rest, (size_t)written);
        }
    }
}

/* Connects and sends the request. */
static Err ask(Str path, Str request, int *ret)
{
    int fd = -1;
    TRY(dial(path, &fd));
    ssize_t n = send(fd, request.at, request.len, MSG_NOSIGNAL); /* system call */
    if (n != (ssize_t)request.len) {
        (void)close(fd);
        return ERR_CLOSED;
    }
    *ret = fd;
    return ERR_OK;
}

Err control_ask(Str path, Str request)
{
    int fd = -1;
    TRY(ask(path, request, &fd));
    Err err = print_answer(fd);
    (void)close(fd);
    return err;
}

Err control_read(Str path, Str request, Span room, Str *ret)
{
    int fd = -1;
    TRY(ask(path, request, &fd));
    Err err = files_fill(fd, room, ret);
    (void)close(fd);
    return err;
}
