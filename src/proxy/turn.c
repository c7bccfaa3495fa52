/* turn.c - one turn of a worker thread: waits, dispatches events, messages and deadlines; and ends
 * a thread. The only unit that knows the receiver of each kind of token and message. */
#include "proxy/turn.h"

#include "base/number.h"
#include "loop/log.h"
#include "proxy/exchange.h"
#include "proxy/file_cache.h"
#include "proxy/listening.h"
#include "pool/fetch.h"
#include "pool/origin.h"
#include "pool/summary.h"
#include "proxy/relief.h"
#include "pool/upstream.h"
#include "proxy/worker.h"

/* --- ending ---------------------------------------------------------------------------------- */

/* The last thread to stop accepting tells the others: until then a connection may still be placed
 * on a draining thread. */
static void thread_tell_draining(Thread *t)
{
    Worker *w = t->worker;
    if (atomic_fetch_add(&w->threads_draining, 1) + 1 < w->group.thread_count) {
        return;
    }
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        /* A full mailbox wakes its thread, too. */
        (void)!mailbox_post(&w->group.threads[i]->mailbox, &(Message){.kind = MESSAGE_ALL_DRAIN});
    }
}

static bool thread_is_over(const Thread *t)
{
    const Worker *w = t->worker;
    return t->draining && atomic_load(&w->threads_draining) == w->group.thread_count &&
           atomic_load(&t->client_count) == 0;
}

static void thread_drain(Thread *t, uint64_t patience_ms)
{
    if (t->draining) {
        return;
    }
    t->draining = true;
    t->patience_ms = (uint32_t)u64_min(patience_ms, UINT16_MAX);
    (void)!listening_set(t, false);
    thread_tell_draining(t);
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Handle h;
        Client *c = (Client *)pool_at(&t->clients, i, &h);
        if (c) {
            client_drain(t, c, patience_ms);
        }
    }
}

/* Closes the connections to origins that are left when everything else is over. */
static void thread_close_upstreams(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        Upstream *u = (Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && (u->state != UPSTREAM_PARKED || origin_unpark(t, u))) {
            upstream_close(t, u, false);
        }
    }
}

static void thread_cut(Thread *t)
{
    thread_drain(t, 0);
    t->stopping = true;
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Handle h;
        Client *c = (Client *)pool_at(&t->clients, i, &h);
        if (c && !c->mux) {
            client_cut(t, h, FAULT_STOPPED);
        }
        c = client_get(t, h);
        if (c) {
            client_close(t, c, false);
        }
    }
}

void thread_stop_now(Thread *t)
{
    thread_cut(t);
    fetch_stop_all(t);
    thread_close_upstreams(t);
}

/* --- turns ----------------------------------------------------------------------------------- */

static void disk_loaded(Thread *t, const Message *m)
{
    DiskBytes bytes = file_cache_on_bytes(t, m);
    exchange_loaded(t, m->handle, &bytes);
}

static void messages_handle(Thread *t)
{
    mailbox_awake(&t->mailbox);
    Message m;
    while (mailbox_take(&t->mailbox, &m)) {
        switch (m.kind) {
        case MESSAGE_CLIENT:
            listening_receive(t, &m);
            break;
        case MESSAGE_SNAPSHOT:
            listening_adopt(t);
            break;
        case MESSAGE_SETS:
            break;
        case MESSAGE_ORIGIN_ENDS:
            origin_end(t, &m);
            break;
        case MESSAGE_MUX_YIELD:
            origin_mux_yield(t, &m);
            break;
        case MESSAGE_UPSTREAM:
            origin_receive(t, &m);
            break;
        case MESSAGE_DRAIN:
            thread_drain(t, m.words[0]);
            break;
        case MESSAGE_ALL_DRAIN:
            break;
        case MESSAGE_STOP:
            thread_cut(t);
            break;
        case MESSAGE_ROOT:
            file_cache_forget(t, m.fd);
            break;
        case MESSAGE_FILE_OPENED:
            file_cache_on_opened(t, &m);
            break;
        case MESSAGE_FILE_BYTES:
            disk_loaded(t, &m);
            break;
        case MESSAGE_RELIEF:
            relief_receive(t, &m);
            break;
        default:
            CHECK(false);
        }
    }
}

/* Wakes the owner of the token. */
static void wake_token(Thread *t, Token token)
{
    switch (token_kind(token)) {
    case TOKEN_EXCHANGE:
        client_wake_exchange(t, token_handle(token));
        return;
    case TOKEN_FETCH:
        fetch_wake(t, token_handle(token));
        return;
    default:
        CHECK(token == TOKEN_NONE);
    }
}

static void ready_handle(Thread *t, Ready ready)
{
    Handle h = token_handle(ready.token);
    switch (token_kind(ready.token)) {
    case TOKEN_CLIENT:
        client_on_ready(t, h, ready.what);
        return;
    case TOKEN_UPSTREAM:
        wake_token(t, upstream_on_ready(t, h, ready.what));
        return;
    case TOKEN_LISTENER:
        listening_on_ready(t, h.slot);
        return;
    case TOKEN_MAILBOX:
        messages_handle(t);
        return;
    default:
        CHECK(false);
    }
}

static void timers_handle(Thread *t)
{
    wheel_advance(&t->wheel, t->now_ms);
    Token token;
    while (wheel_expired(&t->wheel, &token)) {
        switch (token_kind(token)) {
        case TOKEN_CLIENT:
            client_on_timer(t, token_handle(token));
            break;
        case TOKEN_UPSTREAM:
            upstream_on_timer(t, token_handle(token));
            break;
        case TOKEN_STREAM:
            wake_token(t, mux_stream_on_timer(t, token_handle(token)));
            break;
        case TOKEN_FETCH:
            wake_token(t, token);
            break;
        case TOKEN_ACCEPT_AGAIN:
            listening_again(t);
            break;
        case TOKEN_RELIEF:
            relief_on_timer(t);
            break;
        case TOKEN_SUMMARY:
            summary_on_timer(t);
            break;
        default:
            CHECK(false);
        }
    }
}

/* A stream's first head starts an exchange; other events wake it. */
static void stream_again(Thread *t, Handle h)
{
    MuxStream *fresh = NULL;
    wake_token(t, mux_stream_on_again(t, h, &fresh));
    if (fresh) {
        client_start_stream(t, fresh);
    }
}

static void upstream_again(Thread *t, Handle h)
{
    Upstream *u = upstream_get(t, h);
    if (u) {
        u->wire.again = false;
        wake_token(t, upstream_on_ready(t, h, 0));
    }
}

static void client_again(Thread *t, Handle h)
{
    Client *c = client_get(t, h);
    if (c) {
        c->wire.again = false;
        client_on_ready(t, h, 0);
    }
}

static void again_one(Thread *t, Token token)
{
    Handle h = token_handle(token);
    switch (token_kind(token)) {
    case TOKEN_CLIENT:
        client_again(t, h);
        return;
    case TOKEN_STREAM:
        stream_again(t, h);
        return;
    case TOKEN_UPSTREAM:
        upstream_again(t, h);
        return;
    case TOKEN_LEASE:
        wake_token(t, lease_on_again(t, h));
        return;
    default:
        wake_token(t, token);
    }
}

/* Gives queued owners another go; what they queue again waits for the next turn. */
static void again_handle(Thread *t)
{
    uint32_t count = t->again_count;
    for (uint32_t i = 0; i < count; i++) {
        again_one(t, t->again[i]);
    }
    thread_again_done(t, count);
}

/* Flushes HTTP/2 connections, once per turn. */
static void flush_handle(Thread *t)
{
    for (uint32_t i = 0; i < t->flush_count; i++) {
        Token token = t->flush[i];
        if (token_kind(token) == TOKEN_CLIENT) {
            client_mux_flush(t, token_handle(token));
        } else {
            upstream_mux_flush(t, token_handle(token));
        }
    }
    t->flush_count = 0;
}

/* Marks the newest sets as seen: earlier turns' look-ups are no longer used. */
static void see_sets(Thread *t)
{
    uint64_t epoch = atomic_load_explicit(&t->group->sets_epoch, memory_order_acquire);
    atomic_store_explicit(&t->sets_seen, epoch, memory_order_release);
}

void thread_turn(Thread *t, int timeout_ms)
{
    poller_alarm(&t->poller, wheel_next_ms(&t->wheel));
    heartbeat_idle(t->heartbeat);
    poller_wait(&t->poller, t->again_count || t->flush_count ? 0 : timeout_ms);
    heartbeat_turn(t->heartbeat);
    see_sets(t);
    thread_clock(t);
    for (size_t i = 0; i < t->poller.count; i++) {
        ready_handle(t, t->poller.ready[i]);
    }
    timers_handle(t);
    again_handle(t);
    flush_handle(t);
    if (UNLIKELY(t->descriptors_wanted)) {
        t->descriptors_wanted = false;
        (void)listening_make_room(t);
    }
    relief_turn(t);
}

void thread_run(Thread *t)
{
    if (t->worker->plan.log) {
        log_bind(t->worker->plan.log, t->index);
    }
    while (!thread_is_over(t)) {
        thread_turn(t, -1);
    }
    fetch_stop_all(t);
    thread_close_upstreams(t);
    summary_end(t);
    heartbeat_idle(t->heartbeat);
}
