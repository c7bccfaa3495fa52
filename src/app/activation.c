/* activation.c - counts, checks and hands out the sockets passed at the start. */
#include "app/activation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/bound.h"
#include "app/store.h"
#include "base/number.h"
#include "loop/system.h"
#include "loop/log.h"

/* The sockets passed to this process at its start; a worker has its own copy of the list. */
static struct {
    size_t count;
    Str names;
    struct {
        int fd;
        bool gone; /* closed, or never valid */
        bool wanted;
        bool stored; /* by an earlier River, which owned it */
        ino_t inode; /* identifies the socket in every process that has it */
    } sockets[ACTIVATION_SOCKETS_MAX];
} passed;

static int fd_of(size_t i)
{
    return passed.sockets[i].fd;
}

/* The i-th name of the list. */
static Str name_at(Str names, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        names = str_cut(names, ':').tail;
    }
    return str_cut(names, ':').head;
}

void activation_adopt(int fd)
{
    struct stat about;
    if (passed.count < ACTIVATION_SOCKETS_MAX && fstat(fd, &about) == 0) {
        passed.sockets[passed.count].fd = fd;
        passed.sockets[passed.count].wanted = true;
        passed.sockets[passed.count].inode = about.st_ino;
        passed.count++;
    }
}

Err activation_take(const ActivationVariables *v, size_t *ret_count, Text *why)
{
    uint64_t pid = 0;
    uint64_t count = 0;
    if (v->pid.len == 0 || v->fds.len == 0) {
        return ERR_OK;
    }
    if (number_decimal(v->pid, UINT32_MAX, &pid) != ERR_OK ||
        number_decimal(v->fds, UINT32_MAX, &count) != ERR_OK) {
        text_format(why, "LISTEN_PID or LISTEN_FDS is no number");
        return ERR_SYNTAX;
    }
    if (pid != (uint64_t)getpid()) {
        return ERR_OK; /* passed to another process */
    }
    if (count > ACTIVATION_SOCKETS_MAX) {
        text_format(why, "LISTEN_FDS: River takes at most %u sockets", ACTIVATION_SOCKETS_MAX);
        return ERR_RANGE;
    }
    passed.names = v->names;
    passed.count = (size_t)count;
    for (size_t i = 0; i < passed.count; i++) {
        struct stat about = {0};
        passed.sockets[i].stored = str_starts(name_at(v->names, i), S(STORE_NAME_START));
        passed.sockets[i].fd = ACTIVATION_FIRST + (int)i;
        /* An invalid one must not be closed later: the number may be ours by then. */
        passed.sockets[i].gone =
            fcntl(fd_of(i), F_SETFD, FD_CLOEXEC) != 0 || fstat(fd_of(i), &about) != 0;
        passed.sockets[i].inode = about.st_ino;
        system_keep_alive(fd_of(i));
    }
    *ret_count = passed.count;
    return ERR_OK;
}

/* ---- claims ---- */

bool activation_find(const SettingsAddress *address, int *ret_fd, bool *ret_stored)
{
    for (size_t i = 0; i < passed.count; i++) {
        int fd = fd_of(i);
        bool stored = passed.sockets[i].stored;
        if (passed.sockets[i].gone || !bound_listens(fd) || !bound_is_at(fd, address) ||
            (stored && (passed.sockets[i].wanted || !bound_is_alive(fd)))) {
            continue;
        }
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
            passed.sockets[i].wanted = true;
            *ret_fd = fd;
            *ret_stored = stored;
            return true;
        }
    }
    return false;
}

/* The index of a socket among the passed ones; the count if it is none of them. */
static size_t find_inode(int fd)
{
    struct stat about;
    size_t i = passed.count;
    if (passed.count > 0 && fstat(fd, &about) == 0) {
        for (i = 0; i < passed.count; i++) {
            if (!passed.sockets[i].gone && passed.sockets[i].inode == about.st_ino) {
                break;
            }
        }
    }
    return i;
}

bool activation_has(int fd)
{
    return find_inode(fd) < passed.count;
}

bool activation_owns(int fd)
{
    size_t i = find_inode(fd);
    return i < passed.count && !passed.sockets[i].stored;
}

/* ---- unclaimed listeners ---- */

void activation_close_rest(const Notify *n)
{
    for (size_t i = 0; i < passed.count; i++) {
        int fd = fd_of(i);
        if (passed.sockets[i].gone || passed.sockets[i].wanted) {
            continue;
        }
        uint8_t room[160];
        Text address = text_in(span_of(room, sizeof room));
        bound_print(&address, fd);
        LOG(WARN, "a socket that was passed at the start is closed",
            LOG_STR("why", bound_listens(fd) ? S("no listener has its address")
                                           : S("it is no listening stream socket")),
            LOG_STR("address", text_str(&address)), LOG_STR("name", name_at(passed.names, i)),
            LOG_U64("descriptor", (uint64_t)fd));
        if (passed.sockets[i].stored) {
            notify_unstore(n, name_at(passed.names, i));
        }
        (void)close(fd);
        passed.sockets[i].gone = true;
    }
}
