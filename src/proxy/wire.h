/* wire.h - one side's connection: its stream, what readiness was seen, and what waits to be sent.
 *
 * Readiness is edge-triggered, so it is remembered here until a call says otherwise. A read that
 * returns less than was asked for has emptied the socket: the next edge will come, and no read is
 * spent on hearing "nothing". */
#ifndef PROXY_WIRE_H
#define PROXY_WIRE_H

#include "base/buf.h"
#include "net/stream.h"

typedef struct Wire {
    Stream stream;
    Buf out; /* could not be sent yet */
    bool readable;
    bool writable;
    bool ended;  /* the peer has finished sending (there may be bytes before that) */
    bool broken; /* reset, or gone in both directions */
    bool short_write; /* the peer once took less than it was given: read smaller pieces for it */
} Wire;

/* Takes over what an event says. */
void wire_ready(Wire *w, unsigned what);
/* Reads into `room`. ERR_AGAIN: nothing there; ERR_CLOSED: the end; others: broken. */
MUST_USE Err wire_receive(Wire *w, Span room, size_t *ret_received);
/* Sends the pieces, behind what waits already; what does not fit into the socket is copied to
 * `out`. ERR_MEMORY: the budget is spent (some may have been sent); others: broken. */
MUST_USE Err wire_send(Wire *w, Blocks *blocks, const Str *pieces, size_t count);
/* Sends what waits, as far as the peer takes it now. Returns bytes through *ret_sent. */
MUST_USE Err wire_flush(Wire *w, Blocks *blocks, size_t *ret_sent);
void wire_close(Wire *w, Blocks *blocks, bool abort);

#endif
