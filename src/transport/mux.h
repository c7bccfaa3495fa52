/* mux.h - an HTTP/2 connection with its streams, on either side of River.
 *
 * A `Mux` is between a wire and a codec session (http/h2.h), and belongs to whoever has the wire. A
 * `MuxStream` is one stream: what has arrived and was not passed on (`in`), what was given and not
 * sent (`out`). What happens on a stream is recorded there, and wakes its user later in the same
 * turn; nothing runs inside the codec.
 *
 * Memory is bounded by flow control. `in` holds at most a stream's window, which opens again only
 * for bytes that the other side has taken. The connection's window opens as bytes arrive, so that a
 * slow reader of one stream does not stop the others; only what streams hold beyond `held_max`, or
 * MUX_HELD_FILLED while half of the budget is in use, keeps it closed. `out` holds what one read of
 * the other side gave: while it is not empty, nothing more is read for it. That read is a small one
 * where the streams of the connection hold much already: each of them can always go on, so none has
 * to wait for the others.
 *
 * The socket is always read to its end: frames of the connection (WINDOW_UPDATE, PING) must not
 * wait for anything. mux_receive is the one place that reads, and where it leaves bytes behind it
 * queues the owner for another go. */
#ifndef TRANSPORT_MUX_H
#define TRANSPORT_MUX_H

#include "http/h2.h"
#include "transport/fault.h"
#include "transport/thread.h"
#include "transport/wire.h"

#define MUX_STREAM_WINDOW (128u << 10)
#define MUX_WINDOW (1u << 20)
#define MUX_CLIENT_HELD_MAX (3u << 20) /* of one client's request bodies, beyond which it waits */
#define MUX_HELD_FILLED (256u << 10) /* ... of any peer's bodies, while much memory is in use */
#define MUX_OWED_MS 250u /* a window that is closed because of that is looked at again after */
#define MUX_QUEUED_MANY (1u << 20) /* in a connection's `out`, beyond which reads are small */
#define MUX_HEADS_MAX 20u /* interim responses that may wait */
#define MUX_LOST UINT32_MAX /* in place of an error code: the connection has gone */
#define MUX_REFUSED (UINT32_MAX - 1) /* the same, and the origin has refused River's certificate */
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

typedef struct Mux Mux;

typedef struct MuxStream {
    Handle self;
    Token user; /* of the request on it; none: not started, or over */
    Mux *mux;   /* NULL: the connection has gone */
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
    uint64_t moved_seen; /* Mux.moved, then */
    bool pulled;     /* bytes were, since mux_look was last asked */
    bool looked;     /* mux_look has asked before ... */
    uint64_t acked;  /* ... and this much of the connection was acknowledged then ... */
    uint64_t end;    /* ... of what had been given to it, up to the stream's last byte */
    uint64_t look_ms; /* ... and when it asks again */
    uint64_t linger_ms; /* after its exchange: as long as in this time ... */
    uint64_t linger_bytes; /* ... so much moves */
    H2Message message; /* that comes in, as far as it has come */
    HttpFault fault;   /* what the peer broke after the head: nothing more will come */
    uint32_t code;    /* with `closed`: why (RFC 9113 §7); or MUX_... */
    bool again;       /* is queued in Thread.again */
    bool started;     /* its exchange was made ... */
    bool left;        /* ... and is over */
    bool in_ended;    /* the peer has finished (there may be bytes in `in`) */
    bool out_ended;   /* nothing more will be given to `out` */
    bool out_done;    /* ... and all of it was sent */
    bool closed;      /* the codec knows it no more */
} MuxStream;

struct Mux {
    H2 *h2;
    Thread *thread;
    Wire *wire; /* of the connection, as its owner is */
    bool server;
    bool flushing;     /* is queued in Thread.flush */
    bool leaving;      /* River has said goodbye */
    bool failed;
    bool refused;      /* the origin has refused River's certificate, and looked at nothing */
    bool pinged;       /* a PING was sent, and nothing has come since ... */
    bool silent;       /* ... for so long that mux_late has said MUX_SILENT */
    bool spoken;       /* a head or a body came since the last PING */
    uint64_t leave_ms; /* when it is to leave, as was notified; 0: never */
    uint32_t count;    /* streams in the list */
    uint32_t left;     /* ... whose exchange is over */
    uint32_t streams_max; /* of an origin: how many it allows */
    uint32_t opening;  /* ... that wait for their request's head, and have no place in `h2` yet */
    Handle first;
    uint64_t queued;   /* bytes in the streams' `out` */
    uint64_t held;     /* bytes in the streams' `in` */
    uint64_t held_max; /* beyond it the connection's window stays closed */
    uint64_t owed;     /* bytes that came, and for which it was not opened again */
    uint64_t moved;    /* bytes that the peer has taken */
    uint64_t whole;    /* frames before the one that is not whole */
    uint64_t begun_ms;
    uint64_t shut_ms; /* since when the peer's window for the connection is shut; 0: it is open */
    uint64_t idle_ms;     /* since when it has no streams, or only such that have left */
    uint64_t progress_ms; /* when the peer last took something, while it has to */
    uint64_t heard_ms;    /* when it last said something */
    uint64_t spoke_ms;    /* ... of a body */
    uint64_t partial_ms;  /* when a frame began that is not whole; 0: none */
    uint64_t ping_ms;     /* when the last PING was sent; 0: it waits for the peer to read */
    uint32_t unread;      /* requests that broke a rule before they were read, to be logged ... */
    Fault unread_fault;   /* ... and what the last one broke */
};

/* What a connection may take its time for. */
typedef struct MuxPatience {
    uint64_t send_ms;  /* without taking what it was given */
    uint64_t idle_ms;  /* without streams */
    uint64_t head_ms;  /* for the first SETTINGS, and from a frame's first byte to its last */
    uint64_t quiet_ms; /* with streams, without a word: then a PING asks whether it lives */
    uint64_t silent_ms; /* for the answer to a PING */
    uint64_t apart_ms; /* between two PINGs when only their answers come. Servers of gRPC end
                        * connections that ask them more often than every five minutes. */
} MuxPatience;

/* A deadline of the connection that has passed. */
typedef enum MuxLate {
    MUX_IN_TIME,
    MUX_UNREAD, /* the peer takes nothing */
    MUX_SILENT, /* a PING is not answered yet: said once, it should get nothing new */
    MUX_DEAD,   /* it was never answered */
    MUX_SLOW,   /* a frame, or the first SETTINGS, did not come to its end */
    MUX_IDLE    /* time to leave: no streams, or as was notified */
} MuxLate;

#define MUX_SILENT_MS 5000u /* after a PING */
#define MUX_SILENT_FULL_MS 1000u /* ... where no other connection may be dialled meanwhile */
#define MUX_DEAD_MS 60000u

/* A session over the connection, which lives as long. NULL: no memory. */
Mux *mux_new(Thread *t, Wire *w, bool server, const HeadLimits *limits, uint32_t streams_max);
/* Judges the connection's deadlines; MUX_IN_TIME: *ret_due_ms is when to ask again. */
MuxLate mux_late(Thread *t, Mux *m, const MuxPatience *patience, uint64_t *ret_due_ms);
/* Asks for a sign of life now: without one mux_late says MUX_SILENT, and MUX_DEAD. */
void mux_ping(Thread *t, Mux *m);
/* Ends it: streams are lost (their users are told); memory is given back. */
void mux_drop(Thread *t, Mux *m);

/* Reads once what the wire has, and records what it says; where more may be there, the owner is
 * queued for another go. ERR_AGAIN: nothing now; ERR_CLOSED: the peer has finished; ERR_SYNTAX,
 * ERR_MEMORY: the session has failed (flush, then close); others: broken. */
MUST_USE Err mux_receive(Thread *t, Mux *m);
/* Bytes that were read already (a preface on a plain connection). */
MUST_USE Err mux_feed(Mux *m, Str bytes);
/* Sends what the session has to say, while the wire takes it. */
MUST_USE Err mux_flush(Thread *t, Mux *m);
/* The same at the end of the turn, once for everything that happens until then. */
void mux_flush_later(Thread *t, Mux *m);
/* Takes no more streams, and tells the peer. */
void mux_leave(Thread *t, Mux *m);
/* Ends the session: GOAWAY with `code`, and when that is sent the owner closes (Mux.failed). */
void mux_end(Thread *t, Mux *m, uint32_t code);
/* Says that the connection will end, while new streams are still taken; mux_leave is the owner's to
 * call at `leave_ms`. */
void mux_notify(Thread *t, Mux *m, uint64_t leave_ms);
/* Whether the peer has kept the window of the whole connection shut for so long that new requests
 * are better off elsewhere: one body that it does not read may have filled it. */
bool mux_is_shut(const Thread *t, const Mux *m);
/* Whether nothing is left to do on it after it said goodbye, or the peer did. */
bool mux_is_over(const Mux *m);

/* --- streams --- */

/* Streams that may be opened now. */
uint32_t mux_room(const Mux *m);
/* A stream for a request to an origin; NULL: no room. */
MuxStream *mux_stream_open(Mux *m, Token user);
/* The user is done with the stream, or turns away from it: what still comes is discarded. With
 * H2_NO_ERROR what was given to it is still sent, and the stream is reset only when in `linger_ms`
 * nothing has moved, or less than `rate_min` bytes a second; otherwise at once. */
void mux_stream_leave(Thread *t, MuxStream *s, uint32_t code, uint64_t linger_ms,
                      uint64_t rate_min);
/* The oldest head that waits; the caller frees it (mux_head_drop) or takes its arena. */
MuxHead *mux_head_take(MuxStream *s);
void mux_head_drop(MuxHead *head);
/* A deadline has passed: the stream's own, or its user's, who is returned (else TOKEN_NONE). */
Token mux_stream_on_timer(Thread *t, Handle h);
/* Wakes the stream's user, or starts it, later in this turn: mux_stream_on_again. */
void mux_stream_again(Thread *t, MuxStream *s);
/* Its time has come. Returns whom to wake; else (TOKEN_NONE) *ret_fresh is a stream whose request
 * has come and is to be started, or NULL. */
Token mux_stream_on_again(Thread *t, Handle h, MuxStream **ret_fresh);

/* `n` bytes at the front of `in` were passed on. */
void mux_consume(Thread *t, MuxStream *s, size_t n);
/* Sends body bytes; `last`: the body ends, with these trailers (names are made lower case).
 * ERR_MEMORY; ERR_CLOSED: the stream is gone. */
MUST_USE Err mux_send(Thread *t, MuxStream *s, Str data, bool last, const Fields *trailers);
/* How much may be read for the stream's `out`, which is empty. */
size_t mux_send_room(const MuxStream *s);
/* Bytes that were sent since the last call. A stream whose window is open waits for the connection,
 * or for its turn on it: then what the peer has taken of that counts. */
size_t mux_moved(MuxStream *s);

/* Watches a peer that opens no window for what waits in `out`: bytes that were sent before may be
 * on their way to it for long, and four times in `timeout_ms` the system is asked what it has
 * acknowledged of them. As of wire_watch, but up to the stream's last byte: what is said on the
 * connection afterwards moves nothing. UINT64_MAX: all is acknowledged. */
uint64_t mux_look(const Thread *t, MuxStream *s, uint64_t timeout_ms, uint64_t *progress_ms,
                   size_t *ret_moved);

/* When the peer last sent a piece of any body on the stream's connection: one that sends them one
 * after the other is not stuck. */
uint64_t mux_spoke_ms(const MuxStream *s);

static inline MuxStream *mux_stream_get(const Thread *t, Handle h)
{
    return (MuxStream *)pool_get(&t->streams, h);
}

#endif
