/* control_client.c - the client of the control socket, for `river status` and others, and the
 * socket's default path. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/control.h"
#include "app/read_fd.h"

#define ANSWER_MS 130000 /* a reload that is waited for may take this long */

/* Whether `path` is a directory that we own and nobody else can write to. */
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
    /* In /tmp anybody can be first: neither side uses a directory that is not ours. */
    if (!is_private(directory)) {
        return ERR_DENIED;
    }
    text_add(ret, S("/control.sock"));
    return ret->overflow ? ERR_LIMIT : ERR_OK;
}

static Err dial_control(Str path, int *ret)
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

/* Names in an answer come from a file; they must not send control codes to a terminal. */
static void clean_text(Span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.at[i];
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
            bytes.at[i] = '?';
        }
    }
}

static Err print_answer(int to, Str rest)
{
    while (rest.len > 0) {
        ssize_t written = write(to, rest.at, rest.len); /* system call */
        if (written < 0) {
            return err_from_errno(errno);
        }
        rest = str_drop(rest, (size_t)written);
    }
    return ERR_OK;
}

static Err receive_some(int fd, Span room, size_t *ret)
{
    ssize_t n;
    do {
        n = recv(fd, room.at, room.len, 0); /* system call */
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return ERR_TIMEOUT;
    }
    *ret = (size_t)n;
    return n > 0 ? ERR_OK : ERR_CLOSED;
}

/* Offset of a last line "exit N"; the length if there is none. */
static size_t find_exit(Str text, int *ret_status)
{
    const Str lines[] = {S("exit 0\n"), S("exit 1\n"), [CONTROL_CUT] = S(CONTROL_CUT_LINE)};
    for (int status = 0; status <= CONTROL_CUT; status++) {
        Str line = lines[status];
        if (str_ends(text, line)) {
            *ret_status = status;
            return text.len - line.len;
        }
    }
    return text.len;
}

/* Copies the answer to `to` until it ends. Holds back the last bytes, which may be the line with
 * the status. */
static Err copy_answer(int fd, int to, bool whole, int *ret_status)
{
    enum { HELD = 7 };
    uint8_t room[4096];
    size_t held = 0;
    size_t fresh = 0;
    Err err;
while ((err = receive_some(fd, span_drop(span_of(room, sizeof room), held), &fresh)) == ERR_OK) {
        clean_text(span_take(span_drop(span_of(room, sizeof room), held), fresh));
        Str all = str_of(room, held + fresh);
        size_t done = all.len > HELD ? all.len - HELD : 0;
        TRY(print_answer(to, str_take(all, done)));
        held = all.len - done;
        (void)span_copy(span_of(room, held), str_drop(all, done));
    }
    Str rest = str_of(room, held);
    TRY(print_answer(to, str_take(rest, find_exit(rest, ret_status))));
    if (whole && *ret_status == 0 && !str_ends(rest, S("}\n"))) { /* the supervisor has died */
        *ret_status = CONTROL_CUT;
    }
    return err == ERR_CLOSED ? ERR_OK : err;
}

/* The same to standard output, once the answer is complete. */
static Err print_whole(int fd, int *ret_status)
{
    uint8_t room[4096];
    int kept = memfd_create("answer", MFD_CLOEXEC);
    if (kept < 0) {
        return err_from_errno(errno);
    }
    Err err = copy_answer(fd, kept, true, ret_status);
    bool prints = err == ERR_OK && *ret_status == 0;
    ssize_t n = 0;
    for (off_t at = 0; prints && (n = pread(kept, room, sizeof room, at)) > 0; at += n) {
        err = print_answer(STDOUT_FILENO, str_of(room, (size_t)n));
        prints = err == ERR_OK;
    }
    (void)close(kept);
    return err;
}

/* Connects and sends the request. */
static Err send_request(Str path, Str request, int *ret)
{
    int fd = -1;
    TRY(dial_control(path, &fd));
    ssize_t n = send(fd, request.at, request.len, MSG_NOSIGNAL); /* system call */
    if (n != (ssize_t)request.len) {
        (void)close(fd);
        return ERR_CLOSED;
    }
    *ret = fd;
    return ERR_OK;
}

Err control_ask(Str path, Str request, bool whole, int *ret_status)
{
    int fd = -1;
    *ret_status = 0;
    TRY(send_request(path, request, &fd));
    Err err = whole ? print_whole(fd, ret_status)
                    : copy_answer(fd, STDOUT_FILENO, false, ret_status);
    (void)close(fd);
    return err;
}

Err control_read(Str path, Str request, Span room, Str *ret)
{
    int fd = -1;
    TRY(send_request(path, request, &fd));
    Err err = read_fd(fd, room, ret);
    (void)close(fd);
    return err;
}
