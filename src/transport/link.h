/* link.h - one side of a request in either version of HTTP: a whole HTTP/1 connection, or one
 * stream of an HTTP/2 connection.
 *
 * The phases and pumps above see only links: the wire format of heads, bodies and ends is decided
 * here. A Link is looked up for one step and never kept. */
#ifndef TRANSPORT_LINK_H
#define TRANSPORT_LINK_H

#include "transport/body.h"
#include "transport/head_edit.h"
#include "transport/mux.h"
#include "transport/thread.h"
#include "transport/wire.h"

typedef struct Link {
    Wire *wire;   /* HTTP/1; NULL: `stream` */
    Buf *in;      /* received, not consumed */
    MuxStream *stream;
} Link;

/* A head under construction (forward.h), in the form that the link needs. */
typedef struct HeadOut {
    Text text;     /* HTTP/1: the head itself. HTTP/2: generated names and values */
    bool h2;
    bool filled;   /* there is something to send before the body */
    bool body;     /* HTTP/2: a body follows, even if it may be empty */
    HeadEdit *edit; /* instead of either form, fields are collected for filters */
    Str edit_name;
    size_t count;  /* HTTP/2: number of fields */
    size_t room;
    H2Field *fields COUNTED_BY(room);
} HeadOut;

static inline bool link_is_open(Link l)
{
    return l.wire || l.stream;
}

/* Whether the peer has not yet taken what it was given: then no more is read for it. */
static inline bool link_blocked(Link l)
{
    return l.wire ? l.wire->out.len > 0 : l.stream->out.len > 0 && !l.stream->closed;
}

/* Whether the peer can neither take nor give anything any more. */
static inline bool link_broken(Link l)
{
    if (l.wire) {
        return l.wire->broken;
    }
    return l.stream->fault != HTTP_FAULT_NONE ||
           (l.stream->closed && !(l.stream->in_ended && l.stream->out_done));
}

/* The rule of HTTP/2 messages that the peer broke after its head, if any. */
static inline HttpFault link_fault(Link l)
{
    return l.stream ? l.stream->fault : HTTP_FAULT_NONE;
}

/* Whether there is something to read: bytes, or the news that the stream broke. */
static inline bool link_readable(Link l)
{
    if (l.wire) {
        return l.wire->readable;
    }
    return l.stream->in.len > 0 || (l.stream->closed && !l.stream->in_ended);
}

/* Whether another read will yield something new: bytes, or the end, which is reported once all
 * bytes before it have been taken. */
static inline bool link_has_more(Link l)
{
    return link_readable(l) || (l.wire && l.wire->ended);
}

/* Whether the peer has finished sending (bytes may be left to read). */
static inline bool link_ended(Link l)
{
    return l.wire ? l.wire->ended : l.stream->in_ended || l.stream->closed;
}

/* How many bytes may be read for the peer of `to`. */
size_t link_room(const Thread *t, Link to);

/* Sends queued bytes; *ret_sent: bytes that the peer took since the last call. */
MUST_USE Err link_flush(Thread *t, Link l, size_t *ret_sent);
/* Fills the thread's input with bytes that arrived before, then at most `room` new ones. *ret_old:
 * the old bytes, which come first; *ret_total: all. ERR_AGAIN: nothing at all; ERR_CLOSED: the end,
 * with nothing before it. */
MUST_USE Err link_fill(Thread *t, Link l, size_t room, size_t *ret_old, size_t *ret_total);
/* Keeps the input bytes after the first `consumed` of `total` (as returned by link_fill). */
MUST_USE Err link_keep(Thread *t, Link l, size_t total, size_t consumed);

/* One step of a body arriving over the link. */
typedef struct LinkBody {
    size_t old;
    size_t total;    /* bytes in the thread's input */
    size_t consumed; /* ... of which consumed */
    Str data;        /* body bytes, in the thread's input */
    Fields trailers; /* in the thread's field room; count 0: none */
    HttpFault fault;
} LinkBody;

/* Reads at most `room` new bytes and decodes them. The caller keeps the rest (link_keep) once it
 * has passed the data on. Errors as of link_fill. */
MUST_USE Err link_read_body(Thread *t, Link l, Body *body, size_t room, LinkBody *ret);
/* Decodes the first `total` bytes of the thread's input, received over the link. */
void link_decode_body(Thread *t, Link l, Body *body, size_t total, LinkBody *ret);

/* An empty head in the thread's output buffer. */
HeadOut link_head(Thread *t, Link l);
/* Sends an interim head at once. */
MUST_USE Err link_send_interim(Thread *t, Link l, HeadOut *head);
/* Sends the head, if any, body bytes, and with `last` the end of the body with its trailers;
 * `chunked`: HTTP/1 uses chunked framing. Uses a single system call where possible. *ret_bytes:
 * bytes sent, before encryption and compression. */
MUST_USE Err link_send(Thread *t, Link l, HeadOut *head, Str data, bool chunked, bool last,
                       const Fields *trailers, size_t *ret_bytes);

#endif
