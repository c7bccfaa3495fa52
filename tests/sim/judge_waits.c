/* judge_waits.c - nobody waits for a connection to an origin that could be had. While all threads
 * sleep none is idle, on whichever thread, though a request waits; a dial that may start does soon;
 * and a connection that is to be given up to another thread goes, or is used again. */
#include "pool/lease.h"
#include "pool/origin_dial.h"
#include "pool/origin_place.h"
#include "pool/upstream.h"
#include "trial.h"

#define SOON_MS 500u /* threads ask each other every 50 ms, and may not be let run for 60 */

/* Since when the same one has been the first of those who wait. */
typedef struct First {
    Handle lease;
    uint64_t since_ms;
} First;

static First over_h1[ORIGINS_MAX];
static First over_h2[LAN_THREADS_MAX][ORIGINS_MAX];
static First with_room[LAN_THREADS_MAX][ORIGINS_MAX]; /* of those, who may dial */

void judge_waits_begin(void)
{
    span_fill(span_of(over_h1, sizeof over_h1), 0);
    span_fill(span_of(over_h2, sizeof over_h2), 0);
    span_fill(span_of(with_room, sizeof with_room), 0);
}

/* Whether it has waited for long, as what it waits for has not changed. */
static bool waits_long(First *f, Handle lease, bool waits)
{
    uint64_t now_ms = lan_now_ns() / LAN_MS;
    if (!waits || !handle_equal(f->lease, lease)) {
        *f = (First){.lease = waits ? lease : HANDLE_NONE, .since_ms = now_ms};
    }
    return waits && now_ms > f->since_ms + SOON_MS;
}

/* Whether a connection that is made, or comes from another thread, can be watched. */
static bool can_watch(void)
{
    return lan_faults_now()->watch_one_in == 0;
}

static bool may_dial(Origin *o)
{
    return dial_has_room(o) && trial->worker->group.budget.max_bytes == 0 && can_watch();
}

/* The queue that all threads share. */
static void judge_shared(Origin *o, unsigned number)
{
    bool waits = o->waiters_first != 0;
    for (unsigned i = 0; i < trial->plan.threads && waits && can_watch(); i++) {
        if (atomic_load(&o->lists[i].count) > 0) {
            trial_fail("requests wait for origin %u, and thread %u has an idle connection", number,
                       i);
        }
    }
    Handle first = waits ? o->waiters[o->waiters_first - 1].who.lease : HANDLE_NONE;
    bool could = waits && atomic_load(&o->dialing) == 0 && may_dial(o);
    if (waits_long(&over_h1[number], first, could)) {
        trial_fail("requests wait for origin %u, and none dials", number);
    }
}

static bool is_sound(const Upstream *u)
{
    int32_t last = 0;
    return !u->doubted && !u->yields && !u->leaves && !u->mux->leaving && !u->mux->failed &&
           !h2_peer_leaves(u->mux->h2, &last);
}

/* What another thread keeps from those who wait on one, and for how long; NULL: nothing. */
static const char *kept_by(Thread *t, const Origin *o)
{
    uint64_t now_ms = lan_now_ns() / LAN_MS;
    const MuxPlace *p = mux_place_of(t, o->index);
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (!u || !u->mux || u->origin != o->index) {
            continue;
        }
        if (is_sound(u) && u->mux->count == 0 && now_ms > u->mux->idle_ms + SOON_MS) {
            return "has one that is idle";
        }
        if (u->yields && !u->leaves && now_ms > p->yield_ms + SOON_MS) {
            return "does not give one up that it should";
        }
    }
    return NULL;
}

/* Whether a connection of the thread has a stream for somebody. */
static bool has_stream(Thread *t, const Origin *o)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && u->mux && u->origin == o->index && is_sound(u) && mux_room(u->mux) > 0 &&
            !mux_is_shut(t, u->mux)) {
            return true;
        }
    }
    return false;
}

/* Those who wait on one thread for connections of HTTP/2. */
static void judge_place(Thread *t, Origin *o, unsigned number)
{
    const MuxPlace *p = mux_place_of(t, o->index);
    bool memory = trial->worker->group.budget.max_bytes > 0; /* may be too little for a stream */
    if (lease_get(t, p->leases.first) && !memory && has_stream(t, o)) {
        trial_fail("requests on thread %u wait for origin %u beside a stream that is free",
                   t->index, number);
    }
    bool alone = !upstream_get(t, p->upstream) && !upstream_get(t, p->dialing);
    bool waits = lease_get(t, p->leases.first) != NULL && alone;
    if (waits_long(&with_room[t->index][number], p->leases.first, waits && may_dial(o))) {
        trial_fail("requests on thread %u wait for origin %u, and none dials", t->index, number);
    }
    bool stuck =
        waits_long(&over_h2[t->index][number], p->leases.first, waits && !dial_has_room(o));
    for (unsigned i = 0; i < trial->plan.threads && stuck; i++) {
        const char *how = kept_by(trial->worker->group.threads[i], o);
        if (how) {
            trial_fail("requests on thread %u wait for a connection to origin %u, and thread %u %s",
                       t->index, number, i, how);
        }
    }
}

/* One that is to be given up is known to its place, which sees to it, and ends with its streams. */
static void judge_yielding(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (!u || !u->mux || !u->yields || u->leaves) {
            continue;
        }
        if (!handle_equal(mux_place_of(t, u->origin)->yielding, h)) {
            trial_fail("a connection is to be given up, and its place does not know");
        }
        if (u->mux->count == 0 && !u->mux->leaving && !u->mux->failed) {
            trial_fail("a connection is to be given up, has no streams, and stays");
        }
    }
}

void judge_waits(void)
{
    Thread *const *threads = trial->worker->group.threads;
    for (unsigned k = 0; k < trial->plan.origin_count; k++) {
        Origin *o = &trial->worker->group.origins[trial->site.endpoints[k].origin];
        judge_shared(o, k);
        for (unsigned i = 0; i < trial->plan.threads; i++) {
            judge_place(threads[i], o, k);
        }
    }
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        judge_yielding(threads[i]);
    }
}
