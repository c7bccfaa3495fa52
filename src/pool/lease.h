/* lease.h - the use of a connection to an origin for one request: asked for, waited for, had, and
 * given back.
 *
 * Who asks is named by a token, and nothing here knows what is behind it. Whatever happens is
 * recorded in the lease, and wakes the owner later in the same turn (lease_on_again): a connection
 * or a stream is there, or what it waited for has failed (`fault`). The owner then calls lease_ask
 * again. */
#ifndef POOL_LEASE_H
#define POOL_LEASE_H

#include "transport/fault.h"
#include "transport/link.h"
#include "transport/thread.h"

typedef struct Lease {
    Handle self;
    Token owner;
    uint32_t origin;
    Handle upstream; /* HTTP/1: the connection, for this request alone */
    Handle stream;   /* HTTP/2: the stream */
    Handle next;     /* in a MuxPlace's queue, while `queued` */
    Handle previous;
    Fault fault;     /* of a dial that failed while it waited */
    bool fresh;      /* no pooled connection will do */
    bool reused;     /* the connection has served before, or was parked */
    bool asked;      /* the pool knows of it; false: ask anew */
    bool waits;      /* in a queue, or for a dial of its own ... */
    bool dials;      /* ... which is all that it waits for */
    bool queued;
    bool again;      /* is queued in Thread.again */
    bool short_once; /* there was no descriptor for its dial */
    uint32_t dialing; /* dials that it has started for the queue, and that go on */
    uint32_t place;   /* in the origin's queue (origin_waiters.h) */
    uint32_t wait_ms; /* pause before asking for one more dial; doubles */
    uint64_t wait_due_ms;
    uint64_t wait_end_ms; /* when it has waited for long enough; the owner judges that */
} Lease;

/* A lease on a connection to the origin, for the owner to end. `fresh`: a new one, unless there are
 * as many as there may be. NULL: no room. */
Lease *lease_new(Thread *t, Token owner, uint32_t origin, bool fresh);
/* Asks for the connection, or asks on: to be called when the owner is woken, and at wait_due_ms.
 * ERR_OK: it is there. ERR_AGAIN: not yet. Else there will be none: `fault` says why. */
MUST_USE Err lease_ask(Thread *t, Lease *l);
/* Whether a connection or stream was got. */
static inline bool lease_is_had(const Lease *l)
{
    return !handle_is_none(l->upstream) || !handle_is_none(l->stream);
}

/* How a connection has been left, for lease_release. */
typedef struct LeaseEnd {
    bool complete;   /* all was said on both sides */
    bool keep_alive; /* the connection may serve another request, as far as heads and body say */
    uint64_t keep_alive_ms; /* as the origin has announced; 0: it has not */
} LeaseEnd;

/* Gives the connection back to the pool if it may serve again, else ends it; the lease ends. */
void lease_release(Thread *t, Lease *l, const LeaseEnd *how);
/* Ends the connection or waits no more; `abort` as of upstream_close. The lease ends. */
void lease_end(Thread *t, Lease *l, bool abort);
/* The origin has not answered since `since_ms`: a connection that many share must show that it
 * lives. */
void lease_doubt(Thread *t, const Lease *l, uint64_t since_ms);
/* Whether the origin has refused River's certificate on the connection, which has failed. */
bool lease_is_refused(Thread *t, const Lease *l);

/* --- for the pool --- */

typedef struct Upstream Upstream;
/* `u` is for the lease from now on, and BUSY. */
void lease_attach(Thread *t, Lease *l, Upstream *u);
/* The same from outside of lease_ask: the owner is woken. */
void lease_connected(Thread *t, Lease *l, Upstream *u);
/* The same with a stream of an HTTP/2 connection. */
void lease_attach_stream(Thread *t, Lease *l, MuxStream *s, bool reused);
/* What it waited for has failed. */
void lease_failed(Thread *t, Lease *l, Fault fault);
/* What it waited for has turned out otherwise: it asks anew. */
void lease_retry(Thread *t, Lease *l);
/* Wakes the owner later in this turn. */
void lease_again(Thread *t, Lease *l);
/* The time for that has come: whom to wake. */
Token lease_on_again(const Thread *t, Handle h);

static inline Lease *lease_get(const Thread *t, Handle h)
{
    return (Lease *)pool_get(&t->leases, h);
}

#endif
