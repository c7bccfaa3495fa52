/* mux.h - an HTTP/2 connection with its streams, on either side of River.
 *
 * A `Mux` stands between a wire and a codec session (http/h2.h) and belongs to one Client or
 * Upstream. A `MuxStream` is one stream: what has arrived and was not passed on (`in`), what was
 * given and not sent (`out`). What happens on a stream is recorded there, and wakes its exchange
 * later in the same turn; nothing runs inside the codec.
 *
 * Memory is bounded by flow control: `in` holds at most a stream's window, all of them together the
 * connection's, and a window opens again only for bytes that the other side has taken. `out` holds
 * what one read of the other side gave: while it is not empty, nothing more is read for it. */
#ifndef PROXY_MUX_H
#define PROXY_MUX_H

#include "http/h2.h"
#include "proxy/thread.h"
#include "proxy/wire.h"

#define MUX_STREAM_WINDOW (128u << 10)
#define MUX_WINDOW (1u << 20)
#define MUX_HEADS_MAX 20u /* interim responses that may wait */
#define MUX_LOST UINT32_MAX /* in place of an error code: the connection has gone */
#define MUX_DIRECT_BYTES_MIN (8u << 10) /* a larger piece of a body is sent at once, not copied */

/* A head that has arrived and was not looked at; it lies in its own arena. */
typedef struct MuxHead MuxHead;
struct MuxHead {
    MuxHead *next;
    Arena arena;
    RequestHead request;   /* on a client's connection */
    ResponseHead response; /* on an origin's */
    HttpFault fault;
    bool last; /* no body follows */
};

typedef struct MuxStream {
    Handle self;
    Handle exchange; /* none: not started, or the exchange is over */
    Token owner;     /* of the connection */
    int32_t id;
    Handle next; /* in the connection's list */
    Handle previous;
    Timer timer;
    MuxHead *heads; /* oldest first */
    uint32_t head_count;
    Buf in;
    Buf out;
    Str direct; /* more to send, behind `out`; only while mux_send runs */
    Arena trailers_in_arena;
    Fields trailers_in;
    Arena trailers_out_arena;
    size_t trailers_out_count;
    H2Field *trailers_out;
    size_t moved_out; /* bytes taken from `out` since mux_moved last asked */
    uint32_t code;    /* with `closed`: why (RFC 9113 §7), or MUX_LOST */
    bool again;       /* is queued in Thread.again */
    bool started;     /* its exchange was made */
    bool in_ended;    /* the peer has finished (there may be bytes in `in`) */
    bool out_ended;   /* nothing more will be given to `out` */
    bool out_done;    /* ... and all of it was sent */
    bool closed;      /* the codec knows it no more */
} MuxStream;

typedef struct Mux {
    H2 *h2;
    Thread *thread;
    Token owner;
    bool server;
    bool flushing;     /* is queued in Thread.flush */
    bool leaving;      /* River has said goodbye */
    uint64_t leave_ms; /* when it is to leave, as was notified; 0: never */
    bool failed;
    uint32_t count;    /* streams in the list */
    Handle first;
    uint64_t progress_ms; /* when the peer last took something, while it has to */
} Mux;

/* A session over the connection `owner` (TOKEN_CLIENT or TOKEN_UPSTREAM). NULL: no memory. */
Mux *mux_new(Thread *t, Token owner, bool server, const HeadLimits *limits, uint32_t streams_max);
/* Ends it: streams are lost (their exchanges are told); memory is given back. */
void mux_drop(Thread *t, Mux *m);

/* Reads what the wire has, and records what it says. ERR_AGAIN: nothing more now; ERR_CLOSED: the
 * peer has finished; ERR_SYNTAX: it broke the protocol (flush, then close); others: broken. */
MUST_USE Err mux_receive(Thread *t, Mux *m, Wire *w);
/* Bytes that were read already (a preface on a plain connection). */
MUST_USE Err mux_feed(Mux *m, Str bytes);
/* Sends what the session has to say, while the wire takes it. */
MUST_USE Err mux_flush(Thread *t, Mux *m, Wire *w);
/* The same at the end of the turn, once for everything that happens until then. */
void mux_flush_later(Thread *t, Mux *m);
/* Takes no more streams, and tells the peer. */
void mux_leave(Thread *t, Mux *m);
/* Says that the connection will end, while new streams are still taken; mux_leave is the owner's to
 * call at `leave_ms`. */
void mux_notify(Thread *t, Mux *m, uint64_t leave_ms);
/* Whether nothing is left to do on it after it said goodbye, or the peer did. */
bool mux_is_over(const Mux *m);

/* --- streams --- */

/* A stream for a request to an origin; NULL: no room. `first`, with its exchange. */
MuxStream *mux_stream_open(Thread *t, Mux *m, Handle exchange);
/* The exchange is over, or turns away from the stream: what still comes is discarded. With
 * H2_NO_ERROR what was given to it is still sent, and the stream has `linger_ms` to end by itself;
 * otherwise it is reset. */
void mux_stream_leave(Thread *t, MuxStream *s, uint32_t code, uint64_t linger_ms);
/* The oldest head that waits; the caller frees it (mux_head_drop) or takes its arena. */
MuxHead *mux_head_take(MuxStream *s);
void mux_head_drop(MuxHead *head);
/* A deadline that the stream itself keeps has passed. */
void mux_stream_on_timer(Thread *t, Handle h);
/* Wakes the stream's exchange (or starts it) later in this turn. */
void mux_stream_again(Thread *t, MuxStream *s);

/* `n` bytes at the front of `in` were passed on. */
void mux_consume(Thread *t, MuxStream *s, size_t n);
/* Sends body bytes; `last`: the body ends, with these trailers (names are made lower case).
 * ERR_MEMORY; ERR_CLOSED: the stream is gone. */
MUST_USE Err mux_send(Thread *t, MuxStream *s, Str data, bool last, const Fields *trailers);
/* Bytes that were sent since the last call. */
size_t mux_moved(MuxStream *s);

/* The connection's Mux; NULL when that is gone. */
Mux *mux_of(const Thread *t, const MuxStream *s);
/* All streams' exchanges, for a connection that goes. */
void mux_cut(Thread *t, Mux *m, Fault fault);

static inline MuxStream *mux_stream_get(const Thread *t, Handle h)
{
    return (MuxStream *)pool_get(&t->streams, h);
}

#endif
