/* wire.h - one side's connection: its stream, TLS over it, what readiness was seen, and what waits
 * to be sent.
 *
 * Readiness is edge-triggered, so it is remembered here until a call says otherwise. A read that
 * returns less than was asked for has emptied the socket: the next edge will come, and no read is
 * spent on hearing "nothing".
 *
 * With TLS, `out` holds ciphertext: what was taken for sending is encrypted at once, so an empty
 * `out` means the same with and without. What was read and did not fit waits, as plaintext in the
 * session and as ciphertext in `held`; then the wire stays readable. */
#ifndef TRANSPORT_WIRE_H
#define TRANSPORT_WIRE_H

#include "base/buf.h"
#include "loop/token.h"
#include "net/stream.h"
#include "net/tls.h"

/* Bytes of an open file. */
typedef struct FileRange {
    int file;
    uint64_t from;
    size_t len;
} FileRange;

typedef struct Thread Thread;

/* What the wires of a thread share. */
typedef struct WireRoom {
    Thread *thread;
    Blocks *blocks; /* of `out` */
    Span raw;       /* for ciphertext that is read and decrypted within one call */
} WireRoom;

typedef struct Wire {
    Stream stream;
    Tls *tls; /* NULL: plain; owned */
    Buf out; /* could not be sent yet */
    Buf held; /* ciphertext that the session does not take before its plaintext is read */
    Token owner;
    bool again; /* its owner is queued in Thread.again */
    bool readable;
    bool writable;
    bool ended;  /* the peer has finished sending (there may be bytes before that) */
    bool broken; /* reset, or gone in both directions */
    bool cut;    /* it ended without TLS's word for it: what has no length is not whole then */
    bool short_write; /* the peer once took less than it was given: read smaller pieces for it */
    bool looked;      /* wire_watch has asked since bytes were last sent ... */
    uint32_t unacked; /* ... and this is what the peer had not acknowledged */
    uint64_t look_ms; /* ... and when it asks again */
    uint64_t given;   /* bytes that the system has taken for the peer */
} Wire;

/* Takes over what an event says. */
void wire_ready(Wire *w, unsigned what);
/* From now on `tls` seals it; `early` is ciphertext that was read already, less than the session
 * can hold. Errors as of wire_handshake. */
MUST_USE Err wire_seal(Wire *w, const WireRoom *r, Tls *tls, Str early);
/* Goes on with a handshake. ERR_OK: it is over; ERR_AGAIN: not yet; others: it has failed (the
 * session's tls_reason), and the wire is broken. */
MUST_USE Err wire_handshake(Wire *w, const WireRoom *r);
/* Reads into `room`. ERR_AGAIN: nothing there, or only records without data, of which one call
 * reads no more than `room` (the owner is queued for another go); ERR_CLOSED: the end; others:
 * broken. */
MUST_USE Err wire_receive(Wire *w, const WireRoom *r, Span room, size_t *ret_received);
/* Sends the pieces, behind what waits already; what does not fit into the socket is copied to
 * `out`. ERR_MEMORY: the budget is spent (some may have been sent); others: broken. */
MUST_USE Err wire_send(Wire *w, const WireRoom *r, const Str *pieces, size_t count);
/* Sends from a file without copying, on a plain wire where nothing waits. `head`, if not empty,
 * goes in front of it. ERR_AGAIN: the peer takes no more now; ERR_CLOSED: the file ends there or
 * before; ERR_MEMORY; others: broken. *ret_sent: bytes of the file. */
MUST_USE Err wire_send_file(Wire *w, const WireRoom *r, Str head, const FileRange *range,
                            size_t *ret_sent);
/* Sends what waits, as far as the peer takes it now. Returns bytes through *ret_sent. */
MUST_USE Err wire_flush_queue(Wire *w, const WireRoom *r, size_t *ret_sent);
MUST_USE static inline Err wire_flush(Wire *w, const WireRoom *r, size_t *ret_sent)
{
    *ret_sent = 0;
    return w->out.len > 0 ? wire_flush_queue(w, r, ret_sent) : ERR_OK; /* nearly always empty */
}
#define WIRE_LOOKS 4u /* at what a peer has acknowledged, in the time in which it must move */

/* Watches a peer that does not take what waits in `out`. A socket becomes writable only once a
 * third of its buffer is free, which may be megabytes: so four times in `timeout_ms` the system is
 * asked what the peer has acknowledged. If that is more than before, *progress_ms becomes now, and
 * *ret_moved says by how much. Returns when to look again. */
uint64_t wire_watch(Wire *w, uint64_t now_ms, uint64_t timeout_ms, uint64_t *progress_ms,
                    size_t *ret_moved);
/* How many bytes the peer has acknowledged, of all that were sent: asks the system. */
uint64_t wire_acked(const Wire *w);
/* Where what was given to it until now ends, in the same count. */
static inline uint64_t wire_end(const Wire *w)
{
    return w->given + w->out.len;
}
/* Tells the peer that nothing more will come. */
void wire_finish(Wire *w, const WireRoom *r);
/* Why its TLS session has failed, in words for the log: what the session says, or how the peer
 * ended the connection. */
void wire_why(const Wire *w, Text *out);
/* Ends TLS without a word: what follows goes as it is. For a peer that does not speak it. */
void wire_unseal(Wire *w);
/* Ends the connection: with close_notify where TLS seals it (RFC 9112 §9.8), and without a reset.
 * `abort`: the peer shall see that what it got is not complete. */
void wire_close(Wire *w, const WireRoom *r, bool abort);

#endif
