/* origin.h - the connections to one endpoint, shared by all threads: nobody opens one while an
 * idle one stands anywhere.
 *
 * Each thread parks its idle connections in its own list (newest first), under that list's own
 * short lock. A request takes from its thread's list, then from the siblings'. A miss registers as
 * a waiter before it looks again, and who returns a connection parks it before it looks for
 * waiters; both orders are sequentially consistent, so one of the two always sees the other
 * (tests/unit/origin_model_test.c tries all interleavings). A waiter starts a dial of its own
 * at once where the queue is long (origin_dial.c); otherwise it waits first, and dials are paced,
 * one in each ORIGIN_PACE_NS for all waiters together. Whichever comes first, a returned or a new
 * connection, serves the oldest waiter. Who gives up leaves the queue (origin_unwait). */
#ifndef POOL_ORIGIN_H
#define POOL_ORIGIN_H

#include <pthread.h>

#include "pool/endpoint.h"
#include "transport/thread.h"

#define POOL_ORIGINS_MAX (1u << 17)
#define ORIGIN_DIALS_FREE 4u /* dials in flight that need no waiting */
#define ORIGIN_WAIT_MS 1u    /* after which a waiter may start one more */
#define ORIGIN_WAIT_NS (ORIGIN_WAIT_MS * UINT64_C(1000000))
#define ORIGIN_WAIT_LONG_NS (16 * ORIGIN_WAIT_NS) /* a queue for which nobody should wait */
#define ORIGIN_PACE_NS (4 * ORIGIN_WAIT_NS)       /* between two dials of waiters */
#define ORIGIN_PACE_FAST_NS (ORIGIN_WAIT_NS / 4)  /* the same while the queue is not short */
#define ORIGIN_WAIT_MS_MAX 16u /* the longest pause between two tries of a waiter */
#define ORIGIN_WAITERS_MAX 65536u /* ORIGIN_WAITERS_FIRST, doubled */
#define ORIGIN_WAITERS_FIRST 16u
#define ORIGIN_REST_MS 100u
#define ORIGIN_REST_MS_MAX 10000u

typedef struct Upstream Upstream;
typedef struct Lease Lease;

/* What a sibling needs to know of a parked connection. One for each slot of a thread's upstreams
 * (Thread.park_nodes); while it is linked, it belongs to its list's lock. */
typedef struct ParkNode {
    int fd;
    Tls *tls; /* NULL: plain */
    uint32_t served;
    uint64_t retire_ms;
    uint32_t older; /* slot + 1 */
    uint32_t newer;
    bool stolen; /* a sibling has the connection: the owner gives the slot back */
} ParkNode;

typedef struct ParkList {
    _Alignas(64) pthread_mutex_t lock;
    _Atomic uint32_t count;
    uint32_t newest; /* slot + 1 */
    uint32_t oldest;
    uint32_t stolen; /* a chain through `older` */
    _Atomic uint32_t muxes; /* HTTP/2 connections of the thread: what it could give up */
} ParkList;

/* What a thread has of one origin that speaks HTTP/2: a connection and its streams stay on one
 * thread, at most one that takes new streams at a time. */
typedef struct MuxPlace {
    Handle upstream; /* takes new streams */
    Handle dialing;
    Handle first; /* leases that wait for either: Lease.next */
    Handle last;
    Handle yielding;  /* a connection that is to be given up: it takes no streams ... */
    uint64_t yield_ms; /* ... and if it has some then, it leaves with them, or is kept ... */
    uint64_t keep_ms;  /* ... at least until then, ... */
    uint32_t kept_ms;  /* ... which was so long */
    uint64_t ask_ms;  /* when a sibling may next be asked to give a connection up */
    uint32_t asked;   /* how often that was done: it turns among them */
    uint32_t missed; /* HTTP/1: how many of the last requests found no connection; of MISSED_ALL */
} MuxPlace;

/* What an origin has been found to speak, where its endpoint leaves that open. */
typedef enum OriginSpeaks { ORIGIN_UNKNOWN, ORIGIN_H1, ORIGIN_H2 } OriginSpeaks;

typedef struct Waiter {
    uint32_t thread;
    Handle lease;
} Waiter;

/* A place in the queue. */
typedef struct WaiterNode {
    Waiter who;
    uint32_t next; /* index + 1; 0 ends. Free places form a list of their own */
    uint32_t previous;
    bool used;
} WaiterNode;

struct Origin {
    const Endpoint *endpoint; /* `own` */
    Endpoint own; /* as the first that named it; `tls` is counted, the name is the worker's */
    uint32_t index;
    unsigned thread_count;
    ParkList *lists;
    _Alignas(64) pthread_mutex_t lock; /* of the waiters */
    _Atomic uint32_t waiting;
    uint32_t waiters_first; /* index + 1, as all of these */
    uint32_t waiters_last;
    uint32_t waiters_free;
    uint32_t waiters_room; /* it grows with the queue */
    WaiterNode *waiters COUNTED_BY(waiters_room);
    Budget *waiters_budget;
    _Atomic bool ends;       /* nobody names it */
    uint64_t ends_told;      /* messages about that to all threads */
    _Atomic uint64_t ends_done; /* ... that were obeyed */
    _Atomic uint32_t speaks; /* OriginSpeaks */
    _Atomic uint32_t open;    /* connections, busy, idle and dialling */
    _Atomic uint32_t leaving; /* ... of them, HTTP/2 that takes no more streams (origin_dial.h) */
    _Atomic uint32_t dialing;
    _Atomic uint32_t streams_max; /* HTTP/2: that it allowed on the last connection; 0: unknown */
    _Atomic uint64_t hold_ns; /* how long a request keeps a connection (median); 0: unknown */
    _Atomic uint32_t refusals;     /* dials that failed, one after the other */
    _Atomic uint32_t probing;      /* 1: a request tries after a rest */
    _Atomic uint64_t rest_until_ms; /* until then others are asked; 0: it does not rest */
    _Atomic uint64_t dial_next_ns; /* when a waiter may start one beyond ORIGIN_DIALS_FREE */
};

/* The endpoint is copied, but for its name, which must live as long. */
MUST_USE Err origin_init(Origin *o, const Endpoint *endpoint, uint32_t index, unsigned threads);
void origin_drop(Origin *o);

/* Room on a thread for what ThreadPlan says of connections to origins; and its end. */
MUST_USE Err origins_open(Thread *t, const ThreadPlan *plan);
void origins_close(Thread *t);

/* No endpoint names it any more (Origin.ends): the thread closes what it has parked. An endpoint
 * that names it again meanwhile has called it back. */
void origin_end(Thread *t, const Message *m);

/* Finds an idle connection for the lease. ERR_OK: it has one. ERR_AGAIN: it waits, and is woken
 * with one, or calls origin_wait_more when ORIGIN_WAIT_MS have passed. If it dials, it waits for a
 * dial of its own, which ends in a connection or in lease_failed: there is nothing more to ask for.
 * Other errors: a dial that failed at once, or ERR_FULL; the caller calls origin_unwait. A lease
 * that wants a fresh one dials, unless there are as many as there may be. */
MUST_USE Err origin_take(Thread *t, Origin *o, Lease *l);
/* A waiter has waited: it may start one more dial. */
MUST_USE Err origin_wait_more(Thread *t, Origin *o, Lease *l);

/* A dial of this thread has ended in a connection that speaks HTTP/2 (`u`), or in one that does not
 * (then it is the caller's to serve or park), or has failed. */
void origin_mux_ready(Thread *t, Upstream *u);
void origin_mux_none(Thread *t, Upstream *u);
void origin_mux_failed(Thread *t, Upstream *u, Fault fault);
/* The connection takes no more streams: another one may be dialled in its place, even if those that
 * it has last for hours. */
void origin_mux_gone(Thread *t, Upstream *u);
/* It does again, after a doubt; false: another one has taken its place, here or at its origin. */
bool origin_mux_back(Thread *t, Upstream *u);
/* A stream or a connection of this thread has ended: whoever waits is served by any connection that
 * has room, or by a dial. */
void origin_mux_next(Thread *t, Origin *o);
/* A sibling waits for a connection and may not dial, because there are as many as may be: this
 * thread's takes no more streams, and ends when those that it has are over. Where that takes long
 * it gives its place up; if too many have done that, it goes on. */
void origin_mux_yield(Thread *t, const Message *m);
/* The lease waits no more. */
void origin_unwait(Thread *t, Lease *l);

/* A dial has failed, or one has succeeded. An endpoint that cannot be reached rests: from
 * ORIGIN_REST_MS for the first time, twice as long each time, to ORIGIN_REST_MS_MAX. */
void origin_unreachable(const Thread *t, Origin *o);
void origin_reachable(Origin *o);
/* Whether others should be asked. When a rest is over one request tries, while the others wait for
 * what it finds. */
bool origin_rests(const Thread *t, Origin *o);
/* Connections that work for requests now. */
uint32_t origin_busy(const Origin *o);

/* Counts a user of an endpoint that may be removed: until it is unpinned, the endpoint and its
 * origin stay. Everything that is done with it comes before the unpinning. */
static inline void endpoint_pin(Thread *t, const Endpoint *e)
{
    counter_add(&t->endpoint_pins[e->number], 1);
}
static inline void endpoint_unpin(Thread *t, const Endpoint *e)
{
    Counter *pins = &t->endpoint_pins[e->number];
    atomic_store_explicit(pins, counter_read(pins) - 1, memory_order_release);
}

/* The connection is free: parks it, or serves the oldest waiter with it. */
void origin_return(Thread *t, Upstream *u);
/* Takes a parked connection of this thread out of its list; false when a sibling has it already
 * (then its slot was given back: `u` is gone). */
bool origin_unpark(Thread *t, Upstream *u);
/* A connection that another thread has sent for one of our waiters. */
void origin_receive(Thread *t, const Message *m);

#endif
