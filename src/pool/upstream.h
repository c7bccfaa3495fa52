/* upstream.h - a connection to an origin: dialling, TLS handshake, serving one request at a time,
 * parked; or with HTTP/2 serving many at once, on one thread for all its life (mux.h). */
#ifndef POOL_UPSTREAM_H
#define POOL_UPSTREAM_H

#include "pool/lease.h"
#include "transport/mux.h"
#include "pool/origin.h"
#include "transport/wire.h"

typedef enum UpstreamState {
    UPSTREAM_DIALING,
    UPSTREAM_HANDSHAKE,
    UPSTREAM_MUX,    /* HTTP/2 */
    UPSTREAM_BUSY,   /* serves `lease` */
    UPSTREAM_PARKED  /* in its thread's ParkList, or taken by a sibling */
} UpstreamState;

struct Upstream {
    Handle self;
    Handle lease; /* being served, or the one that started the dial */
    Wire wire;
    Mux *mux; /* in UPSTREAM_MUX; owned */
    Buf in; /* an incomplete head or trailer */
    Timer timer;
    uint32_t origin;
    uint8_t state;
    bool exclusive;     /* dialled for `lease` alone */
    bool was_parked;    /* it may have died meanwhile, like one that has served */
    bool greeted;       /* HTTP/2: the origin's stream limit is known */
    bool yields;        /* HTTP/2: ends as soon as it has no streams (origin_mux_yield) */
    bool doubted;       /* HTTP/2: takes no streams until it has shown that it lives */
    bool leaves;        /* HTTP/2: counted in Origin.leaving */
    uint32_t served;    /* requests so far */
    uint64_t taken_ns;  /* when its lease got it */
    uint64_t parked_ns;
    uint64_t retire_ms; /* when it must no longer be used (announced by the origin) */
};

/* Starts a dial for the lease. */
MUST_USE Err upstream_dial(Thread *t, Origin *o, Handle lease, bool exclusive,
                           Handle *ret_upstream);
/* Adopts a connection that a sibling handed over. NULL: no room (it is closed). */
Upstream *upstream_adopt(Thread *t, Origin *o, const ParkNode *node);
/* Closes the connection and frees the object. Updates the counters. */
void upstream_close(Thread *t, Upstream *u, bool abort);
/* Whether the origin refused River's certificate on a connection that has just failed: in TLS 1.3
 * the refusal arrives only after the handshake is over for River, in reply to what was sent since.
 * Reads into the thread's input. */
bool upstream_is_refused(Thread *t, Upstream *u);
/* Frees the object; its connection now belongs to another thread. */
void upstream_forget(Thread *t, Upstream *u);
/* Records the origin's "Keep-Alive: timeout". */
void upstream_announced(const Thread *t, Upstream *u, uint64_t keep_alive_ms);

/* Leaves a stream; `complete`: both sides' messages are complete. */
void upstream_leave_stream(Thread *t, MuxStream *s, bool complete);
/* A stream of the connection has waited in vain since `since_ms`. If the connection has received
 * nothing at all since then, it takes no more streams until it answers a PING; others dial. */
void upstream_doubt(Thread *t, const MuxStream *s, uint64_t since_ms);
/* Sends what its HTTP/2 session has to say, and ends the session once it is over. */
void upstream_mux_flush(Thread *t, Handle h);

/* Returns the token to wake, or TOKEN_NONE. */
Token upstream_on_ready(Thread *t, Handle h, unsigned what);
void upstream_on_timer(Thread *t, Handle h);

static inline Upstream *upstream_get(const Thread *t, Handle h)
{
    return (Upstream *)pool_get(&t->upstreams, h);
}

/* The lease's connection or stream; an empty link if it has none, or if it has gone. */
static inline Link lease_link(const Thread *t, const Lease *l)
{
    MuxStream *s = handle_is_none(l->stream) ? NULL : mux_stream_get(t, l->stream);
    if (s) {
        return (Link){.in = &s->in, .stream = s};
    }
    Upstream *u = upstream_get(t, l->upstream);
    return u ? (Link){.wire = &u->wire, .in = &u->in} : (Link){0};
}

#endif
