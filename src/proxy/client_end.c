/* client_end.c - the end of a client's connection: after its last answer, and when River leaves. */
#include "proxy/client_end.h"

#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/refusal.h"
#include "proxy/worker.h"

#define CLIENT_LINGER_BYTES_MAX (1u << 20)

void client_deadline(Thread *t, Client *c, uint64_t in_ms)
{
    /* The wheel has an entry for every client (thread_init), so this cannot fail. */
    Token token = token_of(TOKEN_CLIENT, c->self);
    CHECK(timer_set(&t->wheel, &c->timer, t->now_ms + in_ms, token) == ERR_OK);
}

/* Everything was sent: finishes our side, and waits briefly for further input, so that a reset does
 * not destroy the answer before it is read (RFC 9112 §9.6). */
static void client_finish(Thread *t, Client *c)
{
    if (!c->linger_wanted || c->wire.ended) {
        client_close(t, c, false);
        return;
    }
    wire_finish(&c->wire, &t->wires);
    c->state = CLIENT_LINGER;
    c->lingered = 0;
    buf_clear(&c->in, &t->buf_blocks);
    client_deadline(t, c, service_of(t, c)->limits.linger_ms);
    if (c->wire.readable) {
        thread_again_wire(t, &c->wire);
    }
}

void client_flush(Thread *t, Client *c)
{
    size_t sent = 0;
    if (wire_flush(&c->wire, &t->wires, &sent) != ERR_OK) {
        client_close(t, c, true);
        return;
    }
    if (sent > 0) {
        c->flushed_ms = t->now_ms;
        c->taken += (uint32_t)sent;
    }
    if (c->wire.out.len == 0) {
        client_finish(t, c);
    } else {
        client_flush_watch(t, c);
    }
}

/* Whether the peer takes the rest of its answer below the minimum rate. */
static bool takes_too_slowly(const Thread *t, const Client *c)
{
    const ServiceLimits *limits = &service_of(t, c)->limits;
    uint64_t since_ms = t->now_ms - c->idle_ms;
    uint64_t least = since_ms * limits->send_rate_min / 1000;
    return since_ms >= limits->send_timeout_ms && c->taken < least;
}

void client_flush_watch(Thread *t, Client *c)
{
    size_t moved = 0;
    uint64_t timeout_ms = service_of(t, c)->limits.send_timeout_ms;
    uint64_t look_ms = wire_watch(&c->wire, t->now_ms, timeout_ms, &c->flushed_ms, &moved);
    uint64_t due_ms = c->flushed_ms + timeout_ms;
    c->taken += (uint32_t)moved;
    if (due_ms <= t->now_ms || takes_too_slowly(t, c)) {
        counter_add(&t->faults[FAULT_SEND_TIMEOUT], 1);
        refusal_of_connection(t, c->peer, FAULT_SEND_TIMEOUT, S("closed a connection"), STR_NONE,
                              0);
        client_close(t, c, true);
    } else {
        client_deadline(t, c, u64_min(look_ms, due_ms) - t->now_ms);
    }
}

void client_linger(Thread *t, Client *c)
{
    size_t n = 0;
    Err err = c->wire.readable ? wire_receive(&c->wire, &t->wires, t->input, &n) : ERR_AGAIN;
    c->lingered += (uint32_t)n;
    if ((err != ERR_OK && err != ERR_AGAIN) || c->lingered > CLIENT_LINGER_BYTES_MAX) {
        client_close(t, c, false);
    } else if (c->wire.readable) {
        thread_again_wire(t, &c->wire);
    }
}

/* Sets the deadline of an idle connection. */
static void client_idle_deadline(Thread *t, Client *c)
{
    uint64_t idle_ms = service_of(t, c)->limits.keep_alive_ms;
    client_deadline(t, c, c->leaving ? u64_min(idle_ms, c->patience_ms) : idle_ms);
}

void client_go_on(Thread *t, Client *c)
{
    const ExchangeOver over = c->over;
    if (!over.is) {
        return;
    }
    c->over = (ExchangeOver){0};
    if (over.abort || c->wire.broken) {
        client_close(t, c, over.abort);
        return;
    }
    if (over.keep && (!c->leaving || c->patience_ms > 0)) { /* the answer announced keep-alive */
        c->state = CLIENT_IDLE;
        c->idle_ms = t->now_ms;
        client_idle_deadline(t, c);
        if (c->in.len > 0 || c->wire.readable) {
            thread_again_wire(t, &c->wire);
        }
        return;
    }
    c->linger_wanted = over.linger || c->in.len > 0 || c->wire.readable;
    c->state = CLIENT_FLUSH;
    c->taken = 0;
    c->flushed_ms = t->now_ms;
    c->idle_ms = t->now_ms;
    client_flush(t, c);
}

void client_drain(Thread *t, Client *c, uint64_t patience_ms)
{
    c->leaving = true;
    c->patience_ms = (uint16_t)u64_min(patience_ms, UINT16_MAX);
    if (c->mux && patience_ms > 0) {
        mux_notify(t, c->mux, t->now_ms + patience_ms);
    } else if (c->mux) {
        mux_leave(t, c->mux);
    } else if (patience_ms > 0) {
        if (c->state == CLIENT_IDLE) {
            client_idle_deadline(t, c);
        }
    } else if (c->state == CLIENT_IDLE || c->state == CLIENT_HEAD ||
               c->state == CLIENT_HANDSHAKE || c->state == CLIENT_PROXY) {
        client_close(t, c, false);
    }
}

void client_cut_streams(Thread *t, Client *c, Fault fault, bool unfinished)
{
    Mux *m = c->mux;
    Handle h = m->streams.first;
    MuxStream *s;
    while ((s = mux_stream_get(t, h)) != NULL) {
        h = s->links.next;
        Exchange *x = exchange_get(t, token_handle(s->user));
        if (unfinished && (s->in_ended || s->closed)) {
            continue;
        }
        if (x) {
            exchange_cut(t, x, fault);
        } else if (unfinished) {
            h2_reset(m->h2, s->id, H2_CANCEL);
        }
    }
}

/* The session is over and all is sent: ends the connection, as after any last answer. */
void client_mux_end(Thread *t, Client *c)
{
    Mux *m = c->mux;
    client_cut_streams(t, c, FAULT_CLIENT_GONE, false);
    c->mux = NULL;
    mux_drop(t, m);
    c->linger_wanted = true; /* pending input must not cause a reset that destroys GOAWAY */
    client_finish(t, c);
}
