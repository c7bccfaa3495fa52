/* helper_thread.c - a thread whose only work is fetches (see helper_thread.h). */
#include "pool/helper_thread.h"

#include "base/number.h"
#include "pool/fetch.h"
#include "pool/origin.h"
#include "pool/upstream.h"

struct HelperThread {
    ThreadGroup group;
    Thread thread;
    uint32_t origins_max;
    uint32_t origin_count;
};

Err helper_thread_open(const HelperPlan *plan, HelperThread **ret)
{
    HelperThread *h = (HelperThread *)memory_reserve(sizeof *h);
    if (!h) {
        return ERR_MEMORY;
    }
    h->group.budget.max_bytes = plan->memory_bytes_max;
    h->group.thread_count = 1;
    h->group.threads[0] = &h->thread;
    h->group.idle_upstreams_max = plan->fetches_max;
    h->group.origins = (Origin *)memory_reserve(sizeof(Origin) * plan->origins_max);
    h->origins_max = plan->origins_max;
    const ThreadPlan room = {.clients = 1,
                             .exchanges = 1,
                             .streams = 2 * plan->fetches_max + 16,
                             .leases = plan->fetches_max,
                             .fetches = plan->fetches_max,
                             .client_bytes = 1,
                             .exchange_bytes = 1};
    Err err = h->group.origins ? thread_init(&h->thread, &h->group, 0, &room) : ERR_MEMORY;
    if (err == ERR_OK) {
        err = origins_open(&h->thread, &room);
    }
    if (err != ERR_OK) {
        helper_thread_close(h);
        return err;
    }
    *ret = h;
    return ERR_OK;
}

static void close_upstreams(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        Upstream *u = (Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && (u->state != UPSTREAM_PARKED || origin_unpark(t, u))) {
            upstream_close(t, u, false);
        }
    }
}

void helper_thread_close(HelperThread *h)
{
    Thread *t = &h->thread;
    for (uint32_t i = 0; i < t->fetches.slots_touched; i++) {
        Handle f;
        if (pool_at(&t->fetches, i, &f)) {
            fetch_end(t, f);
        }
    }
    close_upstreams(t);
    for (uint32_t i = 0; i < h->origin_count; i++) {
        origin_drop(&h->group.origins[i]);
    }
    origins_close(t);
    thread_drop(t);
    memory_release(h->group.origins, sizeof(Origin) * h->origins_max);
    memory_release(h, sizeof *h);
}

Thread *helper_thread_of(HelperThread *h)
{
    return &h->thread;
}

Err helper_thread_origin(HelperThread *h, const Endpoint *e, uint32_t *ret)
{
    for (uint32_t i = 0; i < h->origin_count; i++) {
        if (str_equal(h->group.origins[i].endpoint->name, e->name)) {
            *ret = i;
            return ERR_OK;
        }
    }
    if (h->origin_count == h->origins_max) {
        return ERR_FULL;
    }
    TRY(origin_init(&h->group.origins[h->origin_count], e, h->origin_count, 1));
    *ret = h->origin_count++;
    return ERR_OK;
}

/* --- turns ----------------------------------------------------------------------------------- */

static void wake_token(Thread *t, Token token)
{
    if (token_kind(token) == TOKEN_FETCH) {
        fetch_wake(t, token_handle(token));
    } /* no other tokens here */
}

static void again_one(Thread *t, Token token)
{
    Handle h = token_handle(token);
    MuxStream *none = NULL; /* origins start no requests */
    Upstream *u;
    switch (token_kind(token)) {
    case TOKEN_LEASE:
        wake_token(t, lease_on_again(t, h));
        return;
    case TOKEN_STREAM:
        wake_token(t, mux_stream_on_again(t, h, &none));
        return;
    case TOKEN_UPSTREAM:
        u = upstream_get(t, h);
        if (u) {
            u->wire.again = false;
            wake_token(t, upstream_on_ready(t, h, 0));
        }
        return;
    default:
        wake_token(t, token);
    }
}

static void timers_handle(Thread *t)
{
    Token token;
    wheel_advance(&t->wheel, t->now_ms);
    while (wheel_expired(&t->wheel, &token)) {
        if (token_kind(token) == TOKEN_UPSTREAM) {
            upstream_on_timer(t, token_handle(token));
        } else if (token_kind(token) == TOKEN_STREAM) {
            wake_token(t, mux_stream_on_timer(t, token_handle(token)));
        } else {
            wake_token(t, token);
        }
    }
}

static void flush_handle(Thread *t)
{
    for (uint32_t i = 0; i < t->flush_count; i++) {
        upstream_mux_flush(t, token_handle(t->flush[i]));
    }
    t->flush_count = 0;
}

void helper_thread_turn(HelperThread *h, int timeout_ms)
{
    Thread *t = &h->thread;
    poller_alarm(&t->poller, wheel_next_ms(&t->wheel));
    poller_wait(&t->poller, t->again_count || t->flush_count ? 0 : timeout_ms);
    thread_clock(t);
    for (size_t i = 0; i < t->poller.count; i++) {
        Ready r = t->poller.ready[i];
        if (token_kind(r.token) == TOKEN_UPSTREAM) {
            wake_token(t, upstream_on_ready(t, token_handle(r.token), r.what));
        } else {
            mailbox_awake(&t->mailbox); /* no siblings send messages */
        }
    }
    timers_handle(t);
    uint32_t count = t->again_count;
    for (uint32_t i = 0; i < count; i++) {
        again_one(t, t->again[i]);
    }
    thread_again_done(t, count);
    flush_handle(t);
    t->descriptors_wanted = false; /* no idle one to close: the lease retries */
}
