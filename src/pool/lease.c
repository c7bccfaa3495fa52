/* lease.c - a lease from asking for a connection to giving it back (see lease.h). */
#include "pool/lease.h"

#include "base/number.h"
#include "pool/origin.h"
#include "pool/origin_place.h"
#include "pool/upstream.h"

Lease *lease_new(Thread *t, Token owner, uint32_t origin, bool fresh)
{
    Handle h;
    Lease *l = (Lease *)pool_take(&t->leases, &h);
    if (l) {
        l->self = h;
        l->owner = owner;
        l->origin = origin;
        l->fresh = fresh;
    }
    return l;
}

/* --- asking ---------------------------------------------------------------------------------- */

static Err ask_first(Thread *t, Origin *o, Lease *l)
{
    l->asked = true;
    l->wait_ms = ORIGIN_WAIT_MS;
    /* now_ms is the start of the turn: only after two ticks has a whole millisecond passed. */
    l->wait_due_ms = t->now_ms + l->wait_ms + 1;
    l->wait_end_ms = l->wait_end_ms ? l->wait_end_ms : t->now_ms + o->endpoint->connect_wait_ms;
    Err err = origin_take(t, o, l);
    if (l->dials) { /* the end of the dial wakes it */
        l->wait_due_ms = UINT64_MAX;
    }
    return err;
}

static Err ask_on(Thread *t, Origin *o, Lease *l)
{
    if (t->now_ms < l->wait_due_ms) {
        return ERR_AGAIN;
    }
    l->wait_ms = (uint32_t)u64_min(l->wait_ms * 2, ORIGIN_WAIT_MS_MAX);
    l->wait_due_ms = t->now_ms + l->wait_ms;
    return origin_wait_more(t, o, l);
}

/* No descriptor is left for a dial: an idle connection may be closed at the end of the turn. */
static Err wait_for_descriptor(Thread *t, Lease *l)
{
    l->short_once = true;
    l->asked = false;
    l->wait_due_ms = t->now_ms + 1;
    t->descriptors_wanted = true;
    return ERR_AGAIN;
}

Err lease_ask(Thread *t, Lease *l)
{
    if (l->fault != FAULT_NONE) {
        return ERR_CLOSED;
    }
    if (lease_is_had(l)) {
        return ERR_OK;
    }
    if (l->short_once && !l->asked && t->now_ms < l->wait_due_ms) {
        return ERR_AGAIN;
    }
    Origin *o = origin_at(t, l->origin);
    Err err = l->asked ? ask_on(t, o, l) : ask_first(t, o, l);
    if (err == ERR_DESCRIPTORS && !l->short_once) {
        return wait_for_descriptor(t, l);
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        l->fault = err == ERR_FULL ? FAULT_NO_ENDPOINT : fault_of_dial(err);
    }
    return err;
}

/* --- being served ---------------------------------------------------------------------------- */

void lease_again(Thread *t, Lease *l)
{
    if (!l->again) {
        l->again = true;
        thread_again_token(t, token_of(TOKEN_LEASE, l->self));
    }
}

Token lease_on_again(const Thread *t, Handle h)
{
    Lease *l = lease_get(t, h);
    if (!l) {
        return TOKEN_NONE;
    }
    l->again = false;
    return l->owner;
}

/* Fast path: most leases never wait. */
static void lease_unwait(Thread *t, Lease *l)
{
    if (UNLIKELY(l->waits || l->queued || l->place)) {
        origin_unwait(t, l);
    }
}

void lease_attach(Thread *t, Lease *l, Upstream *u)
{
    lease_unwait(t, l);
    l->upstream = u->self;
    l->reused = u->served > 0 || u->was_parked;
    u->served++;
    u->taken_ns = t->now_ns;
    u->lease = l->self;
    u->state = UPSTREAM_BUSY;
    timer_stop(&t->wheel, u->timer);
}

void lease_connected(Thread *t, Lease *l, Upstream *u)
{
    lease_attach(t, l, u);
    lease_again(t, l);
}

void lease_attach_stream(Thread *t, Lease *l, MuxStream *s, bool reused)
{
    soft_check(!lease_is_had(l));
    lease_unwait(t, l);
    l->stream = s->self;
    l->reused = reused;
}

void lease_failed(Thread *t, Lease *l, Fault fault)
{
    origin_unwait(t, l);
    l->fault = fault;
    lease_again(t, l);
}

void lease_retry(Thread *t, Lease *l)
{
    origin_unwait(t, l);
    l->asked = false;
    lease_again(t, l);
}

/* --- using and leaving ----------------------------------------------------------------------- */

void lease_doubt(Thread *t, const Lease *l, uint64_t since_ms)
{
    const MuxStream *s = mux_stream_get(t, l->stream);
    if (s) {
        upstream_doubt(t, s, since_ms);
    }
}

bool lease_is_refused(Thread *t, const Lease *l)
{
    Upstream *u = upstream_get(t, l->upstream);
    return u && upstream_is_refused(t, u);
}

static void lease_forget(Thread *t, Lease *l)
{
    lease_unwait(t, l);
    pool_give(&t->leases, l->self);
}

void lease_end(Thread *t, Lease *l, bool abort)
{
    Upstream *u = upstream_get(t, l->upstream);
    MuxStream *s = mux_stream_get(t, l->stream);
    lease_forget(t, l);
    if (s) {
        upstream_leave_stream(t, s, false);
    }
    if (u) {
        upstream_close(t, u, abort);
    }
}

void lease_release(Thread *t, Lease *l, const LeaseEnd *how)
{
    MuxStream *s = mux_stream_get(t, l->stream);
    if (s) {
        lease_forget(t, l);
        upstream_leave_stream(t, s, how->complete);
        return;
    }
    Upstream *u = upstream_get(t, l->upstream);
    bool reusable = u && how->complete && how->keep_alive && u->in.len == 0 && !u->wire.readable;
    if (!reusable) {
        bool whole = u && how->complete && u->wire.out.len == 0;
        lease_end(t, l, !whole);
        return;
    }
    lease_forget(t, l);
    upstream_announced(t, u, how->keep_alive_ms);
    origin_return(t, u);
}
