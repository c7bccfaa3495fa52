/* mux.h - an HTTP/2 connection with its streams, on either side of River.
 *
 * A `Mux` sits between a wire and a codec session (http/h2.h), and belongs to the owner of the
 * wire. A `MuxStream` is one stream: `in` holds what was received and not passed on, `out` what was
 * given to it and not sent. Events on a stream are recorded there and wake its user later in the
 * same turn; no user code runs inside the codec.
 *
 * Flow control bounds memory. `in` holds at most a stream's window, which opens again only for
 * bytes that the other side has taken. The connection's window opens as bytes arrive, so that a
 * slow reader of one stream does not stop the others; it stays closed only for what streams hold
 * beyond `held_max`, or beyond MUX_HELD_FILLED while half of the budget is in use. `out` holds what
 * one read of the other side yielded: until it is empty, no more is read for it. Reads are small
 * where the connection's streams already hold much: every stream can always proceed, so none has to
 * wait for the others.
 *
 * The socket is always drained: frames of the connection (WINDOW_UPDATE, PING) must not wait for
 * anything. mux_receive is the only place that reads; where it leaves bytes behind, it queues the
 * owner for another go. */
#ifndef TRANSPORT_MUX_H
#define TRANSPORT_MUX_H

#include "base/handle_list.h"
#include "http/h2.h"
#include "transport/fault.h"
#include "transport/thread.h"
#include "transport/wire.h"

#define MUX_STREAM_WINDOW (128u << 10)
#define MUX_WINDOW (1u << 20)
#define MUX_CLIENT_HELD_MAX (3u << 20) /* of a client's request bodies, then its window closes */
#define MUX_HELD_FILLED (256u << 10) /* ... of any peer's bodies, while much memory is in use */
#define MUX_OWED_MS 250u /* before a window closed for that reason is checked again */
#define MUX_QUEUED_MANY (1u << 20) /* in a connection's `out`; beyond it reads are small */
#define MUX_HEADS_MAX 20u /* interim responses that may be queued */
#define MUX_LOST UINT32_MAX /* instead of an error code: the connection is gone */
#define MUX_REFUSED (UINT32_MAX - 1) /* the same, and the origin refused River's certificate */
#define MUX_DIRECT_BYTES_MIN (8u << 10) /* larger pieces of a body are sent directly, not copied */

/* A head that was received but not read yet; it lies in its own arena. */
typedef struct MuxHead MuxHead;
struct MuxHead {
    MuxHead *next;
    Arena arena;
    RequestHead request;   /* on a client's connection */
    ResponseHead response; /* on an origin's */
    HttpFault fault;
    bool last; /* there is no body */
};

typedef struct Mux Mux;

typedef struct MuxStream {
    Handle self;
    Token user; /* of its request; none: not started, or over */
    Mux *mux;   /* NULL: the connection is gone */
    int32_t id;
    HandleLinks links; /* in the connection's list */
    Timer timer;
    MuxHead *heads; /* oldest first */
    uint32_t head_count;
    Buf in;
    Buf out;
    Str direct; /* sent after `out`; set only while mux_send runs */
    Arena trailers_in_arena;
    Fields trailers_in;
    Arena trailers_out_arena;
    size_t trailers_out_count;
    H2Field *trailers_out;
    size_t moved_out; /* bytes taken from `out` since the last mux_moved */
    uint64_t moved_seen; /* Mux.moved at that time */
    bool pulled;     /* whether any were since the last mux_look */
    bool looked;     /* mux_look has checked before ... */
    uint64_t acked;  /* ... how much of the connection was acknowledged then ... */
    uint64_t end;    /* ... of the bytes given to it, up to the stream's last one */
    uint64_t look_ms; /* ... and when it checks again */
    uint64_t linger_ms; /* after its exchange: time within which ... */
    uint64_t linger_bytes; /* ... this much must move */
    H2Message message; /* incoming, as far as received */
    HttpFault fault;   /* rule broken after the head: the peer's message ends here */
    uint32_t code;    /* if `closed`: why (RFC 9113 §7), or MUX_... */
    bool again;       /* queued in Thread.again */
    bool started;     /* its exchange was created ... */
    bool left;        /* ... and is over */
    bool in_ended;    /* the peer has finished (`in` may still have bytes) */
    bool out_ended;   /* no more will be given to `out` */
    bool out_done;    /* ... and all of it is sent */
    bool closed;      /* the codec has forgotten it */
} MuxStream;

struct Mux {
    H2 *h2;
    Thread *thread;
    Wire *wire; /* of the connection; its owner's */
    bool server;
    bool flushing;     /* queued in Thread.flush */
    bool leaving;      /* GOAWAY was sent */
    bool failed;
    bool refused;      /* the origin refused River's certificate, and has processed nothing */
    bool pinged;       /* a PING was sent, and nothing has been received since ... */
    bool silent;       /* ... for so long that mux_late returned MUX_SILENT */
    bool spoken;       /* a head or body was received since the last PING */
    uint64_t leave_ms; /* when to leave, as announced; 0: never */
    uint32_t count;    /* streams in the list */
    uint32_t left;     /* ... whose exchange is over */
    uint32_t streams_max; /* of an origin: its limit on streams */
    uint32_t opening;  /* ... whose request head is not sent: `h2` does not count them yet */
    HandleList streams; /* newest first */
    uint64_t queued;   /* bytes in the streams' `out` */
    uint64_t held;     /* bytes in the streams' `in` */
    uint64_t held_max; /* beyond it the connection's window stays closed */
    uint64_t owed;     /* bytes received for which the window was not reopened */
    uint64_t moved;    /* bytes that the peer has taken */
    uint64_t whole;    /* frames before the incomplete one */
    uint64_t begun_ms;
    uint64_t shut_ms; /* since when the peer's connection window is shut; 0: it is open */
    uint64_t idle_ms;     /* since when all its streams, if any, have left */
    uint64_t progress_ms; /* when the peer last made progress, or had nothing to take */
    uint64_t heard_ms;    /* when it last sent something */
    uint64_t spoke_ms;    /* ... of a body */
    uint64_t partial_ms;  /* when the incomplete frame began; 0: none */
    uint64_t ping_ms;     /* when the last PING was sent; 0: it is queued until the peer reads */
    uint32_t unread;      /* requests that broke a rule before they were read, to be logged ... */
    Fault unread_fault;   /* ... and what the last one broke */
};

/* Time limits of a connection. */
typedef struct MuxPatience {
    uint64_t send_ms;  /* without taking what it was given */
    uint64_t idle_ms;  /* without streams */
    uint64_t head_ms;  /* for the first SETTINGS, and from a frame's first byte to its last */
    uint64_t quiet_ms; /* with streams but no input: then a PING checks whether it lives */
    uint64_t silent_ms; /* for the answer to a PING */
    uint64_t apart_ms; /* between two PINGs if only their answers arrive. gRPC servers close
                        * connections that ping more often than every five minutes. */
} MuxPatience;

/* A deadline of the connection that has passed. */
typedef enum MuxLate {
    MUX_IN_TIME,
    MUX_UNREAD, /* the peer reads nothing */
    MUX_SILENT, /* a PING is not answered yet: reported once; give it no new streams */
    MUX_DEAD,   /* the PING was never answered */
    MUX_SLOW,   /* a frame, or the first SETTINGS, was not completed in time */
    MUX_IDLE    /* time to leave: no streams, or as announced */
} MuxLate;

#define MUX_SILENT_MS 5000u /* after a PING */
#define MUX_SILENT_FULL_MS 1000u /* ... if no other connection may be dialled meanwhile */
#define MUX_DEAD_MS 60000u

/* Creates a session over the wire, which must outlive it. NULL: no memory. */
Mux *mux_new(Thread *t, Wire *w, bool server, const HeadLimits *limits, uint32_t streams_max);
/* Checks the connection's deadlines; MUX_IN_TIME: *ret_due_ms is when to check again. */
MuxLate mux_late(Thread *t, Mux *m, const MuxPatience *patience, uint64_t *ret_due_ms);
/* Checks for liveness now: without an answer mux_late returns MUX_SILENT, then MUX_DEAD. */
void mux_ping(Thread *t, Mux *m);
/* Ends the session: streams are lost (their users are woken); memory is freed. */
void mux_drop(Thread *t, Mux *m);

/* Reads once from the wire, and records what arrived; if there may be more, queues the owner for
 * another go. ERR_AGAIN: nothing now; ERR_CLOSED: the peer has finished; ERR_SYNTAX, ERR_MEMORY:
 * the session has failed (flush, then close); others: broken. */
MUST_USE Err mux_receive(Thread *t, Mux *m);
/* Feeds bytes that were already read (a preface on a plain connection). */
MUST_USE Err mux_feed(Mux *m, Str bytes);
/* Sends what the session has to say, as far as the wire takes it. */
MUST_USE Err mux_flush(Thread *t, Mux *m);
/* The same at the end of the turn, once for all that happens until then. */
void mux_flush_later(Thread *t, Mux *m);
/* Takes no more streams, and tells the peer (GOAWAY). */
void mux_leave(Thread *t, Mux *m);
/* Ends the session: sends GOAWAY with `code`; once that is sent, the owner closes (Mux.failed). */
void mux_end(Thread *t, Mux *m, uint32_t code);
/* Announces that the connection will end, but still takes new streams; the owner must call
 * mux_leave at `leave_ms`. */
void mux_notify(Thread *t, Mux *m, uint64_t leave_ms);
/* Whether the peer has kept the window of the whole connection shut for so long that new requests
 * should go elsewhere: a single body that it does not read may have filled it. */
bool mux_is_shut(const Thread *t, const Mux *m);
/* Whether the connection has no work left after either side has sent GOAWAY. */
bool mux_is_over(const Mux *m);

/* --- streams --- */

/* Streams that may be opened now. */
uint32_t mux_room(const Mux *m);
/* Opens a stream for a request to an origin; NULL: no room. */
MuxStream *mux_stream_open(Mux *m, Token user);
/* The user is done with the stream, or abandons it: further input is discarded. With H2_NO_ERROR
 * what was given to it is still sent, and the stream is reset only if within `linger_ms` nothing
 * has moved, or less than `rate_min` bytes a second; any other code resets it at once. */
void mux_stream_leave(Thread *t, MuxStream *s, uint32_t code, uint64_t linger_ms,
                      uint64_t rate_min);
/* The oldest queued head; the caller frees it (mux_head_drop) or takes over its arena. */
MuxHead *mux_head_take(MuxStream *s);
void mux_head_drop(MuxHead *head);
/* A deadline of the stream or of its user has passed; returns the user, if any, else TOKEN_NONE. */
Token mux_stream_on_timer(Thread *t, Handle h);
/* Wakes or starts the stream's user later in this turn: mux_stream_on_again. */
void mux_stream_again(Thread *t, MuxStream *s);
/* Handles that wake-up. Returns the token to wake; if TOKEN_NONE, *ret_fresh is a stream whose
 * request has arrived and must be started, or NULL. */
Token mux_stream_on_again(Thread *t, Handle h, MuxStream **ret_fresh);

/* The first `n` bytes of `in` were passed on. */
void mux_consume(Thread *t, MuxStream *s, size_t n);
/* Sends body bytes; `last`: ends the body, with these trailers (names are put in lower case).
 * ERR_MEMORY; ERR_CLOSED: the stream is gone. */
MUST_USE Err mux_send(Thread *t, MuxStream *s, Str data, bool last, const Fields *trailers);
/* How many bytes may be read for the stream's `out`, which is empty. */
size_t mux_send_room(const MuxStream *s);
/* Bytes sent since the last call. For a stream with an open window that waits for the connection,
 * or for its turn on it, everything that the peer takes from the connection counts. */
size_t mux_moved(MuxStream *s);

/* Watches a peer that opens no window for what waits in `out`: bytes sent before may take long to
 * reach it, so the system is asked, four times in `timeout_ms`, how many of them it has
 * acknowledged. Like wire_watch, but only up to the stream's last byte: later bytes of the
 * connection do not count as progress. UINT64_MAX: all is acknowledged. */
uint64_t mux_look(const Thread *t, MuxStream *s, uint64_t timeout_ms, uint64_t *progress_ms,
                   size_t *ret_moved);

/* When the peer last sent a piece of any body on the stream's connection: a peer that sends bodies
 * one after the other is not stuck. */
uint64_t mux_spoke_ms(const MuxStream *s);

static inline MuxStream *mux_stream_get(const Thread *t, Handle h)
{
    return (MuxStream *)pool_get(&t->streams, h);
}

#endif
