/* channel.c - orders with descriptors over a SEQPACKET socketpair, answers over a pipe. */
#include "app/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "app/fd_packet.h"
#include "base/number.h"

#define PATIENCE_MS 1000
#define PIPE_BYTES (1 << 18) /* room for answers that the supervisor has not read yet */

typedef struct WireHead { /* both ends are the same program, so the compiler's layout will do */
    uint32_t kind;
    uint32_t id;
    uint64_t value;
    uint64_t fd_set; /* bit n: fds[n] is sent along */
} WireHead;

_Static_assert(CHANNEL_FDS_MAX <= FD_PACKET_MAX, "one packet");
_Static_assert(CHANNEL_ANSWER_BYTES_MAX + sizeof(WireHead) <= PIPE_BUF, "a packet of a pipe");

void channel_close(ChannelEnd *io_end)
{
    if (io_end->orders >= 0) {
        (void)close(io_end->orders);
    }
    if (io_end->answers >= 0) {
        (void)close(io_end->answers);
    }
    *io_end = CHANNEL_CLOSED;
}

/* Opens the pipe for answers, given the open pair of sockets. */
static Err open_answers(const int *sockets, int *pipes)
{
    if (shutdown(sockets[0], SHUT_RD) != 0 ||
        pipe2(pipes, O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0) {
        return err_from_errno(errno);
    }
    (void)fcntl(pipes[0], F_SETPIPE_SZ, PIPE_BYTES); /* best effort: limited per user */
    return ERR_OK;
}

Err channel_open(ChannelEnd *ret_supervisor, ChannelEnd *ret_worker)
{
    int sockets[2];
    int pipes[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0) {
        return err_from_errno(errno);
    }
    Err err = open_answers(sockets, pipes);
    *ret_supervisor = (ChannelEnd){.orders = sockets[0], .answers = pipes[0]};
    *ret_worker = (ChannelEnd){.orders = sockets[1], .answers = pipes[1]};
    if (err != ERR_OK) {
        channel_close(ret_supervisor);
        channel_close(ret_worker);
    }
    return err;
}

/* ---- orders ---- */

/* Puts the descriptors other than -1 into the ancillary data. */
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
    fd_packet_attach(packet, room, fds, count);
}

Err channel_order(const ChannelEnd *end, const ChannelMessage *message)
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
        n = sendmsg(end->orders, &packet, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

static void wait_for_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    (void)poll(&room, 1, PATIENCE_MS);
}

Err channel_order_patiently(const ChannelEnd *end, const ChannelMessage *message)
{
    Err err = channel_order(end, message);
    if (err == ERR_AGAIN) {
        wait_for_room(end->orders);
        err = channel_order(end, message);
    }
    return err;
}

/* Takes the descriptors of a received packet, in their positions. */
static void collect_fds(struct msghdr *packet, uint64_t fd_set, ChannelMessage *ret)
{
    int fds[CHANNEL_FDS_MAX];
    size_t count = fd_packet_take(packet, fds, CHANNEL_FDS_MAX);
    size_t next = 0;
    for (size_t i = 0; i < CHANNEL_FDS_MAX && next < count; i++) {
        if (fd_set & UINT64_C(1) << i) {
            ret->fds[i] = fds[next++];
        }
    }
}

/* Reads all but the descriptors: `len` bytes in total, starting with the head. */
static Err read_message(const WireHead *head, Str bytes, size_t len, ChannelMessage *ret)
{
    if (len < sizeof *head || head->kind > CHANNEL_LAST) {
        return ERR_SYNTAX;
    }
    ret->kind = (ChannelKind)head->kind;
    ret->id = head->id;
    ret->value = head->value;
    ret->bytes = str_take(bytes, len - sizeof *head);
    return ERR_OK;
}

static ChannelMessage empty_message(void)
{
    ChannelMessage m = {.fd_count = CHANNEL_FDS_MAX};
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++) {
        m.fds[i] = -1;
    }
    return m;
}

Err channel_take_order(const ChannelEnd *end, Span room, ChannelMessage *ret)
{
    WireHead head = {0};
    struct iovec pieces[2] = {{&head, sizeof head}, {room.at, room.len}}; /* system call */
    FdRoom control = {0};
    struct msghdr packet = {.msg_iov = pieces, .msg_iovlen = 2};
    fd_packet_expect(&packet, &control, CHANNEL_FDS_MAX);
    ssize_t n;
    do {
        n = recvmsg(end->orders, &packet, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? ERR_CLOSED : err_from_errno(errno);
    }
    *ret = empty_message();
    collect_fds(&packet, head.fd_set, ret);
    return packet.msg_flags & MSG_TRUNC ? ERR_SYNTAX
                                        : read_message(&head, span_str(room), (size_t)n, ret);
}

/* ---- answers ---- */

/* One write, so one packet. */
static Err write_packet(int fd, Str packet)
{
    ssize_t n;
    do {
        n = write(fd, packet.at, packet.len); /* system call */
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

Err channel_answer(const ChannelEnd *end, const ChannelMessage *answer)
{
    CHECK(answer->bytes.len <= CHANNEL_ANSWER_BYTES_MAX && answer->fd_count == 0);
    WireHead head = {.kind = answer->kind, .id = answer->id, .value = answer->value};
    uint8_t room[PIPE_BUF];
    size_t len = span_copy(span_of(room, sizeof room), str_of(&head, sizeof head));
    len += span_copy(span_drop(span_of(room, sizeof room), len), answer->bytes);
    Err err = write_packet(end->answers, str_of(room, len));
    if (err == ERR_AGAIN) {
        wait_for_room(end->answers);
        err = write_packet(end->answers, str_of(room, len));
    }
    return err;
}

Err channel_take_answer(const ChannelEnd *end, Span room, ChannelMessage *ret)
{
    WireHead head = {0};
    ssize_t n;
    do {
        n = read(end->answers, room.at, room.len); /* system call */
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? ERR_CLOSED : err_from_errno(errno);
    }
    Str packet = str_take(span_str(room), (size_t)n);
    *ret = empty_message();
    (void)span_copy(span_of(&head, sizeof head), str_take(packet, sizeof head));
    return read_message(&head, str_drop(packet, sizeof head), packet.len, ret);
}
