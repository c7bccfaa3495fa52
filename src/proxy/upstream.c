/* upstream.c - the life of one connection to an origin. */
#include "proxy/upstream.h"

#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

static Origin *origin_of(Thread *t, const Upstream *u)
{
    return &t->worker->origins[u->origin];
}

static Upstream *upstream_new(Thread *t, const Origin *o, Stream stream)
{
    Handle h;
    Upstream *u = (Upstream *)pool_take(&t->upstreams, &h);
    if (!u) {
        return NULL;
    }
    u->self = h;
    u->origin = o->index;
    u->wire.stream = stream;
    u->retire_ms = UINT64_MAX;
    if (poller_add(&t->poller, stream.fd, token_of(TOKEN_UPSTREAM, h)) != ERR_OK) {
        pool_give(&t->upstreams, h);
        return NULL;
    }
    return u;
}

Err upstream_dial(Thread *t, Origin *o, Exchange *x, bool exclusive)
{
    Stream stream = {0};
    TRY(stream_dial(&o->endpoint->address, &stream));
    Upstream *u = upstream_new(t, o, stream);
    if (!u) {
        stream_close(&stream, false);
        return ERR_MEMORY;
    }
    uint64_t due_ms = t->now_ms + o->endpoint->connect_timeout_ms;
    Err err = timer_set(&t->wheel, &u->timer, due_ms, token_of(TOKEN_UPSTREAM, u->self));
    if (err != ERR_OK) {
        wire_close(&u->wire, &t->buf_blocks, false);
        upstream_forget(t, u);
        return err;
    }
    u->state = UPSTREAM_DIALING;
    u->exchange = x->self;
    u->exclusive = exclusive;
    counter_add(&t->origins[o->index].opened, 1);
    return ERR_OK;
}

Upstream *upstream_adopt(Thread *t, Origin *o, int fd, uint32_t served, uint64_t retire_ms)
{
    Stream stream = stream_plain(fd);
    Upstream *u = upstream_new(t, o, stream);
    if (!u) {
        stream_close(&stream, false);
        atomic_fetch_sub(&o->open, 1);
        return NULL;
    }
    u->state = UPSTREAM_BUSY;
    u->wire.writable = true;
    u->served = served;
    u->retire_ms = retire_ms;
    return u;
}

void upstream_forget(Thread *t, Upstream *u)
{
    timer_drop(&t->wheel, &u->timer);
    buf_clear(&u->in, &t->buf_blocks);
    pool_give(&t->upstreams, u->self);
}

void upstream_close(Thread *t, Upstream *u, bool abort)
{
    Origin *o = origin_of(t, u);
    if (u->state == UPSTREAM_DIALING) {
        atomic_fetch_sub(&o->dialing, 1);
    }
    atomic_fetch_sub(&o->open, 1);
    wire_close(&u->wire, &t->buf_blocks, abort);
    upstream_forget(t, u);
}

void upstream_announced(const Thread *t, Upstream *u, uint64_t keep_alive_ms)
{
    if (keep_alive_ms > 0) {
        uint64_t margin_ms = u64_min(1000, keep_alive_ms / 4);
        u->retire_ms = t->now_ms + keep_alive_ms - margin_ms;
    }
}

static void dial_failed(Thread *t, Upstream *u, Fault fault)
{
    Exchange *x = exchange_get(t, u->exchange);
    uint32_t origin = u->origin;
    upstream_close(t, u, false);
    if (x && x->waits && x->endpoint->origin == origin) {
        exchange_dial_failed(t, x, fault);
    }
}

static void dial_over(Thread *t, Upstream *u)
{
    Err err = u->wire.broken || u->wire.writable ? stream_connected(&u->wire.stream) : ERR_AGAIN;
    if (err == ERR_AGAIN) {
        return;
    }
    if (err != ERR_OK || u->wire.broken) {
        dial_failed(t, u, fault_of_dial(err != ERR_OK ? err : ERR_RESET));
        return;
    }
    atomic_fetch_sub(&origin_of(t, u)->dialing, 1);
    u->state = UPSTREAM_BUSY;
    Exchange *x = u->exclusive ? exchange_get(t, u->exchange) : NULL;
    if (x && x->waits && x->endpoint->origin == u->origin) {
        exchange_connected(t, x, u);
        return;
    }
    origin_return(t, u);
}

/* An idle connection closes, or speaks unasked: either way it is of no more use. */
static void parked_ready(Thread *t, Upstream *u, unsigned what)
{
    if ((what & (READY_IN | READY_END | READY_BROKEN)) == 0) {
        u->wire.writable = true;
        return;
    }
    if (!origin_unpark(t, u)) {
        return;
    }
    size_t received = 0;
    Err err = wire_receive(&u->wire, span_take(t->input, 1), &received);
    if (err == ERR_AGAIN && !u->wire.ended && !u->wire.broken) {
        origin_return(t, u); /* an event that was fetched before the bytes were read */
        return;
    }
    upstream_close(t, u, false);
}

void upstream_on_ready(Thread *t, Handle h, unsigned what)
{
    Upstream *u = upstream_get(t, h);
    if (!u) {
        return;
    }
    wire_ready(&u->wire, what);
    switch ((UpstreamState)u->state) {
    case UPSTREAM_DIALING:
        dial_over(t, u);
        return;
    case UPSTREAM_BUSY:
        exchange_wake(t, u->exchange);
        return;
    case UPSTREAM_PARKED:
        parked_ready(t, u, what);
        return;
    }
}

void upstream_on_timer(Thread *t, Handle h)
{
    Upstream *u = upstream_get(t, h);
    if (!u) {
        return;
    }
    if (u->state == UPSTREAM_DIALING) {
        dial_failed(t, u, FAULT_CONNECT_TIMEOUT);
    } else if (u->state == UPSTREAM_PARKED && origin_unpark(t, u)) {
        upstream_close(t, u, false);
    }
}
