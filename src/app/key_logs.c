/* key_logs.c - opens key logs with as little access as possible. */
#include "app/key_logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str_map.h"
#include "loop/log.h"

#define KEY_LOG_MODE 0600

/* Why secrets would not be safe in an open file; NULL: they are. */
static const char *file_objection(const struct stat *about)
{
    return !S_ISREG(about->st_mode)        ? "it is no plain file"
           : about->st_uid != geteuid()    ? "it belongs to another user"
           : about->st_nlink != 1          ? "it has another name, too (a hard link)"
                                           : NULL;
}

static Err refuse_log(Str path, const char *reason, Text *why)
{
    text_format(why, "cannot write the key log %.*s: %s", STR_ARG(path), reason);
    return ERR_DENIED;
}

/* Makes an open file accessible to its owner only, before anything is written to it. */
static Err claim_file(Str path, int fd, Text *why)
{
    struct stat about;
    bool known = fstat(fd, &about) == 0;
    const char *reason = known ? file_objection(&about) : err_sentence(err_from_errno(errno));
    if (!reason && fchmod(fd, KEY_LOG_MODE) != 0) {
        reason = err_sentence(err_from_errno(errno));
    }
    return reason ? refuse_log(path, reason, why) : ERR_OK;
}

static Err open_one(Str path, int *ret_fd, Text *why)
{
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
    int fd = open(name, flags, KEY_LOG_MODE);
    if (fd < 0) {
        return refuse_log(path,
                       errno == ELOOP ? "it is a symbolic link"
                                      : err_sentence(err_from_errno(errno)),
                       why);
    }
    Err err = claim_file(path, fd, why);
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return ERR_OK;
}

static Err lists_make(Arena *a, size_t count, KeyLogs *ret)
{
    KeyLog *files = arena_array(a, KeyLog, count);
    int *fds = arena_array(a, int, count);
    if (!files || !fds) {
        return ERR_MEMORY;
    }
    ret->files = files;
    ret->fds = fds;
    ret->listener_count = count;
    for (size_t i = 0; i < count; i++) {
        ret->fds[i] = -1;
    }
    return ERR_OK;
}

/* Opens the file of this path, which is copied to outlive the settings. */
static Err add_one(KeyLogs *k, Arena *a, Str path, KeyLog *room, Text *why)
{
    KeyLog fresh = {.fd = -1};
    if (!arena_copy(a, path, &fresh.path)) {
        return ERR_MEMORY;
    }
    TRY(open_one(path, &fresh.fd, why));
    *room = fresh;
    k->count++;
    LOG(WARN, "the secrets of TLS sessions are written to a file", LOG_STR("path", path));
    return ERR_OK;
}

Err key_logs_open(Arena *a, const Settings *settings, KeyLogs *ret, Text *why)
{
    StrMap paths;
    *ret = (KeyLogs){0};
    TRY(lists_make(a, settings->listener_count, ret));
    TRY(str_map_open(a, settings->listener_count, &paths));
    KeyLog *files = ret->files;
    for (size_t i = 0; i < settings->listener_count; i++) {
        Str path = settings->listeners[i].tls.key_log_path;
        uint32_t place = (uint32_t)ret->count;
        if (path.len == 0) {
            continue;
        }
        if (!str_map_find(&paths, 0, path, &place)) {
            TRY(add_one(ret, a, path, &files[place], why));
            str_map_add(&paths, 0, path, place);
        }
        ret->fds[i] = ret->files[place].fd;
    }
    return ERR_OK;
}

/* Threads may be writing to the old file meanwhile: the descriptor number stays valid
 * throughout. */
static void put_in_place(int fresh, int number)
{
    if (dup3(fresh, number, O_CLOEXEC) != number) {
        LOG(ERROR, "a key log stays as it was",
            LOG_STR("why", str_from_c(err_sentence(err_from_errno(errno)))));
    }
    (void)close(fresh);
}

Err key_log_reopen(const KeyLog *file, Text *why)
{
    int fresh = -1;
    TRY(open_one(file->path, &fresh, why));
    put_in_place(fresh, file->fd);
    return ERR_OK;
}

void key_logs_replace(const KeyLogs *k, Str path, int fd)
{
    for (size_t i = 0; i < k->count; i++) {
        if (str_equal(k->files[i].path, path)) {
            put_in_place(fd, k->files[i].fd);
            return;
        }
    }
    (void)close(fd);
}

void key_logs_close(KeyLogs *k)
{
    for (size_t i = 0; i < k->count; i++) {
        (void)close(k->files[i].fd);
    }
    *k = (KeyLogs){0};
}
