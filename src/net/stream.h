/* stream.h - the byte stream to a peer: what is plain today may be TLS tomorrow.
 *
 * A Stream owns its descriptor; the zero value has none. Nothing here waits. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/err.h"
#include "net/address.h"

#define STREAM_PIECES_MAX 16

typedef struct Stream Stream;

typedef struct StreamKind {
    /* Reads what is there, at most room.len. ERR_AGAIN: nothing now; ERR_CLOSED: the peer has
     * finished sending; other errors: the connection is broken. */
    Err (*receive)(Stream *s, Span room, size_t *ret_received);
    /* Sends a prefix of the pieces (at most STREAM_PIECES_MAX). ERR_AGAIN: nothing could be. */
    Err (*send)(Stream *s, const Str *pieces, size_t count, size_t *ret_sent);
    /* Tells the peer that nothing more will come; reading goes on. */
    void (*finish)(Stream *s);
    /* `abort`: the peer shall see that what it got is not complete. */
    void (*close)(Stream *s, bool abort);
} StreamKind;

struct Stream {
    const StreamKind *kind; /* NULL: no stream */
    int fd;
};

/* A stream over a connected (or connecting) socket, which it takes over. */
Stream stream_plain(int fd);

static inline bool stream_is_open(const Stream *s)
{
    return s->kind != NULL;
}

MUST_USE static inline Err stream_receive(Stream *s, Span room, size_t *ret_received)
{
    return s->kind->receive(s, room, ret_received);
}

MUST_USE static inline Err stream_send(Stream *s, const Str *pieces, size_t count,
                                       size_t *ret_sent)
{
    return s->kind->send(s, pieces, count, ret_sent);
}

static inline void stream_finish(Stream *s)
{
    if (s->kind) {
        s->kind->finish(s);
    }
}

static inline void stream_close(Stream *s, bool abort)
{
    if (s->kind) {
        s->kind->close(s, abort);
        s->kind = NULL;
        s->fd = -1;
    }
}

/* Sends a prefix of `bytes`, which the system may hold back until more comes; that must follow at
 * once. For a stream that is plain. */
MUST_USE Err stream_send_more(Stream *s, Str bytes, size_t *ret_sent);
/* Starts a connection. ERR_OK: the stream is open and its connect under way or done (readiness to
 * write, then stream_connected, tells). */
MUST_USE Err stream_dial(const Address *to, Stream *ret);
/* The outcome of a dial whose stream became writable. */
MUST_USE Err stream_connected(const Stream *s);
/* One waiting client of a listener. ERR_AGAIN: there is none. */
MUST_USE Err stream_accept(int listener, Stream *ret, Peer *ret_peer);

#endif
