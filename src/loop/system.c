/* system.c - the real system calls. Sockets are non-blocking, closed on exec, and without Nagle's
 * delay; sending never raises SIGPIPE. */
#include "loop/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

const System *system_calls = &system_real;

static uint64_t real_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void system_keep_alive(int fd)
{
    const int on = 1;
    const int quiet_s = KEEP_ALIVE_QUIET_S;
    const int apart_s = KEEP_ALIVE_APART_S;
    const int probes = KEEP_ALIVE_PROBES;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet_s, sizeof quiet_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &apart_s, sizeof apart_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static int real_accept(int listener, struct sockaddr_storage *ret_peer, socklen_t *ret_bytes)
{
    int fd = accept4(listener, (struct sockaddr *)ret_peer, ret_bytes,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && ret_peer->ss_family != AF_UNIX) {
        no_delay(fd);
    }
    return fd;
}

static int real_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && family != AF_UNIX) {
        no_delay(fd);
        system_keep_alive(fd);
    }
    return fd;
}

static int real_connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
    return connect(fd, to, bytes);
}

static int real_socket_error(int fd)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
        return -1;
    }
    return error;
}

/* These two run for each piece of each request. The C library's own are cancellation points, which
 * costs two locked instructions a call in a process with threads; ours are never cancelled. */
static ssize_t real_receive(int fd, void *bytes, size_t room)
{
    return syscall(SYS_recvfrom, fd, bytes, room, 0, NULL, NULL);
}

static ssize_t real_send(int fd, const void *bytes, size_t len)
{
    return syscall(SYS_sendto, fd, bytes, len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t real_send_more(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL | MSG_MORE);
}

static ssize_t real_send_pieces(int fd, struct iovec *pieces, size_t count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int real_shutdown_send(int fd)
{
    return shutdown(fd, SHUT_WR);
}

static int real_unacked(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}

static int real_close(int fd)
{
    return close(fd);
}

static int real_close_reset(int fd)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    return close(fd);
}

static int real_poll_change(int poller, int operation, int fd, struct epoll_event *event)
{
    return epoll_ctl(poller, operation, fd, event);
}

static int real_poll_alarm(int alarm, uint64_t due_ms)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(due_ms / 1000),
                                         .tv_nsec = (long)(due_ms % 1000 * 1000000 + 1)}};
    return timerfd_settime(alarm, TFD_TIMER_ABSTIME, &at, NULL);
}

static int real_poll_wait(int poller, struct epoll_event *events, int room, int timeout_ms)
{
    return epoll_wait(poller, events, room, timeout_ms);
}

/* --- files ----------------------------------------------------------------------------------- */

#define RACES_MAX 8 /* a path that someone keeps moving is given up */

/* Symbolic links and ".." never lead out of `root` (RESOLVE_BENEATH), nor through /proc's magic
 * links. O_NONBLOCK: a FIFO does not wait for its writer. RESOLVE_CACHED: only what the kernel
 * knows without asking a disk (Linux 5.12; older ones say EINVAL, taken as "would wait"). */
static int real_file_open(int root, const char *path, bool now)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    if (now) {
        how.resolve |= RESOLVE_CACHED;
    }
    int tries = now ? 1 : RACES_MAX;
    long fd = -1;
    while (fd < 0 && tries-- > 0) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    if (fd < 0 && now && errno == EINVAL) {
        errno = EAGAIN;
    }
    return (int)fd;
}

static int real_file_facts(int fd, bool now, struct statx *ret)
{
    unsigned what = STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_CTIME | STATX_INO;
    return statx(fd, "", AT_EMPTY_PATH | (now ? AT_STATX_DONT_SYNC : AT_STATX_SYNC_AS_STAT), what,
                 ret);
}

static ssize_t real_file_read(int fd, void *bytes, size_t room, uint64_t offset, bool now)
{
    struct iovec into = {.iov_base = bytes, .iov_len = room};
    ssize_t n;
    do {
        n = preadv2(fd, &into, 1, (off_t)offset, now ? RWF_NOWAIT : 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && now && errno == EOPNOTSUPP) {
        errno = EAGAIN; /* this file system cannot tell */
    }
    return n;
}

/* cachestat(2), of Linux 6.5; its number is the same everywhere. */
static ssize_t real_file_ready(int fd, uint64_t offset, size_t len)
{
    struct {
        uint64_t offset;
        uint64_t len;
    } range = {offset, len};
    struct {
        uint64_t cached;
        uint64_t others[4];
    } pages = {0};
    if (syscall(451, fd, &range, &pages, 0) != 0) {
        return -1;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t wanted = (offset + len + page - 1) / page - offset / page;
    return pages.cached >= wanted ? (ssize_t)len : 0;
}

static ssize_t real_file_send(int socket, int fd, uint64_t offset, size_t len)
{
    off_t from = (off_t)offset;
    return sendfile(socket, fd, &from, len);
}

const System system_real = {
    .now_ns = real_now_ns,
    .accept = real_accept,
    .socket = real_socket,
    .connect = real_connect,
    .socket_error = real_socket_error,
    .receive = real_receive,
    .send = real_send,
    .send_more = real_send_more,
    .send_pieces = real_send_pieces,
    .shutdown_send = real_shutdown_send,
    .unacked = real_unacked,
    .close = real_close,
    .close_reset = real_close_reset,
    .poll_change = real_poll_change,
    .poll_alarm = real_poll_alarm,
    .poll_wait = real_poll_wait,
    .file_open = real_file_open,
    .file_facts = real_file_facts,
    .file_read = real_file_read,
    .file_ready = real_file_ready,
    .file_send = real_file_send,
};
