/* judge_wakes.c - nobody is asleep who could go on. While all threads sleep, everything that has a
 * turn of its own gets one for no reason; whoever then moves bytes, dials, ends or gets something
 * had been forgotten, even if a deadline or another event would have come to the rescue later. */
#include "proxy/exchange.h"
#include "proxy/turn.h"
#include "pool/upstream.h"
#include "trial.h"

#define TURNS_MAX 40u

/* What the records say about where everything stands. */
typedef struct Standing {
    uint64_t work;
    uint64_t sum;
} Standing;

static uint64_t mixed(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static uint64_t handle_sum(Handle h)
{
    return (uint64_t)h.generation << 32 | h.slot;
}

static uint64_t standing_of(Thread *t, uint64_t sum)
{
    Handle h;
    for (uint32_t i = 0; i < t->exchanges.slots_touched; i++) {
        const Exchange *x = (const Exchange *)pool_at(&t->exchanges, i, &h);
        sum = mixed(sum, x ? handle_sum(h) + ((uint64_t)x->phase << 56) : 0);
    }
    for (uint32_t i = 0; i < t->leases.slots_touched; i++) {
        const Lease *l = (const Lease *)pool_at(&t->leases, i, &h);
        sum = mixed(sum, l ? handle_sum(l->upstream) ^ handle_sum(l->stream) : 0);
    }
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        const Client *c = (const Client *)pool_at(&t->clients, i, &h);
        sum = mixed(sum, c ? handle_sum(h) + ((uint64_t)c->state << 56) : 0);
    }
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        sum = mixed(sum, u ? handle_sum(h) + ((uint64_t)u->state << 56) : 0);
    }
    return mixed(sum, t->streams.used);
}

static Standing standing(void)
{
    Standing s = {.work = lan_work()};
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        s.sum = standing_of(trial->worker->group.threads[i], s.sum);
    }
    return s;
}

enum { CLIENTS, CLIENT_FLUSHES, UPSTREAMS, UPSTREAM_FLUSHES, STREAMS, LEASES, KINDS };

static const char *const names[KINDS] = {
    [CLIENTS] = "a client",
    [CLIENT_FLUSHES] = "a client of HTTP/2 that has something to send",
    [UPSTREAMS] = "a connection to an origin",
    [UPSTREAM_FLUSHES] = "a connection of HTTP/2 to an origin that has something to send",
    [STREAMS] = "a stream",
    [LEASES] = "somebody who has, or waits for, a connection to an origin"};

static void wake_clients(Thread *t, bool flush)
{
    Handle h;
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Client *c = (Client *)pool_at(&t->clients, i, &h);
        if (c && flush && c->mux) {
            mux_flush_later(t, c->mux);
        } else if (c && !flush) {
            thread_again_wire(t, &c->wire);
        }
    }
}

static void wake_upstreams(Thread *t, bool flush)
{
    Handle h;
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Upstream *u = (Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && flush && u->mux) {
            mux_flush_later(t, u->mux);
        } else if (u && !flush && u->state != UPSTREAM_PARKED) {
            thread_again_wire(t, &u->wire);
        }
    }
}

static void wake_streams(Thread *t)
{
    Handle h;
    for (uint32_t i = 0; i < t->streams.slots_touched; i++) {
        MuxStream *s = (MuxStream *)pool_at(&t->streams, i, &h);
        if (s) {
            mux_stream_again(t, s);
        }
    }
}

static void wake_leases(Thread *t)
{
    Handle h;
    for (uint32_t i = 0; i < t->leases.slots_touched; i++) {
        Lease *l = (Lease *)pool_at(&t->leases, i, &h);
        if (l) {
            lease_again(t, l);
        }
    }
}

/* Twice is as good as once. */
static void wake(Thread *t, unsigned kind)
{
    for (unsigned twice = 0; twice < 2; twice++) {
        if (kind == STREAMS) {
            wake_streams(t);
        } else if (kind == LEASES) {
            wake_leases(t);
        } else if (kind == CLIENTS || kind == CLIENT_FLUSHES) {
            wake_clients(t, kind == CLIENT_FLUSHES);
        } else {
            wake_upstreams(t, kind == UPSTREAM_FLUSHES);
        }
    }
    judge_again(t);
    for (unsigned i = 0; i < TURNS_MAX && (t->again_count > 0 || t->flush_count > 0); i++) {
        thread_turn(t, 0);
    }
}

/* Whether something is due in this very millisecond anyway; or another thread has made room for a
 * connection, which who waits for it sees when it looks again. */
static bool is_due(void)
{
    uint64_t now_ms = lan_now_ns() / LAN_MS;
    bool due = false;
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        due |= trial->worker->group.threads[i]->poller.alarm_ms <= now_ms;
    }
    for (unsigned i = 0; i < trial->plan.origin_count; i++) {
        due |= trial->plan.threads > 1 && trial->plan.origins[i].connections_max > 0;
    }
    return due;
}

void judge_wakes(void)
{
    if (is_due()) {
        return;
    }
    const Standing before = standing(); /* and still after each that changes nothing */
    for (unsigned i = 0; i < trial->plan.threads * KINDS && !trial_failed(); i++) {
        unsigned kind = i % KINDS;
        wake(trial->worker->group.threads[i / KINDS], kind);
        Standing after = standing();
        if (before.work != after.work || before.sum != after.sum) {
            trial_fail("%s could go on, and was not woken (thread %u%s)", names[kind], i / KINDS,
                       before.work == after.work ? ", no bytes moved" : "");
        }
    }
}
