/* origin.h - the connections to one endpoint, shared by all threads: none is opened while any
 * thread has an idle one.
 *
 * Each thread parks its idle connections in its own list (newest first), under that list's own
 * short lock. A request tries its thread's list, then the siblings'. On a miss it registers as a
 * waiter and looks again; a returned connection is parked before the queue is checked for waiters.
 * Both orders are sequentially consistent, so one of the two always sees the other
 * (tests/unit/origin_model_test.c tries all interleavings). If the queue is long, a waiter dials at
 * once (origin_dial.c); otherwise it waits first, and dials are paced: one per ORIGIN_PACE_NS for
 * all waiters together. The first connection to become available, returned or new, serves the
 * oldest waiter. A waiter that gives up leaves the queue (origin_unwait). */
#ifndef POOL_ORIGIN_H
#define POOL_ORIGIN_H

#include <pthread.h>

#include "base/handle_list.h"
#include "pool/endpoint.h"
#include "transport/thread.h"

#define POOL_ORIGINS_MAX (1u << 17)
#define ORIGIN_DIALS_FREE 4u /* dials in flight that need no waiting */
#define ORIGIN_WAIT_MS 1u    /* before a waiter may start one more */
#define ORIGIN_WAIT_NS (ORIGIN_WAIT_MS * UINT64_C(1000000))
#define ORIGIN_WAIT_LONG_NS (16 * ORIGIN_WAIT_NS) /* a queue too long to wait in */
#define ORIGIN_PACE_NS (4 * ORIGIN_WAIT_NS)       /* between two dials by waiters */
#define ORIGIN_PACE_FAST_NS (ORIGIN_WAIT_NS / 4)  /* the same while the queue is not short */
#define ORIGIN_WAIT_MS_MAX 16u /* longest pause between a waiter's tries */
#define ORIGIN_WAITERS_MAX 65536u /* ORIGIN_WAITERS_FIRST, doubled */
#define ORIGIN_WAITERS_FIRST 16u
#define ORIGIN_BACKOFF_MS 100u
#define ORIGIN_BACKOFF_MS_MAX 10000u

typedef struct Upstream Upstream;
typedef struct Lease Lease;

/* The part of a parked connection that siblings need. One for each slot of a thread's upstreams
 * (Thread.park_nodes); while linked, it is protected by its list's lock. */
typedef struct ParkNode {
    int fd;
    Tls *tls; /* NULL: plain */
    uint32_t served;
    uint64_t retire_ms;
    uint32_t older; /* slot + 1 */
    uint32_t newer;
    bool stolen; /* taken by a sibling: the owner frees the slot */
} ParkNode;

typedef struct ParkList {
    _Alignas(64) pthread_mutex_t lock;
    _Atomic uint32_t count;
    uint32_t newest; /* slot + 1 */
    uint32_t oldest;
    uint32_t stolen; /* linked through `older` */
    _Atomic uint32_t muxes; /* HTTP/2 connections of the thread, which it could give up */
} ParkList;

/* A thread's state for one origin that speaks HTTP/2. A connection and its streams stay on one
 * thread; at most one connection takes new streams at a time. */
typedef struct MuxPlace {
    Handle upstream; /* takes new streams */
    Handle dialing;
    HandleList leases; /* those that wait for either, oldest first */
    Handle yielding;  /* a connection being given up: it takes no new streams */
    uint64_t yield_ms; /* if it still has streams then, it leaves with them, or is kept */
    uint64_t keep_ms;  /* kept at least until then ... */
    uint32_t kept_ms;  /* ... for this long */
    uint64_t ask_ms;  /* earliest time to ask another sibling for a connection */
    uint32_t asked;   /* number of such requests, for the round robin over siblings */
    uint32_t missed; /* HTTP/1: share of recent requests without a connection, of MISSED_ALL */
} MuxPlace;

/* The protocol found at an origin whose endpoint allows either. */
typedef enum OriginSpeaks { ORIGIN_UNKNOWN, ORIGIN_H1, ORIGIN_H2 } OriginSpeaks;

typedef struct Waiter {
    uint32_t thread;
    Handle lease;
} Waiter;

/* An entry of the queue. */
typedef struct WaiterNode {
    Waiter who;
    uint32_t next; /* index + 1; 0 ends. Unused entries form a list of their own */
    uint32_t previous;
    bool used;
} WaiterNode;

struct Origin {
    const Endpoint *endpoint; /* points to `own` */
    Endpoint own; /* copied from the first user; `tls` is counted, the worker owns the name */
    uint32_t index;
    unsigned thread_count;
    ParkList *lists;
    _Alignas(64) pthread_mutex_t lock; /* protects the waiters */
    _Atomic uint32_t waiting;
    uint32_t waiters_first; /* index + 1, like the next two */
    uint32_t waiters_last;
    uint32_t waiters_free;
    uint32_t waiters_room; /* grows with the queue */
    WaiterNode *waiters COUNTED_BY(waiters_room);
    Budget *waiters_budget;
    _Atomic bool ends;       /* no longer named by any endpoint */
    uint64_t ends_told;      /* messages sent to all threads about that */
    _Atomic uint64_t ends_done; /* ... and handled */
    _Atomic uint32_t speaks; /* OriginSpeaks */
    _Atomic uint32_t open;    /* connections: busy, idle and dialling */
    _Atomic uint32_t leaving; /* ... that are HTTP/2 and take no new streams (origin_dial.h) */
    _Atomic uint32_t dialing;
    _Atomic uint32_t streams_max; /* HTTP/2: allowed on the last connection; 0: unknown */
    _Atomic uint64_t hold_ns; /* median time that a request holds a connection; 0: unknown */
    _Atomic uint32_t refusals;     /* consecutive failed dials */
    _Atomic uint32_t probing;      /* 1: a request probes it after a rest */
    _Atomic uint64_t backoff_until_ms; /* try other endpoints until then; 0: it is not backed off */
    _Atomic uint64_t dial_next_ns; /* when a waiter may dial beyond ORIGIN_DIALS_FREE */
};

/* Copies the endpoint, except its name, which must outlive the origin. */
MUST_USE Err origin_init(Origin *o, const Endpoint *endpoint, uint32_t index, unsigned threads);
void origin_drop(Origin *o);

/* Allocates a thread's room for connections to origins, sized by ThreadPlan; and frees it. */
MUST_USE Err origins_open(Thread *t, const ThreadPlan *plan);
void origins_close(Thread *t);

/* No endpoint names the origin any more (Origin.ends): the thread closes its parked connections.
 * Does nothing if an endpoint has named it again meanwhile. */
void origin_end(Thread *t, const Message *m);

/* Finds an idle connection for the lease. ERR_OK: it has one. ERR_AGAIN: it waits, and is woken
 * with one, or calls origin_wait_more after ORIGIN_WAIT_MS. If `dials` is set, it waits for a dial
 * of its own, which ends in a connection or in lease_failed: no need to ask again. Other errors: a
 * dial that failed at once, or ERR_FULL; the caller calls origin_unwait. A lease that wants a fresh
 * connection dials, unless the endpoint's limit is reached. */
MUST_USE Err origin_take(Thread *t, Origin *o, Lease *l);
/* After a wait: the lease may start one more dial. */
MUST_USE Err origin_wait_more(Thread *t, Origin *o, Lease *l);

/* A dial of this thread has ended: in an HTTP/2 connection (`u`), in one that is not HTTP/2 (the
 * caller then serves or parks it), or in failure. */
void origin_mux_ready(Thread *t, Upstream *u);
void origin_mux_none(Thread *t, Upstream *u);
void origin_mux_failed(Thread *t, Upstream *u, Fault fault);
/* The connection takes no more streams: another may be dialled in its place, even if its current
 * streams last for hours. */
void origin_mux_gone(Thread *t, Upstream *u);
/* It takes streams again after a doubt; false: another has its place, here or at the origin. */
bool origin_mux_back(Thread *t, Upstream *u);
/* A stream or a connection of this thread has ended: serves waiters from any connection with room,
 * or dials. */
void origin_mux_next(Thread *t, Origin *o);
/* A sibling waits for a connection and may not dial because the limit is reached: this thread's
 * connection takes no more streams, and ends after its current ones. If that takes too long it
 * gives up its place under the limit; if too many have done so, it takes streams again. */
void origin_mux_yield(Thread *t, const Message *m);
/* Removes the lease from the waiters. */
void origin_unwait(Thread *t, Lease *l);

/* A dial has failed, or succeeded. An unreachable endpoint is backed off: ORIGIN_BACKOFF_MS the
 * first time, twice as long each time, up to ORIGIN_BACKOFF_MS_MAX. */
void origin_unreachable(const Thread *t, Origin *o);
void origin_reachable(Origin *o);
/* Whether to try other endpoints. After a rest one request probes the endpoint, and the others wait
 * for the outcome. */
bool origin_backs_off(const Thread *t, Origin *o);
/* Connections in use by requests. */
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
/* Takes a parked connection of this thread out of its list; false if a sibling has already taken it
 * (then its slot was freed, and `u` is gone). */
bool origin_unpark(Thread *t, Upstream *u);
/* Receives a connection that another thread sent for one of this thread's waiters. */
void origin_receive(Thread *t, const Message *m);

#endif
