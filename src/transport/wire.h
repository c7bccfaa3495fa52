/* wire.h - one side's connection: its stream, TLS over it, seen readiness, and bytes waiting to be
 * sent.
 *
 * Readiness is edge-triggered, so it is remembered here until a call finds otherwise. A short read
 * has emptied the socket: the next edge will come, and no extra read is spent on getting "nothing".
 *
 * With TLS, `out` holds ciphertext: what is to be sent is encrypted at once, so an empty `out`
 * means the same with and without TLS. Input that did not fit waits as plaintext in the session and
 * as ciphertext in `held`; the wire then stays readable. */
#ifndef TRANSPORT_WIRE_H
#define TRANSPORT_WIRE_H

#include "base/buf.h"
#include "loop/token.h"
#include "net/stream.h"
#include "net/tls.h"

/* A range of an open file. */
typedef struct FileRange {
    int file;
    uint64_t from;
    size_t len;
} FileRange;

typedef struct Thread Thread;

/* Shared by the wires of a thread. */
typedef struct WireRoom {
    Thread *thread;
    Blocks *blocks; /* of `out` */
    Span raw;       /* ciphertext, read and decrypted within one call */
} WireRoom;

typedef struct Wire {
    Stream stream;
    Tls *tls; /* NULL: plain; owned */
    Buf out; /* could not be sent yet */
    Buf held; /* ciphertext that the session takes only after its plaintext is read */
    Token owner;
    bool again; /* its owner is queued in Thread.again */
    bool readable;
    bool writable;
    bool ended;  /* the peer has finished sending (there may be bytes before that) */
    bool broken; /* reset, or gone in both directions */
    bool cut;    /* it ended without close_notify: a body without a length is incomplete */
    bool short_write; /* a write to the peer was once short: read smaller pieces for it */
    bool looked;      /* wire_watch has checked since the last send ... */
    uint32_t unacked; /* ... what the peer had not acknowledged then */
    uint64_t look_ms; /* ... and when it checks again */
    uint64_t given;   /* bytes that the system has accepted for the peer */
} Wire;

/* Records the readiness that an event reports. */
void wire_ready(Wire *w, unsigned what);
/* Starts TLS with `tls`; `early` is ciphertext that was already read, less than the session can
 * hold. Errors as of wire_handshake. */
MUST_USE Err wire_seal(Wire *w, const WireRoom *r, Tls *tls, Str early);
/* Continues the handshake. ERR_OK: done; ERR_AGAIN: not yet; others: it has failed (the session's
 * tls_reason), and the wire is broken. */
MUST_USE Err wire_handshake(Wire *w, const WireRoom *r);
/* Reads into `room`. ERR_AGAIN: nothing to read, or only records without data, of which one call
 * reads at most `room` (the owner is queued for another go); ERR_CLOSED: the end; others:
 * broken. */
MUST_USE Err wire_receive(Wire *w, const WireRoom *r, Span room, size_t *ret_received);
/* Sends the pieces after what already waits; what the socket does not take is copied to `out`.
 * ERR_MEMORY: the budget is spent (some may have been sent); others: broken. */
MUST_USE Err wire_send(Wire *w, const WireRoom *r, const Str *pieces, size_t count);
/* Sends from a file without copying, on a plain wire with an empty `out`. `head`, if not empty,
 * goes first. ERR_AGAIN: the peer takes no more now; ERR_CLOSED: the file ends at or before this
 * point; ERR_MEMORY; others: broken. *ret_sent: bytes of the file. */
MUST_USE Err wire_send_file(Wire *w, const WireRoom *r, Str head, const FileRange *range,
                            size_t *ret_sent);
/* Sends queued bytes, as far as the peer takes them now. *ret_sent: bytes sent. */
MUST_USE Err wire_flush_queue(Wire *w, const WireRoom *r, size_t *ret_sent);
MUST_USE static inline Err wire_flush(Wire *w, const WireRoom *r, size_t *ret_sent)
{
    *ret_sent = 0;
    return w->out.len > 0 ? wire_flush_queue(w, r, ret_sent) : ERR_OK; /* nearly always empty */
}
#define WIRE_LOOKS 4u /* checks of what a peer has acknowledged, per timeout */

/* Watches a peer that does not take what waits in `out`. A socket becomes writable only once a
 * third of its buffer is free, which may be megabytes; so four times in `timeout_ms` the system is
 * asked how much the peer has acknowledged. On progress, *progress_ms becomes now, and *ret_moved
 * says by how much. Returns when to check again. */
uint64_t wire_watch(Wire *w, uint64_t now_ms, uint64_t timeout_ms, uint64_t *progress_ms,
                    size_t *ret_moved);
/* How many of all bytes sent the peer has acknowledged, according to the system. */
uint64_t wire_acked(const Wire *w);
/* The position after the last byte given so far, in the same count. */
static inline uint64_t wire_end(const Wire *w)
{
    return w->given + w->out.len;
}
/* Ends our side of the connection. */
void wire_finish(Wire *w, const WireRoom *r);
/* Describes for the log why the TLS session has failed: the session's reason, or how the peer ended
 * the connection. */
void wire_why(const Wire *w, Text *out);
/* Drops TLS without close_notify; what follows is plain. For a peer that does not speak TLS. */
void wire_unseal(Wire *w);
/* Closes the connection: with close_notify under TLS (RFC 9112 §9.8), and without a reset.
 * `abort`: the peer must see that what it got is incomplete. */
void wire_close(Wire *w, const WireRoom *r, bool abort);

#endif
