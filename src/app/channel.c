/* channel.c - messages with descriptors over a SEQPACKET socketpair. */
#include "app/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/number.h"

#define PATIENCE_MS 1000

typedef struct WireHead { /* both ends are one program, so the layout is the compiler's */
    uint32_t kind;
    uint32_t id;
    uint64_t value;
    uint64_t fd_set; /* bit n: fds[n] travels along */
} WireHead;

typedef union FdRoom { /* aligned for its cmsghdr */
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
} FdRoom;

Err channel_open(int *ret_supervisor, int *ret_worker)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return err_from_errno(errno);
    }
    *ret_supervisor = ends[0];
    *ret_worker = ends[1];
    return ERR_OK;
}

/* Puts the descriptors that are not -1 into the ancillary data. */
static void attach_fds(struct msghdr *packet, FdRoom *room, const ChannelMessage *message,
                       WireHead *head)
{
    int fds[CHANNEL_FDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0) {
            head->fd_set |= UINT64_C(1) << i;
            fds[count++] = message->fds[i];
        }
    }
    if (count == 0) {
        return;
    }
    packet->msg_control = room->bytes;
    packet->msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *control = CMSG_FIRSTHDR(packet);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int) * count);
    size_t bytes = sizeof(int) * count;
    (void)span_copy(span_of(CMSG_DATA(control), bytes), str_of(fds, bytes));
}

Err channel_send(int fd, const ChannelMessage *message)
{
    CHECK(message->bytes.len <= CHANNEL_BYTES_MAX && message->fd_count <= CHANNEL_FDS_MAX);
    WireHead head = {.kind = message->kind, .id = message->id, .value = message->value};
    uint8_t body[CHANNEL_BYTES_MAX];
    (void)span_copy(span_of(body, sizeof body), message->bytes);
    struct iovec pieces[2] = {{&head, sizeof head}, {body, message->bytes.len}};
    struct msghdr packet = {.msg_iov = pieces, .msg_iovlen = 2};
    FdRoom room = {0};
    attach_fds(&packet, &room, message, &head);
    ssize_t n;
    do {
        n = sendmsg(fd, &packet, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

Err channel_send_patiently(int fd, const ChannelMessage *message)
{
    Err err = channel_send(fd, message);
    if (err == ERR_AGAIN) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        (void)poll(&room, 1, PATIENCE_MS);
        err = channel_send(fd, message);
    }
    return err;
}

/* Takes the descriptors of a received packet, at their places. */
static void collect_fds(struct msghdr *packet, uint64_t fd_set, bool take, ChannelMessage *ret)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        int fds[CHANNEL_FDS_MAX];
        size_t bytes = size_min(c->cmsg_len - CMSG_LEN(0), sizeof fds);
        (void)span_copy(span_of(fds, sizeof fds), str_of(CMSG_DATA(c), bytes));
        size_t next = 0;
        for (size_t i = 0; i < CHANNEL_FDS_MAX && next < bytes / sizeof(int); i++) {
            if (!take) {
                (void)close(fds[next++]);
            } else if (fd_set & UINT64_C(1) << i) {
                ret->fds[i] = fds[next++];
            }
        }
    }
}

Err channel_receive(int fd, Span room, bool take_fds, ChannelMessage *ret)
{
    WireHead head = {0};
    struct iovec pieces[2] = {{&head, sizeof head}, {room.at, room.len}}; /* system call */
    FdRoom control = {0};
    struct msghdr packet = {.msg_iov = pieces,
                            .msg_iovlen = 2,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do {
        n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_from_errno(errno);
    }
    if (n == 0) {
        return ERR_CLOSED;
    }
    *ret = (ChannelMessage){.fd_count = CHANNEL_FDS_MAX};
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++) {
        ret->fds[i] = -1;
    }
    collect_fds(&packet, head.fd_set, take_fds, ret);
    if ((size_t)n < sizeof head || head.kind > CHANNEL_DEAF ||
        (packet.msg_flags & MSG_TRUNC)) {
        return ERR_SYNTAX;
    }
    ret->kind = (ChannelKind)head.kind;
    ret->id = head.id;
    ret->value = head.value;
    ret->bytes = str_take(span_str(room), (size_t)n - sizeof head);
    return ERR_OK;
}
