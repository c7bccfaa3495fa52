/* judge_state.c - what of a thread's records must fit together while it sleeps: deadlines, places
 * of HTTP/2 connections, and who waits for them. */
#include "proxy/exchange.h"
#include "pool/origin_place.h"
#include "pool/summary.h"
#include "judge_inside.h"
#include "trial.h"

#define NEVER_MS UINT64_MAX
#define SEEN_MAX 512u /* clients and requests of a thread that are followed */

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
        uint64_t due_ms = c ? timer_due_ms(&t->wheel, c->timer) : 0;
        if (c && c->state != CLIENT_BUSY && due_ms == NEVER_MS) {
            trial_fail("a client has no deadline (state %u)", c->state);
        }
        if (c && c->state == CLIENT_FLUSH && due_ms > c->flushed_ms + trial->plan.scale_ms) {
            trial_fail("a client that takes nothing is cut %llu ms too late",
                       (unsigned long long)(due_ms - c->flushed_ms - trial->plan.scale_ms));
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
        const Lease *l = lease_get(t, u->lease);
        if (u->state == UPSTREAM_BUSY && !(l && handle_equal(l->upstream, u->self))) {
            trial_fail("a connection to an origin is nobody's, and is not given back");
        }
    }
}

#define HEAD_MS 10000u

/* Clients that were in the PROXY protocol's header, or in a handshake, at the last look. */
static struct Young {
    Handle client;
    unsigned state;
    uint64_t at_ms;
} young[LAN_THREADS_MAX][SEEN_MAX];

/* Each part of a connection's beginning has the whole time of its own. */
static void judge_young(Thread *t)
{
    for (uint32_t i = 0; i < t->clients.slots_touched && i < SEEN_MAX; i++) {
        Handle h;
        struct Young *y = &young[t->index][i];
        const Client *c = (const Client *)pool_at(&t->clients, i, &h);
        bool grown = c && handle_equal(y->client, h) && c->state != y->state && !c->leaving &&
                     (c->state == CLIENT_HANDSHAKE || c->state == CLIENT_IDLE);
        if (grown && timer_due_ms(&t->wheel, c->timer) < y->at_ms + HEAD_MS) {
            trial_fail("a client has less time for what comes next than it should (state %u)",
                       c->state);
        }
        bool is = c && (c->state == CLIENT_PROXY || c->state == CLIENT_HANDSHAKE);
        *y = (struct Young){.client = is ? h : HANDLE_NONE,
                            .state = is ? c->state : 0,
                            .at_ms = lan_now_ns() / LAN_MS};
    }
}

/* While a thread accepts, it watches all listeners that it knows of. */
static void judge_listening(const Thread *t)
{
    for (size_t i = 0; t->listening && i < t->snapshot->listener_count; i++) {
        const Listener *l = t->snapshot->listeners[i];
        if (l && !l->leaving && !lan_is_watched(l->fd - LAN_LISTENER_FD, t->index)) {
            trial_fail("thread %u does not watch listener %zu", t->index, i);
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
        if (!x->file.loading && !x->file.looking && timer_due_ms(&t->wheel, timer) == NEVER_MS) {
            trial_fail("a request has no deadline (phase %u)", x->phase);
        }
        if (c && c->over.is) {
            trial_fail("a client was not told that its request is over");
        }
    }
}

/* A lease belongs to one that lives, and waits in one place or is served. */
static void judge_leases(Thread *t)
{
    for (uint32_t i = 0; i < t->leases.slots_touched; i++) {
        Handle h;
        const Lease *l = (const Lease *)pool_at(&t->leases, i, &h);
        if (!l) {
            continue;
        }
        const Exchange *x = exchange_of(t, l);
        if (token_kind(l->owner) == TOKEN_EXCHANGE && (!x || x->try.lease != l)) {
            trial_fail("a lease is nobody's");
        }
        if (lease_is_had(l) && (l->waits || l->queued || l->place)) {
            trial_fail("a request waits for a connection and has one");
        }
        if (l->queued && l->place) {
            trial_fail("a request waits in two queues");
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
        } else if (u->leaves && is_sound(u)) {
            trial_fail("a connection that takes no more requests is not told to end");
        }
    }
}

/* Who waits for a connection of HTTP/2 waits for something that comes. */
static void judge_queue(Thread *t, unsigned origin)
{
    Origin *o = origin_at(t, trial->site.endpoints[origin].origin);
    const MuxPlace *p = mux_place_of(t, o->index);
    const Upstream *u = upstream_get(t, p->upstream);
    bool dials = upstream_get(t, p->dialing) != NULL;
    bool memory = trial->plan.theme == THEME_MEMORY; /* there may be none for another stream */
    bool fails = memory || lan_faults_now()->watch_one_in > 0; /* a dial, at once */
    if (!dials && !handle_is_none(p->dialing)) {
        trial_fail("a dial is over, and its place does not know");
    } else if (!lease_get(t, p->leases.first)) {
        return;
    } else if (u && mux_room(u->mux) > 0 && !mux_is_shut(t, u->mux) && !memory) {
        trial_fail("requests wait although a connection has room");
    } else if (!dials && !(u && mux_room(u->mux) > 0) && o->endpoint->connections_max == 0 &&
               !fails) {
        trial_fail("requests wait for a connection, and none is dialled");
    }
}

/* --- doubt ----------------------------------------------------------------------------------- */

/* Requests, by their leases, that waited for an answer over HTTP/2 when their thread was last at
 * rest. */
static struct Awaited {
    Handle lease;
    Handle stream;
    Handle upstream;
    bool own;          /* River's */
    uint64_t since_ms; /* it heard nothing since then, or it is trusted */
    uint64_t late_ms;
    uint64_t failures; /* that the thread had counted */
} awaited[LAN_THREADS_MAX][SEEN_MAX];

void judge_state_begin(void)
{
    span_fill(span_of(awaited, sizeof awaited), 0);
    span_fill(span_of(young, sizeof young), 0);
}

/* Those of clients' requests; of River's own any that the origin is to blame for. */
static uint64_t failures_of(const Thread *t, const Lease *l, bool own)
{
    return own ? counter_read(&t->origins[l->origin].failures)
               : counter_read(&t->faults[FAULT_ORIGIN_TIMEOUT]) +
                     counter_read(&t->faults[FAULT_ORIGIN_STALLED]) +
                     counter_read(&t->faults[FAULT_ORIGIN_UNREAD]);
}

/* Where an answer has not come in time, the connection must prove that it lives. */
static void judge_awaited(Thread *t, struct Awaited *a)
{
    const Lease *l = lease_get(t, a->lease);
    const Upstream *u = upstream_get(t, a->upstream);
    bool gave_up = !l || !handle_equal(l->stream, a->stream);
    const Lease of = {.origin = u ? u->origin : 0};
    bool failed = failures_of(t, &of, a->own) > a->failures;
    if (gave_up && t->now_ms >= a->late_ms && failed && u && u->mux && !u->doubted &&
        u->mux->heard_ms <= a->since_ms && !u->mux->leaving && !u->mux->failed) {
        trial_fail("a connection is trusted although an answer did not come over it");
    }
}

static struct Awaited awaited_by(Thread *t, const Lease *l)
{
    const Exchange *x = exchange_of(t, l);
    const Fetch *f = fetch_of(t, l);
    const MuxStream *s = l ? mux_stream_get(t, l->stream) : NULL;
    bool fetches = f && !f->paused && (f->state == FETCH_AWAIT || f->state == FETCH_BODY);
    bool awaits = s && ((x && x->phase == PHASE_AWAIT) || fetches);
    if (!awaits) {
        return (struct Awaited){.lease = HANDLE_NONE};
    }
    uint64_t since_ms = x ? x->pace.up_ms : f->moved_ms;
    return (struct Awaited){.lease = l->self,
                            .stream = s->self,
                            .upstream = s->mux ? token_handle(s->mux->wire->owner) : HANDLE_NONE,
                            .own = f != NULL,
                            .since_ms = since_ms,
                            .late_ms = x ? since_ms + trial->plan.scale_ms : f->due_ms,
                            .failures = failures_of(t, l, f != NULL)};
}

static void judge_doubts(Thread *t)
{
    for (uint32_t i = 0; i < t->leases.slots_touched && i < SEEN_MAX; i++) {
        Handle h;
        struct Awaited *a = &awaited[t->index][i];
        if (!handle_is_none(a->lease)) {
            judge_awaited(t, a);
        }
        *a = awaited_by(t, (const Lease *)pool_at(&t->leases, i, &h));
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

/* A kept example has a deadline, at most a minute away. */
static void judge_summary(const Thread *t)
{
    if (summary_kept(t) > 0 && summary_due_ms(t) > t->now_ms + SUMMARY_MS) {
        trial_fail("thread %u keeps %u examples of faults and has no deadline for them", t->index,
                   summary_kept(t));
    }
}

void judge_state(Thread *t)
{
    judge_summary(t);
    judge_timers(t);
    judge_young(t);
    judge_listening(t);
    judge_exchanges(t);
    judge_leases(t);
    judge_places(t);
    for (unsigned i = 0; i < trial->plan.origin_count; i++) {
        judge_queue(t, i);
    }
    judge_doubts(t);
    judge_left_streams(t);
}

void judge_retired(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        bool idle = u && (u->mux ? u->mux->count == 0 : u->state == UPSTREAM_PARKED);
        if (idle && !sets_have_user(u->origin) && !(u->mux == NULL && t->park_nodes[i].stolen)) {
            trial_fail("an idle connection stays, and no configuration names its origin");
        }
    }
}
