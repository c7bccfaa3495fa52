/* upstream.h - a connection to an origin: dialling, its TLS handshake, serving one request at a
 * time, parked; or with HTTP/2 serving many at once, on one thread for all its life (mux.h). */
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
    UPSTREAM_PARKED  /* in its thread's ParkList, or taken from there by a sibling */
} UpstreamState;

struct Upstream {
    Handle self;
    Handle lease; /* served, or the one that started the dial */
    Wire wire;
    Mux *mux; /* of UPSTREAM_MUX; owned */
    Buf in; /* of a head or trailer that is not whole yet */
    Timer timer;
    uint32_t origin;
    uint8_t state;
    bool exclusive;     /* dialled for `lease` alone */
    bool rested;        /* was parked: it may have died since, like one that has served */
    bool greeted;       /* HTTP/2: the origin has said how many streams it allows */
    bool yields;        /* HTTP/2: ends as soon as it has no streams (origin_mux_yield) */
    bool doubted;       /* HTTP/2: takes no streams before it has shown that it lives */
    bool leaves;        /* HTTP/2: is counted in Origin.leaving */
    uint32_t served;    /* requests so far */
    uint64_t taken_ns;  /* when its lease got it */
    uint64_t parked_ns;
    uint64_t retire_ms; /* when it must not be used any more (announced by the origin) */
};

/* Starts a dial for the lease. */
MUST_USE Err upstream_dial(Thread *t, Origin *o, Handle lease, bool exclusive,
                           Handle *ret_upstream);
/* Makes an upstream of a connection that a sibling handed over. NULL: no room (it is closed). */
Upstream *upstream_adopt(Thread *t, Origin *o, const ParkNode *node);
/* Ends the connection and the object. Counters follow. */
void upstream_close(Thread *t, Upstream *u, bool abort);
/* Whether the origin refuses River's certificate on a connection that has just failed: in TLS 1.3
 * it says so when the handshake is over for River, to what was sent since. Reads into the thread's
 * input. */
bool upstream_is_refused(Thread *t, Upstream *u);
/* Ends the object; its connection has gone to another thread. */
void upstream_forget(Thread *t, Upstream *u);
/* Takes note of the origin's "Keep-Alive: timeout". */
void upstream_announced(const Thread *t, Upstream *u, uint64_t keep_alive_ms);

/* A stream is left; `complete`: all was said on both sides. */
void upstream_leave_stream(Thread *t, MuxStream *s, bool complete);
/* A stream of the connection has waited in vain since `since_ms`. If nothing at all has come since
 * then, the connection takes no more streams until it has answered a PING; others dial. */
void upstream_doubt(Thread *t, const MuxStream *s, uint64_t since_ms);
/* Sends what its HTTP/2 session has to say, and ends it when that is over. */
void upstream_mux_flush(Thread *t, Handle h);

/* Returns whom to wake, or TOKEN_NONE. */
Token upstream_on_ready(Thread *t, Handle h, unsigned what);
void upstream_on_timer(Thread *t, Handle h);

static inline Upstream *upstream_get(const Thread *t, Handle h)
{
    return (Upstream *)pool_get(&t->upstreams, h);
}

/* The lease's connection, or its stream; neither, as long as there is none, or when it has gone. */
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
