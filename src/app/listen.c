/* listen.c - binds listeners, and handles the files of Unix sockets. */
#include "app/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/activation.h"
#include "app/bound.h"
#include "app/port_owner.h"
#include "loop/log.h"
#include "loop/system.h"
#include "net/address.h"

/* The kernel clamps this to net.core.somaxconn. Bursts wait in the queue, not in SYN retries. */
#define LISTEN_BACKLOG 65535

static Err listen_fail(Text *why, Str name, const char *what, int number)
{
    text_format(why, "cannot listen on %.*s: %s", STR_ARG(name), what);
    return err_from_errno(number);
}

/* The message for an error of bind. */
static const char *bind_reason(int number)
{
    switch (number) {
    case EADDRINUSE:
        return "the address is in use";
    case EADDRNOTAVAIL:
        return "this machine does not have that address";
    case EACCES:
        return "permission denied (ports below 1024 and some directories need privileges)";
    case ENOENT:
        return "its directory does not exist";
    default:
        return err_sentence(err_from_errno(number));
    }
}

static bool is_zero(IpAddress ip)
{
    for (size_t i = 0; i < sizeof ip.bytes; i++) {
        if (ip.bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Whether the settings have an IPv4 listener on this port. */
static bool has_v4(const Settings *settings, uint16_t port)
{
    for (size_t i = 0; i < settings->listener_count; i++) {
        const SettingsAddress *address = &settings->listeners[i].address;
        if (address->unix_path.len == 0 && address->ip.family == 4 && address->port == port) {
            return true;
        }
    }
    return false;
}

/* Input for opening sockets. */
typedef struct Opening {
    const Settings *settings;
    const ListenSet *before; /* the set before; NULL: none */
    const bool *stays;       /* which of its sockets the settings keep */
} Opening;

/* Whether the socket of this address accepts IPv6 clients only. */
static bool is_only_v6(const Settings *settings, const SettingsAddress *address)
{
    return !is_zero(address->ip) || has_v4(settings, address->port);
}

static void set_flag(int fd, int level, int option, int on)
{
    (void)setsockopt(fd, level, option, &on, sizeof on);
}

/* Returns a listening socket, or a negative errno. */
static int bind_ip(const Settings *settings, const SettingsAddress *address, bool beside)
{
    Address to = address_ip(address->ip, address->port);
    int fd = socket(to.as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_flag(fd, SOL_SOCKET, SO_REUSEPORT, beside);
    system_keep_alive(fd);
    if (address->ip.family == 6) {
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_only_v6(settings, address));
    }
    if (bind(fd, &to.as.any, to.bytes) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int number = errno;
        (void)close(fd);
        return -number;
    }
    set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 0);
    return fd;
}

/* Sets SO_REUSEPORT on or off for all sockets on this port that are going away. Returns whether
 * there are any. */
static bool share_port(const ListenSet *before, const bool *stays, uint16_t port, bool on)
{
    bool any = false;
    for (size_t i = 0; before && i < before->count; i++) {
        struct sockaddr_storage name = {0};
        socklen_t bytes = sizeof name;
        const ListenSocket *one = &before->at[i];
        bool goes = one->fd >= 0 && !stays[i] && !one->passed;
        if (goes && getsockname(one->fd, (struct sockaddr *)&name, &bytes) == 0 &&
            address_peer(&name).port == port) {
            set_flag(one->fd, SOL_SOCKET, SO_REUSEPORT, on);
            any = true;
        }
    }
    return any;
}

/* An address may overlap with one that is going away ("0.0.0.0:80" with "127.0.0.1:80"): for a
 * moment both are bound. SO_REUSEPORT allows that for sockets of one user, and is set only then;
 * otherwise a second River could bind our addresses. */
static Err listen_ip(const Opening *o, const SettingsAddress *address, ListenSocket *ret, Text *why)
{
    int fd = bind_ip(o->settings, address, false);
    if (fd == -EADDRINUSE && share_port(o->before, o->stays, address->port, true)) {
        fd = bind_ip(o->settings, address, true);
        (void)share_port(o->before, o->stays, address->port, false);
    }
    if (fd < 0) {
        Err err = listen_fail(why, address->text, bind_reason(-fd), -fd);
        if (fd == -EADDRINUSE) {
            port_owner_print(why, address->port);
        }
        return err;
    }
    *ret = (ListenSocket){.fd = fd, .name = address->text};
    return ERR_OK;
}

/* Whether a process accepts connections at `to`. */
static bool somebody_answers(const Address *to)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true;
    }
    /* EAGAIN: the queue is full, so the listener is alive. */
    bool answers = connect(fd, &to->as.any, to->bytes) == 0 || errno == EAGAIN;
    (void)close(fd);
    return answers;
}

/* Frees the path: removes a socket file that no process answers on. */
static Err clear_path(const Address *to, Str path, Text *why)
{
    struct stat about;
    if (lstat(to->as.local.sun_path, &about) != 0) {
        return ERR_OK;
    }
    if (!S_ISSOCK(about.st_mode)) {
        return listen_fail(why, path, "a file that is not a socket stands there", EEXIST);
    }
    if (somebody_answers(to)) {
        return listen_fail(why, path, "a process answers there already", EEXIST);
    }
    if (unlink(to->as.local.sun_path) != 0) {
        return listen_fail(why, path, "the old socket cannot be removed", errno);
    }
    return ERR_OK;
}

Err listen_unix(Str path, uint16_t mode, ListenSocket *ret, Text *why)
{
    Address to;
    if (address_unix(path, &to) != ERR_OK) {
        return listen_fail(why, path, "the path of a Unix socket has at most 107 bytes",
                           ENAMETOOLONG);
    }
    TRY(clear_path(&to, path, why));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return listen_fail(why, path, "no socket can be made", errno);
    }
    if (bind(fd, &to.as.any, to.bytes) != 0) {
        int number = errno;
        (void)close(fd);
        return listen_fail(why, path, bind_reason(number), number);
    }
    /* Connecting is impossible before listen, so access is never wider than `mode`. */
    struct stat about = {0};
    if ((mode != 0 && chmod(to.as.local.sun_path, mode) != 0) || listen(fd, LISTEN_BACKLOG) != 0 ||
        lstat(to.as.local.sun_path, &about) != 0) {
        int number = errno;
        (void)unlink(to.as.local.sun_path);
        (void)close(fd);
        return listen_fail(why, path, bind_reason(number), number);
    }
    *ret = (ListenSocket){.fd = fd,
                          .name = path,
                          .unix_path = path,
                          .device = about.st_dev,
                          .inode = about.st_ino};
    return ERR_OK;
}

/* The creator of a passed Unix socket sets its permissions: warn if they differ from ours. */
static void compare_mode(const ListenerSettings *listener)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat about;
    Str name = listener->address.unix_path;
    if (name.len > 0 && listener->mode != 0 &&
        str_to_c(name, span_of(path, sizeof path)) == ERR_OK && lstat(path, &about) == 0 &&
        (about.st_mode & 07777) != listener->mode) {
        LOG(WARN, "a passed socket has other permissions than its listener",
            LOG_STR("listener", name));
    }
}

void listen_find_file(ListenSocket *socket)
{
    Address at;
    struct stat about;
    if (str_starts(socket->name, S("/")) && address_unix(socket->name, &at) == ERR_OK &&
        lstat(at.as.local.sun_path, &about) == 0) {
        socket->unix_path = socket->name;
        socket->device = about.st_dev;
        socket->inode = about.st_ino;
    }
}

/* A socket stored by an earlier River is ours, as if we had bound it. */
static void take_stored(int fd, const ListenerSettings *listener, ListenSocket *ret)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    *ret = (ListenSocket){.fd = fd, .name = listener->address.text, .stored = true};
    listen_find_file(ret);
    if (ret->unix_path.len > 0 && listener->mode != 0 &&
        str_to_c(ret->unix_path, span_of(path, sizeof path)) == ERR_OK) {
        (void)chmod(path, listener->mode);
    }
    LOG(INFO, "a socket that an earlier River has stored is used", LOG_STR("listener", ret->name));
}

static Err open_one(const Opening *o, const ListenerSettings *listener, ListenSocket *ret,
                    Text *why)
{
    int fd = -1;
    bool stored = false;
    if (activation_find(&listener->address, &fd, &stored)) {
        if (stored) {
            take_stored(fd, listener, ret);
            return ERR_OK;
        }
        *ret = (ListenSocket){.fd = fd, .name = listener->address.text, .passed = true};
        LOG(INFO, "a socket that was passed at the start is used", LOG_STR("listener", ret->name));
        compare_mode(listener);
        return ERR_OK;
    }
    if (listener->address.unix_path.len == 0) {
        return listen_ip(o, &listener->address, ret, why);
    }
    TRY(listen_unix(listener->address.unix_path, listener->mode, ret, why));
    ret->name = listener->address.text;
    return ERR_OK;
}

bool listen_find(const ListenSet *set, Str name, uint32_t *ret)
{
    return set && str_map_find(&set->names, 0, name, ret) && set->at[*ret].fd >= 0;
}

/* Whether a socket accepts the right address families; this cannot be changed after bind. */
static bool has_families(const ListenSocket *socket, const Settings *settings,
                         const SettingsAddress *address)
{
    int only = 0;
    socklen_t bytes = sizeof only;
    bool any = address->unix_path.len == 0 && address->ip.family == 6 && is_zero(address->ip);
    return !any || socket->passed ||
           getsockopt(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &bytes) != 0 ||
           (only != 0) == is_only_v6(settings, address);
}

/* Shares a socket of the previous set. */
static void share_socket(const ListenSocket *there, const ListenerSettings *from, ListenSocket *ret)
{
    *ret = *there;
    ret->name = from->address.text;
    ret->unix_path = there->passed ? STR_NONE : from->address.unix_path;
    ret->mode = from->mode;
    ret->shared = true;
}

void listen_settle(const ListenSet *set)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    for (size_t i = 0; i < set->count; i++) {
        const ListenSocket *one = &set->at[i];
        if (one->shared && one->unix_path.len > 0 && one->mode != 0 &&
            str_to_c(one->unix_path, span_of(path, sizeof path)) == ERR_OK) {
            (void)chmod(path, one->mode);
        }
    }
}

/* ---- sockets that were shut down ---- */

/* A worker can turn a socket that it has shut down into a connection, whose close may block. */
static void drop_waiting(int fd)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    (void)connect(fd, &nowhere, sizeof nowhere);
}

static bool listen_again(const ListenSocket *socket, const SettingsAddress *address)
{
    drop_waiting(socket->fd);
    return bound_is_at(socket->fd, address) && listen(socket->fd, LISTEN_BACKLOG) == 0 &&
           bound_is_alive(socket->fd);
}

/* Binds a new socket under this one's descriptor number. */
static Err bind_anew(ListenSocket *socket, const Settings *settings,
                     const ListenerSettings *listener, Text *why)
{
    ListenSocket fresh = {.fd = -1};
    if (listener->address.unix_path.len > 0) {
        TRY(listen_unix(listener->address.unix_path, listener->mode, &fresh, why));
    } else {
        const Opening alone = {.settings = settings};
        TRY(listen_ip(&alone, &listener->address, &fresh, why));
    }
    int number = dup3(fresh.fd, socket->fd, O_CLOEXEC);
    (void)close(fresh.fd);
    if (number < 0) {
        return err_from_errno(errno);
    }
    socket->unix_path = listener->address.unix_path;
    socket->device = fresh.device;
    socket->inode = fresh.inode;
    socket->stored = false;
    return ERR_OK;
}

bool listen_mend(ListenSet *set, const Settings *settings)
{
    bool anew = false;
    for (size_t i = 0; i < set->count && i < settings->listener_count; i++) {
        ListenSocket *socket = &set->at[i];
        const ListenerSettings *listener = &settings->listeners[i];
        uint8_t room[256];
        Text why = text_in(span_of(room, sizeof room));
        if (socket->fd < 0 || bound_is_alive(socket->fd)) {
            continue;
        }
        bool is_unix = listener->address.unix_path.len > 0;
        if (!is_unix && listen_again(socket, &listener->address)) {
            LOG(WARN, "a worker had shut a listener: it listens again",
                LOG_STR("listener", socket->name));
        } else if (socket->passed) {
            LOG(ERROR, "a worker has shut a socket that was passed at the start: only the service "
                       "manager can bind it anew",
                LOG_STR("listener", socket->name));
        } else if (bind_anew(socket, settings, listener, &why) == ERR_OK) {
            LOG(WARN, "a worker had shut a listener: it was bound anew",
                LOG_STR("listener", socket->name));
            anew = true;
        } else {
            LOG(ERROR, "a worker has shut a listener, and it cannot be bound anew",
                LOG_STR("listener", socket->name), LOG_STR("why", text_str(&why)));
        }
    }
    return anew;
}

/* Which sockets of the previous set the settings keep. */
static Err find_stayers(Arena *arena, const Settings *settings, const ListenSet *before,
                        const bool **ret)
{
    size_t count = before ? before->count : 0;
    bool *stays = arena_array(arena, bool, count + 1);
    if (!stays) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < settings->listener_count && count > 0; i++) {
        const SettingsAddress *address = &settings->listeners[i].address;
        uint32_t there = 0;
        if (listen_find(before, address->text, &there)) {
            stays[there] = has_families(&before->at[there], settings, address);
        }
    }
    *ret = stays;
    return ERR_OK;
}

Err listen_open(Arena *arena, const Settings *settings, const ListenSet *before, ListenSet *ret,
                Text *why)
{
    size_t count = settings->listener_count;
    ListenSocket *sockets = arena_array(arena, ListenSocket, count);
    if (!sockets) {
        return ERR_MEMORY;
    }
    *ret = (ListenSet){.room = count, .at = sockets}; /* system call */
    Opening o = {.settings = settings, .before = before};
    TRY(str_map_open(arena, count, &ret->names));
    TRY(find_stayers(arena, settings, before, &o.stays));
    for (uint32_t i = 0; i < count; i++) {
        const ListenerSettings *from = &settings->listeners[i];
        uint32_t there = 0;
        if (listen_find(before, from->address.text, &there) && o.stays[there]) {
            share_socket(&before->at[there], from, &ret->at[i]);
        } else {
            TRY(open_one(&o, from, &ret->at[i], why));
        }
        str_map_add(&ret->names, 0, from->address.text, i);
        ret->count++;
    }
    return ERR_OK;
}

/* Removes the file if it is still the one we created. */
static void remove_file(const ListenSocket *socket)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat about;
    if (str_to_c(socket->unix_path, span_of(path, sizeof path)) == ERR_OK &&
        lstat(path, &about) == 0 && about.st_dev == socket->device &&
        about.st_ino == socket->inode) {
        (void)unlink(path);
    }
}

void listen_refuse(const ListenSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->at[i].fd >= 0 && !set->at[i].passed) {
            (void)shutdown(set->at[i].fd, SHUT_RDWR);
            drop_waiting(set->at[i].fd);
        }
    }
}

void listen_close(ListenSet *set, const ListenSet *stays, bool remove_files)
{
    for (size_t i = 0; i < set->count; i++) {
        ListenSocket *socket = &set->at[i];
        uint32_t other = 0;
        bool there = listen_find(stays, socket->name, &other);
        if (socket->fd < 0 || (there && stays->at[other].fd == socket->fd)) {
            continue;
        }
        if (remove_files && socket->unix_path.len > 0) {
            remove_file(socket);
        }
        if (!socket->passed) {
            (void)close(socket->fd);
        }
        socket->fd = -1;
    }
}
