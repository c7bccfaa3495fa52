/* lease.h - one request's use of a connection to an origin: asked for, waited for, had, given back.
 *
 * A token names the owner; this room does not know what it stands for. Every event is recorded in
 * the lease and wakes the owner later in the same turn (lease_on_again): a connection or stream is
 * there, or what the lease waited for has failed (`fault`). The owner then calls lease_ask
 * again. */
#ifndef POOL_LEASE_H
#define POOL_LEASE_H

#include "base/handle_list.h"
#include "transport/fault.h"
#include "transport/link.h"
#include "transport/thread.h"

typedef struct Lease {
    Handle self;
    Token owner;
    uint32_t origin;
    Handle upstream; /* HTTP/1: the connection, exclusive to this request */
    Handle stream;   /* HTTP/2 */
    HandleLinks links; /* in a MuxPlace's queue, if `queued` */
    Fault fault;     /* of a dial that failed during the wait */
    bool fresh;      /* wants a new connection, not a pooled one */
    bool reused;     /* the connection has served before, or was parked */
    bool asked;      /* registered with the pool; false: ask anew */
    bool waits;      /* in a queue, or for a dial of its own ... */
    bool dials;      /* ... and for nothing else */
    bool queued;
    bool again;      /* queued in Thread.again */
    bool short_once; /* no descriptor was left for its dial */
    uint32_t dialing; /* dials that it started for the queue, still in flight */
    uint32_t place;   /* in the origin's queue (origin_waiters.h) */
    uint32_t wait_ms; /* before asking for one more dial; doubles */
    uint64_t wait_due_ms;
    uint64_t wait_end_ms; /* when the wait times out; the owner checks this */
} Lease;

/* A lease on a connection to the origin; the owner ends it. `fresh`: a new connection, unless the
 * endpoint's limit is reached. NULL: no room. */
Lease *lease_new(Thread *t, Token owner, uint32_t origin, bool fresh);
/* Asks for the connection, or asks again: call it when the owner is woken, and at wait_due_ms.
 * ERR_OK: the lease has one. ERR_AGAIN: not yet. Otherwise it gets none, and `fault` says why. */
MUST_USE Err lease_ask(Thread *t, Lease *l);
/* Whether the lease has a connection or a stream. */
static inline bool lease_is_had(const Lease *l)
{
    return !handle_is_none(l->upstream) || !handle_is_none(l->stream);
}

/* The state in which a connection is left, for lease_release. */
typedef struct LeaseEnd {
    bool complete;   /* both messages are complete */
    bool keep_alive; /* heads and body allow another request */
    uint64_t keep_alive_ms; /* as announced by the origin; 0: not announced */
} LeaseEnd;

/* Ends the lease. Returns the connection to the pool if it may be reused, else closes it. */
void lease_release(Thread *t, Lease *l, const LeaseEnd *how);
/* Ends the lease: closes its connection or stops waiting; `abort` as for upstream_close. */
void lease_end(Thread *t, Lease *l, bool abort);
/* The origin has not answered since `since_ms`: checks a shared connection for liveness. */
void lease_doubt(Thread *t, const Lease *l, uint64_t since_ms);
/* Whether the failed connection was refused because of River's client certificate. */
bool lease_is_refused(Thread *t, const Lease *l);

/* --- for the pool --- */

typedef struct Upstream Upstream;
/* Attaches `u` to the lease, and makes it BUSY. */
void lease_attach(Thread *t, Lease *l, Upstream *u);
/* The same from outside lease_ask: wakes the owner. */
void lease_connected(Thread *t, Lease *l, Upstream *u);
/* The same for a stream of an HTTP/2 connection. */
void lease_attach_stream(Thread *t, Lease *l, MuxStream *s, bool reused);
/* What the lease waited for has failed. */
void lease_failed(Thread *t, Lease *l, Fault fault);
/* The reason to wait is gone: the lease asks anew. */
void lease_retry(Thread *t, Lease *l);
/* Wakes the owner later in this turn. */
void lease_again(Thread *t, Lease *l);
/* Handles that wake-up. Returns the token to wake. */
Token lease_on_again(const Thread *t, Handle h);

static inline Lease *lease_get(const Thread *t, Handle h)
{
    return (Lease *)pool_get(&t->leases, h);
}

#endif
