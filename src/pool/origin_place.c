/* origin_place.c - each thread's connections to origins that speak HTTP/2. */
#include "pool/origin_place.h"

#include "base/number.h"
#include "pool/lease.h"
#include "pool/origin_dial.h"
#include "pool/origin_waiters.h"

Origin *origin_at(Thread *t, uint32_t index)
{
    CHECK(index < POOL_ORIGINS_MAX);
    return &t->group->origins[index];
}

MuxPlace *mux_place_of(Thread *t, uint32_t origin)
{
    return &t->places[origin];
}

static void place_push(Thread *t, MuxPlace *p, Lease *l)
{
    l->queued = true;
    handle_list_append(&p->leases, &t->leases, offsetof(Lease, links), l->self, &l->links);
}

void origin_unwait(Thread *t, Lease *l)
{
    l->waits = false;
    l->dials = false;
    if (l->place) {
        Waiter w = {.thread = t->index, .lease = l->self};
        waiters_leave(origin_at(t, l->origin), w, &l->place);
    }
    if (!l->queued) {
        return;
    }
    MuxPlace *p = mux_place_of(t, l->origin);
    l->queued = false;
    handle_list_remove(&p->leases, &t->leases, offsetof(Lease, links), &l->links);
}

static bool goes_on(const Mux *m)
{
    int32_t last = 0;
    return !m->leaving && !m->failed && !h2_peer_leaves(m->h2, &last);
}

/* Whether the connection may take streams, whether or not one is free. */
static bool is_sound(const Upstream *u)
{
    return !u->leaves && !u->yields && !u->doubted && goes_on(u->mux);
}

static bool has_room(const Thread *t, const Upstream *u)
{
    return mux_room(u->mux) > 0 && !mux_is_shut(t, u->mux);
}

/* Another connection of this thread that may take streams, preferably with a free one; NULL if
 * there is none. */
static Upstream *place_other(Thread *t, const Origin *o, const MuxPlace *p)
{
    uint32_t left = atomic_load_explicit(&o->lists[t->index].muxes, memory_order_relaxed);
    Upstream *other = NULL;
    for (uint32_t i = 0; left > 1 && i < t->upstreams.slots_touched; i++) {
        Handle h;
        Upstream *u = (Upstream *)pool_at(&t->upstreams, i, &h);
        bool may = u && u->mux && u->origin == o->index && !handle_equal(h, p->upstream) &&
                   is_sound(u);
        if (may && has_room(t, u)) {
            return u;
        }
        other = may ? u : other;
    }
    return other;
}

/* The connection for new streams, replaced by another if it has none free; NULL: none is free. */
static Upstream *place_open(Thread *t, const Origin *o, MuxPlace *p)
{
    Upstream *u = upstream_get(t, p->upstream);
    if (u && !has_room(t, u)) {
        u = place_other(t, o, p);
        u = u && has_room(t, u) ? u : NULL;
        p->upstream = u ? u->self : p->upstream;
    }
    return u;
}

/* Opens a stream for the lease on one of the thread's connections; false: none is free. */
static bool place_serve(Thread *t, const Origin *o, MuxPlace *p, Lease *l)
{
    Upstream *u = place_open(t, o, p);
    if (!u) {
        return false;
    }
    MuxStream *s = mux_stream_open(u->mux, l->owner);
    if (!s) {
        return false;
    }
    lease_attach_stream(t, l, s, u->served > 0);
    u->served++;
    return true;
}

#define ASK_MS 50u /* between two requests to siblings for a connection */
#define YIELD_MS 500u /* for the streams of a connection being given up */
#define KEEP_MS 2000u /* before one that could not be given up is asked again; doubles each time */
#define KEEP_MS_MAX 64000u

/* The limit is reached and this thread has no connection: asks a sibling that has one to give it
 * up, another sibling each time. */
static void place_ask(Thread *t, Origin *o, MuxPlace *p)
{
    if (upstream_get(t, p->upstream) || t->now_ms < p->ask_ms) {
        return;
    }
    p->ask_ms = t->now_ms + ASK_MS;
    for (unsigned i = 1; i < o->thread_count; i++) {
        unsigned at = (t->index + p->asked++ % (o->thread_count - 1) + 1) % o->thread_count;
        if (atomic_load_explicit(&o->lists[at].muxes, memory_order_relaxed) > 0) {
            Message m = {.kind = MESSAGE_MUX_YIELD, .fd = -1, .words = {o->index}};
            (void)!mailbox_post(&t->group->threads[at]->mailbox, &m); /* else later */
            return;
        }
    }
}

/* Replaces the connection by another one of the thread, if any: several may have been dialled while
 * the origin spoke HTTP/1. */
static void place_leave(Thread *t, const Origin *o, MuxPlace *p, const Upstream *u)
{
    if (handle_equal(p->upstream, u->self)) {
        Upstream *other = place_other(t, o, p);
        p->upstream = other ? other->self : HANDLE_NONE; /* origin_mux_next hands out its streams */
    }
}

/* A connection that could not be given up in time leaves with its streams, or takes more again. */
static void place_keep(Thread *t, Origin *o, MuxPlace *p)
{
    Upstream *u = upstream_get(t, p->yielding);
    if (!u || t->now_ms < p->yield_ms) {
        return;
    }
    p->yielding = HANDLE_NONE;
    if (dial_may_leave(o)) {
        origin_mux_gone(t, u);
        return;
    }
    p->kept_ms = p->kept_ms ? (uint32_t)u64_min(2 * p->kept_ms, KEEP_MS_MAX) : KEEP_MS;
    p->keep_ms = t->now_ms + p->kept_ms;
    u->yields = false;
    (void)!origin_mux_back(t, u);
}

void origin_mux_yield(Thread *t, const Message *m)
{
    Origin *o = origin_at(t, (uint32_t)m->words[0]);
    MuxPlace *p = mux_place_of(t, o->index);
    place_keep(t, o, p); /* waiters keep asking */
    Upstream *u = upstream_get(t, p->upstream);
    if (!u || upstream_get(t, p->yielding) || dial_has_room(o) ||
        (u->mux->count > 0 && t->now_ms < p->keep_ms)) {
        return;
    }
    place_leave(t, o, p, u);
    p->yielding = u->self;
    p->yield_ms = t->now_ms + YIELD_MS;
    u->yields = true;
    mux_flush_later(t, u->mux); /* ends it if it has no streams */
}

static Err place_dial(Thread *t, Origin *o, MuxPlace *p, Lease *l)
{
    if (upstream_get(t, p->dialing)) {
        return ERR_OK;
    }
    if (!dial_has_room(o)) {
        place_ask(t, o, p);
        return ERR_OK;
    }
    atomic_fetch_add(&o->open, 1);
    atomic_fetch_add(&o->dialing, 1);
    Err err = upstream_dial(t, o, l->self, false, &p->dialing);
    if (err != ERR_OK) {
        atomic_fetch_sub(&o->open, 1);
        atomic_fetch_sub(&o->dialing, 1);
    }
    return err;
}

/* Serves waiters from the thread's connections, oldest first; dials another one for those left,
 * whose own deadlines apply. Errors as for dialling. */
static Err place_serve_all(Thread *t, Origin *o, MuxPlace *p)
{
    Lease *l = lease_get(t, p->leases.first);
    while (l && place_serve(t, o, p, l)) {
        lease_again(t, l);
        l = lease_get(t, p->leases.first);
    }
    return l ? place_dial(t, o, p, l) : ERR_OK;
}

Err mux_place_take(Thread *t, Origin *o, Lease *l)
{
    MuxPlace *p = mux_place_of(t, o->index);
    place_keep(t, o, p);
    if (lease_is_had(l)) { /* on a connection that was kept */
        return ERR_OK;
    }
    if (!l->queued && !lease_get(t, p->leases.first) && place_serve(t, o, p, l)) {
        return ERR_OK;
    }
    if (!l->queued) {
        l->waits = true;
        place_push(t, p, l);
    }
    Err err = place_serve_all(t, o, p); /* first come, first served */
    if (lease_is_had(l)) {
        return ERR_OK;
    }
    return err == ERR_OK ? ERR_AGAIN : err;
}


void origin_mux_next(Thread *t, Origin *o)
{
    MuxPlace *p = mux_place_of(t, o->index);
    if (!handle_is_none(p->leases.first)) {
        (void)!place_serve_all(t, o, p);
    }
}

/* The dial is over: its waiters ask again. */
static void place_retry(Thread *t, MuxPlace *p)
{
    for (Lease *l = lease_get(t, p->leases.first); l; l = lease_get(t, p->leases.first)) {
        lease_retry(t, l);
    }
}

static bool place_dial_over(Thread *t, MuxPlace *p, const Upstream *u)
{
    (void)t;
    bool ours = handle_equal(p->dialing, u->self);
    if (ours) {
        p->dialing = HANDLE_NONE;
    }
    return ours;
}

void origin_mux_ready(Thread *t, Upstream *u)
{
    Origin *o = origin_at(t, u->origin);
    MuxPlace *p = mux_place_of(t, u->origin);
    atomic_store(&o->speaks, ORIGIN_H2);
    (void)place_dial_over(t, p, u);
    p->kept_ms = 0;
    p->upstream = u->self; /* the previous one finishes its streams, or ends when idle */
}

bool origin_mux_back(Thread *t, Upstream *u)
{
    Origin *o = origin_at(t, u->origin);
    MuxPlace *p = mux_place_of(t, u->origin);
    if (upstream_get(t, p->upstream) || u->yields || !goes_on(u->mux) ||
        (u->leaves && !dial_takes_back(o))) {
        return false;
    }
    u->leaves = false;
    p->upstream = u->self;
    (void)!place_serve_all(t, o, p);
    return true;
}

void origin_mux_none(Thread *t, Upstream *u)
{
    Origin *o = origin_at(t, u->origin);
    MuxPlace *p = mux_place_of(t, u->origin);
    atomic_store(&o->speaks, ORIGIN_H1);
    if (place_dial_over(t, p, u)) {
        place_retry(t, p);
    }
}

void origin_mux_failed(Thread *t, Upstream *u, Fault fault)
{
    MuxPlace *p = mux_place_of(t, u->origin);
    if (!place_dial_over(t, p, u)) {
        return;
    }
    for (Lease *l = lease_get(t, p->leases.first); l; l = lease_get(t, p->leases.first)) {
        lease_failed(t, l, fault);
    }
}

void origin_mux_gone(Thread *t, Upstream *u)
{
    Origin *o = origin_at(t, u->origin);
    MuxPlace *p = mux_place_of(t, u->origin);
    if (!u->leaves) {
        u->leaves = true;
        atomic_fetch_add(&o->leaving, 1);
    }
    place_leave(t, o, p, u);
}
