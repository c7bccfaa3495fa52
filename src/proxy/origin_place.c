/* origin_place.c - origins that speak HTTP/2: what each thread has of them. */
#include "proxy/origin_place.h"

#include "proxy/exchange.h"
#include "proxy/origin_dial.h"
#include "proxy/worker.h"

Origin *origin_at(Thread *t, uint32_t index)
{
    CHECK(index < WORKER_ORIGINS_MAX);
    return &t->worker->origins[index];
}

MuxPlace *mux_place_of(Thread *t, uint32_t origin)
{
    return &t->places[origin];
}

static void place_push(Thread *t, MuxPlace *p, Exchange *x)
{
    Exchange *last = exchange_get(t, p->last);
    x->queued = true;
    x->waiter_previous = p->last;
    x->waiter_next = HANDLE_NONE;
    if (last) {
        last->waiter_next = x->self;
    } else {
        p->first = x->self;
    }
    p->last = x->self;
}

void origin_unwait(Thread *t, Exchange *x)
{
    x->waits = false;
    if (!x->queued) {
        return;
    }
    MuxPlace *p = mux_place_of(t, x->endpoint->origin);
    Exchange *next = exchange_get(t, x->waiter_next);
    Exchange *previous = exchange_get(t, x->waiter_previous);
    x->queued = false;
    if (next) {
        next->waiter_previous = x->waiter_previous;
    } else {
        p->last = x->waiter_previous;
    }
    if (previous) {
        previous->waiter_next = x->waiter_next;
    } else {
        p->first = x->waiter_next;
    }
}

/* A stream of the thread's connection for `x`; false when there is none, or no stream is free. */
static bool place_serve(Thread *t, MuxPlace *p, Exchange *x)
{
    Upstream *u = upstream_get(t, p->upstream);
    if (!u || h2_room(u->mux->h2) == 0) {
        return false;
    }
    MuxStream *s = mux_stream_open(t, u->mux, x->self);
    if (!s) {
        return false;
    }
    exchange_attach_stream(t, x, s, u->served > 0);
    u->served++;
    return true;
}

static Err place_dial(Thread *t, Origin *o, MuxPlace *p, Exchange *x)
{
    if (upstream_get(t, p->dialing) || !dial_has_room(o)) {
        return ERR_OK;
    }
    atomic_fetch_add(&o->open, 1);
    atomic_fetch_add(&o->dialing, 1);
    Err err = upstream_dial(t, o, x->self, false, &p->dialing);
    if (err != ERR_OK) {
        atomic_fetch_sub(&o->open, 1);
        atomic_fetch_sub(&o->dialing, 1);
    }
    return err;
}

Err mux_place_take(Thread *t, Origin *o, Exchange *x)
{
    MuxPlace *p = mux_place_of(t, o->index);
    if (place_serve(t, p, x)) {
        return ERR_OK;
    }
    TRY(place_dial(t, o, p, x));
    if (!x->queued) {
        x->waits = true;
        place_push(t, p, x);
    }
    return ERR_AGAIN;
}

/* Those who waited for a dial that is over ask again. */
static void place_retry(Thread *t, MuxPlace *p)
{
    for (Exchange *x = exchange_get(t, p->first); x; x = exchange_get(t, p->first)) {
        origin_unwait(t, x);
        x->asked = false;
        exchange_again(t, x);
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
    Upstream *old = upstream_get(t, p->upstream);
    p->upstream = u->self;
    if (old) {
        mux_flush_later(t, old->mux); /* it ends when its streams have */
    }
    Exchange *x = exchange_get(t, p->first);
    while (x && place_serve(t, p, x)) {
        exchange_again(t, x);
        x = exchange_get(t, p->first);
    }
    if (x) {
        (void)!place_dial(t, o, p, x); /* who is left waits for one more; its deadline watches */
    }
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
    for (Exchange *x = exchange_get(t, p->first); x; x = exchange_get(t, p->first)) {
        exchange_dial_failed(t, x, fault);
    }
}

void origin_mux_gone(Thread *t, Upstream *u)
{
    MuxPlace *p = mux_place_of(t, u->origin);
    if (handle_equal(p->upstream, u->self)) {
        p->upstream = HANDLE_NONE;
    }
}
