/* stream.c - plain streams over sockets. */
#include "net/stream.h"

#include <errno.h>

#include "loop/system.h"

static Err plain_receive(Stream *s, Span room, size_t *ret_received)
{
    ssize_t n = system_calls->receive(s->fd, room.at /* system call */, room.len);
    if (n > 0) {
        *ret_received = (size_t)n;
        return ERR_OK;
    }
    return n == 0 ? ERR_CLOSED : err_from_errno(errno);
}

static Err plain_send(Stream *s, const Str *pieces, size_t count, size_t *ret_sent)
{
    ssize_t n;
    if (count == 1) {
        n = system_calls->send(s->fd, pieces[0].at /* system call */, pieces[0].len);
    } else {
        struct iovec vector[STREAM_PIECES_MAX];
        size_t used = count < STREAM_PIECES_MAX ? count : STREAM_PIECES_MAX;
        for (size_t i = 0; i < used; i++) {
            vector[i].iov_base = (void *)(uintptr_t)pieces[i].at; /* system call */
            vector[i].iov_len = pieces[i].len;
        }
        n = system_calls->send_pieces(s->fd, vector, used);
    }
    if (n < 0) {
        return err_from_errno(errno);
    }
    *ret_sent = (size_t)n;
    return ERR_OK;
}

static void plain_finish(Stream *s)
{
    (void)system_calls->shutdown_send(s->fd);
}

static void plain_close(Stream *s, bool abort)
{
    (void)(abort ? system_calls->close_reset(s->fd) : system_calls->close(s->fd));
}

static const StreamKind plain_kind = {
    .receive = plain_receive,
    .send = plain_send,
    .finish = plain_finish,
    .close = plain_close,
};

Stream stream_plain(int fd)
{
    return (Stream){.kind = &plain_kind, .fd = fd};
}

Err stream_send_more(Stream *s, Str bytes, size_t *ret_sent)
{
    ssize_t n = system_calls->send_more(s->fd, bytes.at /* system call */, bytes.len);
    if (n < 0) {
        return err_from_errno(errno);
    }
    *ret_sent = (size_t)n;
    return ERR_OK;
}

Err stream_dial(const Address *to, Stream *ret)
{
    int fd = system_calls->socket(to->as.any.sa_family);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (system_calls->connect(fd, &to->as.any, to->bytes) != 0 && errno != EINPROGRESS) {
        Err err = err_from_errno(errno);
        (void)system_calls->close(fd);
        return err == ERR_AGAIN ? ERR_REFUSED : err; /* a Unix socket's backlog is full */
    }
    *ret = stream_plain(fd);
    return ERR_OK;
}

Err stream_connected(const Stream *s)
{
    int error = system_calls->socket_error(s->fd);
    return error < 0 ? ERR_SYSTEM : err_from_errno(error);
}

Err stream_accept(int listener, Stream *ret, Peer *ret_peer)
{
    struct sockaddr_storage from = {0};
    socklen_t bytes = sizeof from;
    int fd = system_calls->accept(listener, &from, &bytes);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    *ret = stream_plain(fd);
    *ret_peer = address_peer(&from);
    return ERR_OK;
}
