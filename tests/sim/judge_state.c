/* judge_state.c - what of a thread's records must fit together while it sleeps: deadlines, places
 * of HTTP/2 connections, and who waits for them. */
#include "proxy/exchange.h"
#include "proxy/origin_place.h"
#include "trial.h"

#define NEVER_MS UINT64_MAX

/* --- deadlines ------------------------------------------------------------------------------- */

/* Whoever waits for a peer has a deadline; what an exchange waits for is its own matter. */
static void judge_timers(Thread *t)
{
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Handle h;
        const Client *c = (const Client *)pool_at(&t->clients, i, &h);
        if (c && c->mux && c->mux->count > 0 && c->wire.ended) {
            continue; /* it has said all, and its streams have deadlines of their own */
        }
        if (c && c->state != CLIENT_BUSY && timer_due_ms(&t->wheel, c->timer) == NEVER_MS) {
            trial_fail("a client has no deadline (state %u)", c->state);
        }
    }
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (!u || (u->state == UPSTREAM_PARKED && t->park_nodes[i].stolen)) {
            continue;
        }
        bool armed = timer_due_ms(&t->wheel, u->timer) != NEVER_MS;
        if (armed != (u->state != UPSTREAM_BUSY)) {
            trial_fail("a connection to an origin has %s deadline (state %u)", armed ? "a" : "no",
                       u->state);
        }
    }
}

/* An exchange has a deadline, unless it waits for the disk or has its turn soon. */
static void judge_exchanges(Thread *t)
{
    for (uint32_t i = 0; i < t->exchanges.slots_touched; i++) {
        Handle h;
        const Exchange *x = (const Exchange *)pool_at(&t->exchanges, i, &h);
        const MuxStream *s = x ? mux_stream_get(t, x->client_stream) : NULL;
        const Client *c = x ? client_get(t, x->client) : NULL;
        if (!x || (!s && !c)) {
            continue;
        }
        Timer timer = s ? s->timer : c->timer;
        if (!x->loading && !x->looking && timer_due_ms(&t->wheel, timer) == NEVER_MS) {
            trial_fail("a request has no deadline (phase %u)", x->phase);
        }
        if (exchange_has_upstream(x) && (x->waits || x->queued || x->waiter_place)) {
            trial_fail("a request waits for a connection and has one (phase %u)", x->phase);
        }
    }
}

/* --- connections of HTTP/2 ------------------------------------------------------------------- */

static bool is_sound(const Upstream *u)
{
    int32_t last = 0;
    return !u->doubted && !u->yields && !u->mux->leaving && !u->mux->failed &&
           !h2_peer_leaves(u->mux->h2, &last);
}

/* A place names a connection that serves; one that serves has its place, if no other took it. */
static void judge_places(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (!u || !u->mux) {
            continue;
        }
        const MuxPlace *p = mux_place_of(t, u->origin);
        bool placed = handle_equal(p->upstream, u->self);
        if (placed && !is_sound(u)) {
            trial_fail("requests are given a connection that %s",
                       u->doubted       ? "may be dead"
                       : u->yields      ? "is to be given up"
                       : u->mux->leaving ? "River has said goodbye on"
                       : u->mux->failed ? "has failed"
                                        : "its origin has said goodbye on");
        } else if (!placed && is_sound(u) && !upstream_get(t, p->upstream)) {
            trial_fail("a connection of HTTP/2 is not used any more");
        } else if (u->doubted && !u->mux->pinged) {
            trial_fail("a connection that may be dead is not asked whether it lives");
        }
    }
}

/* What an exchange has left holds nothing that was read for it. */
static void judge_left_streams(Thread *t)
{
    for (uint32_t i = 0; i < t->streams.slots_touched; i++) {
        Handle h;
        const MuxStream *s = (const MuxStream *)pool_at(&t->streams, i, &h);
        if (s && s->left && s->in.len > 0) {
            trial_fail("a stream that was left holds %zu bytes", s->in.len);
        }
    }
}

void judge_state(Thread *t)
{
    judge_timers(t);
    judge_exchanges(t);
    judge_places(t);
    judge_left_streams(t);
}
