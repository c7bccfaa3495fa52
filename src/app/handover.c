/* handover.c - messages of lines and descriptors over a SEQPACKET socket. */
#include "app/handover.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/fd_packet.h"
#include "app/trust.h"
#include "base/number.h"
#include "net/address.h"

#define MAGIC S("river-hand-over ")
#define SEND_MS 1000
#define SOCKET_MODE 0600

static const Str kind_names[] = {
    [HANDOVER_LISTENERS] = S_INIT("listeners"), [HANDOVER_PASSED] = S_INIT("passed"),
    [HANDOVER_STATE] = S_INIT("state"),         [HANDOVER_OVER] = S_INIT("over"),
    [HANDOVER_READY] = S_INIT("ready"),         [HANDOVER_FAILED] = S_INIT("failed"),
    [HANDOVER_RELEASED] = S_INIT("released"),
};
#define KINDS (sizeof kind_names / sizeof kind_names[0])

_Static_assert(HANDOVER_FDS_MAX <= FD_PACKET_MAX, "one packet");

/* ---- the text ---- */

Err handover_parse(Str text, HandoverKind *ret, Str *ret_lines)
{
    StrCut line = str_cut(text, '\n');
    if (!line.found || !str_starts(line.head, MAGIC)) {
        return ERR_SYNTAX;
    }
    StrCut words = str_cut(str_drop(line.head, MAGIC.len), ' ');
    uint64_t version = 0;
    if (!words.found || number_decimal(words.head, UINT32_MAX, &version) != ERR_OK) {
        return ERR_SYNTAX;
    }
    if (version != HANDOVER_VERSION) {
        return ERR_UNSUPPORTED;
    }
    HandoverKind kind = HANDOVER_UNKNOWN;
    for (size_t i = 1; i < KINDS; i++) {
        if (str_equal(words.tail, kind_names[i])) {
            kind = (HandoverKind)i;
        }
    }
    *ret = kind;
    *ret_lines = line.tail;
    return ERR_OK;
}

/* ---- sending ---- */

Err handover_send(int fd, HandoverKind kind, Str lines, const int *fds, size_t fd_count)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room));
    CHECK(fd_count <= HANDOVER_FDS_MAX && kind > HANDOVER_UNKNOWN && kind < KINDS);
    text_format(&t, "river-hand-over %u %.*s\n", HANDOVER_VERSION, STR_ARG(kind_names[kind]));
    text_add(&t, str_take(lines, sizeof room - 64));
    struct iovec piece = {room, t.len};
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
    FdRoom control = {0};
    if (fd_count > 0) {
        fd_packet_attach(&packet, &control, fds, fd_count);
    }
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    (void)poll(&ready, 1, SEND_MS);
    ssize_t n;
    do {
        n = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

/* ---- receiving ---- */

/* The process that has sent a packet; 0: unknown. */
static pid_t sender_of(struct msghdr *packet)
{
    struct ucred sender = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            (void)span_copy(span_of(&sender, sizeof sender),
                            str_of(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0)));
        }
    }
    return sender.pid;
}

static void close_all(HandoverMessage *m)
{
    for (size_t i = 0; i < m->fd_count; i++) {
        (void)close(m->fds[i]);
    }
    m->fd_count = 0;
}

Err handover_receive(int fd, Span room, int timeout_ms, HandoverMessage *ret)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (timeout_ms > 0 && poll(&ready, 1, timeout_ms) == 0) {
        return ERR_TIMEOUT;
    }
    HandoverMessage m = {0};
    FdRoom control = {0};
    struct iovec piece = {room.at, room.len}; /* system call */
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
    fd_packet_expect(&packet, &control, HANDOVER_FDS_MAX);
    ssize_t n;
    do {
        n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? ERR_CLOSED : err_from_errno(errno);
    }
    m.process = sender_of(&packet);
    m.fd_count = fd_packet_take(&packet, m.fds, HANDOVER_FDS_MAX);
    bool cut = (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    Err err = cut ? ERR_SYNTAX
                  : handover_parse(str_take(span_str(room), (size_t)n), &m.kind, &m.lines);
    if (err != ERR_OK) {
        close_all(&m);
        return err;
    }
    *ret = m;
    return ERR_OK;
}

/* ---- connecting ---- */

Err handover_pair(int *ret_old, int *ret_new)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return err_from_errno(errno);
    }
    trust_no_descriptors(ends[0]);
    *ret_old = ends[0];
    *ret_new = ends[1];
    return ERR_OK;
}

Err handover_connect(Str path, int *ret, Text *why)
{
    Address to;
    TRY(address_unix(path, &to));
    Err trusted = trust_check_directory(path, why);
    if (trusted != ERR_OK) {
        return trusted == ERR_MISSING ? ERR_REFUSED : trusted;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = ERR_OK;
    if (connect(fd, &to.as.any, to.bytes) != 0) {
        err = errno == ENOENT ? ERR_REFUSED : err_from_errno(errno);
    } else {
        err = trust_check_peer(fd, why);
    }
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    *ret = fd;
    return ERR_OK;
}

static Err await_at(int listener, int timeout_ms, int *ret, Text *why)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    if (poll(&ready, 1, timeout_ms) <= 0) {
        return ERR_TIMEOUT;
    }
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = trust_check_peer(fd, why);
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    *ret = fd;
    return ERR_OK;
}

/* The file is created with its final mode; a stale one is replaced. */
static Err bind_private(int fd, const Address *at)
{
    mode_t before = umask(0777 & ~SOCKET_MODE);
    int bound = bind(fd, &at->as.any, at->bytes);
    if (bound != 0 && errno == EADDRINUSE) {
        struct stat about;
        if (lstat(at->as.local.sun_path, &about) == 0 && S_ISSOCK(about.st_mode)) {
            (void)unlink(at->as.local.sun_path);
            bound = bind(fd, &at->as.any, at->bytes);
        }
    }
    int number = errno;
    (void)umask(before);
    return bound == 0 ? ERR_OK : err_from_errno(number);
}

Err handover_listen(Str path, int *ret)
{
    Address at;
    TRY(address_unix(path, &at));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = bind_private(fd, &at);
    if (err == ERR_OK && listen(fd, 1) != 0) {
        err = err_from_errno(errno);
    }
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    *ret = fd;
    return ERR_OK;
}

Err handover_await(Str path, int timeout_ms, int *ret, Text *why)
{
    Address at;
    int fd = -1;
    TRY(address_unix(path, &at));
    TRY(trust_check_directory(path, why));
    Err err = handover_listen(path, &fd);
    if (err == ERR_OK) {
        err = await_at(fd, timeout_ms, ret, why);
        (void)unlink(at.as.local.sun_path);
        (void)close(fd);
    }
    if (err != ERR_OK && why->len == 0) {
        text_format(why, "nobody has handed over at %.*s: %s", STR_ARG(path), err_sentence(err));
    }
    return err;
}
