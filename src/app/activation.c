/* activation.c - counts, checks and hands out the sockets that were passed at the start. */
#include "app/activation.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "loop/system.h"
#include "loop/log.h"
#include "net/address.h"

/* What was passed to this process, at its start; a worker has its own copy of the list. */
static struct {
    size_t count;
    Str names;
    struct {
        int fd;
        bool gone; /* closed, or never there */
        bool wanted;
        ino_t inode; /* the same in every process that has the socket */
    } sockets[ACTIVATION_SOCKETS_MAX];
} passed;

static int fd_of(size_t i)
{
    return passed.sockets[i].fd;
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
        return ERR_OK; /* they were passed to another process */
    }
    if (count > ACTIVATION_SOCKETS_MAX) {
        text_format(why, "LISTEN_FDS: River takes at most %u sockets", ACTIVATION_SOCKETS_MAX);
        return ERR_RANGE;
    }
    passed.names = v->names;
    passed.count = (size_t)count;
    for (size_t i = 0; i < passed.count; i++) {
        struct stat about = {0};
        passed.sockets[i].fd = ACTIVATION_FIRST + (int)i;
        /* One that is not there must not be closed later: it may be ours by then. */
        passed.sockets[i].gone =
            fcntl(fd_of(i), F_SETFD, FD_CLOEXEC) != 0 || fstat(fd_of(i), &about) != 0;
        passed.sockets[i].inode = about.st_ino;
        system_keep_alive(fd_of(i));
    }
    *ret_count = passed.count;
    return ERR_OK;
}

/* ---- what a socket is ---- */

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) == 0 ? value : -1;
}

/* Whether clients can be accepted from it, and it speaks what we speak. */
static bool is_listener(int fd)
{
    int protocol = option_of(fd, SO_PROTOCOL);
    return option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1 &&
           (protocol == IPPROTO_TCP || option_of(fd, SO_DOMAIN) == AF_UNIX);
}

/* Where it is bound. */
static bool name_of(int fd, Address *ret)
{
    Address a = {0};
    socklen_t bytes = sizeof a.as;
    if (getsockname(fd, &a.as.any, &bytes) != 0 || bytes > sizeof a.as) {
        return false;
    }
    a.bytes = bytes;
    *ret = a;
    return true;
}

/* The path that it is bound to; empty: none. */
static Str path_of(const Address *a)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->bytes > head ? a->bytes - head : 0;
    return str_cut(str_of(a->as.local.sun_path, len), '\0').head;
}

static bool is_at(const Address *a, const SettingsAddress *wanted)
{
    if (wanted->unix_path.len > 0) {
        return a->as.any.sa_family == AF_UNIX && str_equal(path_of(a), wanted->unix_path);
    }
    Address to = address_ip(wanted->ip, wanted->port);
    if (a->as.any.sa_family != to.as.any.sa_family) {
        return false;
    }
    if (to.as.any.sa_family == AF_INET) {
        return a->as.v4.sin_port == to.as.v4.sin_port &&
               a->as.v4.sin_addr.s_addr == to.as.v4.sin_addr.s_addr;
    }
    return a->as.v6.sin6_port == to.as.v6.sin6_port &&
           str_equal(str_of(&a->as.v6.sin6_addr, sizeof a->as.v6.sin6_addr),
                     str_of(&to.as.v6.sin6_addr, sizeof to.as.v6.sin6_addr));
}

bool activation_find(const SettingsAddress *address, int *ret_fd)
{
    for (size_t i = 0; i < passed.count; i++) {
        Address bound;
        int fd = fd_of(i);
        if (passed.sockets[i].gone || !is_listener(fd) || !name_of(fd, &bound) ||
            !is_at(&bound, address)) {
            continue;
        }
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
            passed.sockets[i].wanted = true;
            *ret_fd = fd;
            return true;
        }
    }
    return false;
}

bool activation_owns(int fd)
{
    struct stat about;
    bool owns = false;
    if (passed.count > 0 && fstat(fd, &about) == 0) {
        for (size_t i = 0; i < passed.count && !owns; i++) {
            owns = !passed.sockets[i].gone && passed.sockets[i].inode == about.st_ino;
        }
    }
    return owns;
}

/* ---- what nobody wanted ---- */

/* "192.0.2.1:80", a path, or what can be said of it. */
static void print_address(Text *t, int fd)
{
    Address bound;
    if (!name_of(fd, &bound)) {
        text_add(t, S("no socket"));
        return;
    }
    if (bound.as.any.sa_family == AF_UNIX) {
        Str path = path_of(&bound);
        text_add(t, path.len > 0 ? path : S("a Unix socket without a path"));
        return;
    }
    if (bound.as.any.sa_family != AF_INET && bound.as.any.sa_family != AF_INET6) {
        text_add(t, S("of another family"));
        return;
    }
    struct sockaddr_storage storage = {0};
    span_copy(span_of(&storage, sizeof storage), str_of(&bound.as, sizeof bound.as));
    peer_print(t, address_peer(&storage));
}

/* The i-th name of the list. */
static Str name_at(Str names, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        names = str_cut(names, ':').tail;
    }
    return str_cut(names, ':').head;
}

void activation_close_rest(void)
{
    for (size_t i = 0; i < passed.count; i++) {
        int fd = fd_of(i);
        if (passed.sockets[i].gone || passed.sockets[i].wanted) {
            continue;
        }
        uint8_t room[160];
        Text address = text_in(span_of(room, sizeof room));
        print_address(&address, fd);
        LOG(WARN, "a socket that was passed at the start is closed",
            LOG_STR("why", is_listener(fd) ? S("no listener has its address")
                                           : S("it is no listening stream socket")),
            LOG_STR("address", text_str(&address)), LOG_STR("name", name_at(passed.names, i)),
            LOG_U64("descriptor", (uint64_t)fd));
        (void)close(fd);
        passed.sockets[i].gone = true;
    }
}
