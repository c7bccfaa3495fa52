/* client.c - a client's connection between its requests, and how it ends. */
#include "proxy/client.h"

#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define CLIENT_READ_BYTES (32u << 10) /* for a head and what comes right behind it */
#define CLIENT_LINGER_BYTES_MAX (1u << 20)

static const Service *service_of(const Thread *t, const Client *c)
{
    return t->worker->plan.snapshot->listeners[c->listener].service;
}

static void client_deadline(Thread *t, Client *c, uint64_t in_ms)
{
    /* The wheel has an entry for every client (thread_init), so this cannot fail. */
    Token token = token_of(TOKEN_CLIENT, c->self);
    CHECK(timer_set(&t->wheel, &c->timer, t->now_ms + in_ms, token) == ERR_OK);
}

void client_adopt(Thread *t, Stream stream, uint16_t listener, Peer peer)
{
    Handle h;
    Client *c = (Client *)pool_take(&t->clients, &h);
    if (!c || poller_add(&t->poller, stream.fd, token_of(TOKEN_CLIENT, h)) != ERR_OK) {
        counter_add(&t->refused, 1);
        stream_close(&stream, true);
        if (c) {
            pool_give(&t->clients, h);
        }
        atomic_fetch_sub(&t->worker->client_count, 1);
        atomic_fetch_sub(&t->client_count, 1);
        return;
    }
    c->self = h;
    c->wire.stream = stream;
    c->wire.writable = true;
    c->listener = listener;
    c->peer = peer;
    c->state = CLIENT_IDLE;
    counter_add(&t->accepted, 1);
    client_deadline(t, c, service_of(t, c)->limits.head_timeout_ms);
}

void client_close(Thread *t, Client *c, bool abort)
{
    wire_close(&c->wire, &t->buf_blocks, abort);
    buf_clear(&c->in, &t->buf_blocks);
    timer_drop(&t->wheel, &c->timer);
    pool_give(&t->clients, c->self);
    atomic_fetch_sub(&t->worker->client_count, 1);
    atomic_fetch_sub(&t->client_count, 1);
}

/* --- reading heads --------------------------------------------------------------------------- */

/* Keeps in `in` what was not consumed of the bytes in the thread's input, of which the first `old`
 * are a copy of `in`. */
static Err input_keep(Thread *t, Client *c, size_t old, size_t total, size_t consumed)
{
    if (consumed <= old) {
        buf_skip(&c->in, &t->buf_blocks, consumed);
        return buf_add(&c->in, &t->buf_blocks, str_slice(span_str(t->input), old, total));
    }
    buf_clear(&c->in, &t->buf_blocks);
    return buf_add(&c->in, &t->buf_blocks, str_slice(span_str(t->input), consumed, total));
}

/* A head is not whole yet: keeps it and waits, if it may still grow. */
static void head_incomplete(Thread *t, Client *c, size_t old, size_t total)
{
    const ServiceLimits *limits = &service_of(t, c)->limits;
    Str bytes = str_take(span_str(t->input), total);
    if (total > limits->head.head_bytes_max) {
        exchange_refuse(t, c, FAULT_REQUEST_HEAD_TOO_LARGE, bytes);
        return;
    }
    if (total > limits->head.target_bytes_max + 32 && str_find(bytes, '\n', 2) == bytes.len) {
        exchange_refuse(t, c, FAULT_REQUEST_TARGET_TOO_LONG, bytes);
        return;
    }
    if (input_keep(t, c, old, total, 0) != ERR_OK) {
        exchange_refuse(t, c, FAULT_MEMORY, STR_NONE);
        return;
    }
    c->looked = true;
    if (c->wire.readable) {
        thread_again(t, c->self);
    }
    if (c->state == CLIENT_IDLE) {
        c->state = CLIENT_HEAD;
        c->head_us = t->now_ns / 1000;
        client_deadline(t, c, limits->head_timeout_ms);
    }
}

/* Looks for a head in the first `total` bytes of the input, and starts its exchange. */
static void head_look(Thread *t, Client *c, size_t old, size_t total)
{
    Str bytes = str_take(span_str(t->input), total);
    size_t skip = head_skip_empty(bytes);
    size_t scanned = c->scanned;
    size_t end = 0;
    Err err = head_find_end(str_drop(bytes, skip), &scanned, &end);
    c->scanned = (uint32_t)scanned;
    if (err == ERR_INCOMPLETE) {
        head_incomplete(t, c, old, total);
        return;
    }
    if (err != ERR_OK) {
        exchange_refuse(t, c, FAULT_REQUEST_BARE_LF, bytes);
        return;
    }
    c->scanned = 0;
    c->looked = false;
    if (c->state == CLIENT_IDLE) {
        c->head_us = t->now_ns / 1000;
    }
    if ((old > 0 || skip + end < total) && input_keep(t, c, old, total, skip + end) != ERR_OK) {
        exchange_refuse(t, c, FAULT_MEMORY, STR_NONE);
        return;
    }
    c->state = CLIENT_BUSY;
    exchange_start(t, c, str_slice(bytes, skip, skip + end));
}

/* Goes on with reading a head: from what is there already, or else from the socket. */
static void client_read(Thread *t, Client *c)
{
    size_t old = c->in.len;
    size_t fresh = 0;
    if (old == 0 || c->looked) {
        if (!c->wire.readable) {
            return;
        }
        Span room = span_take(span_drop(t->input, old), CLIENT_READ_BYTES);
        Err err = wire_receive(&c->wire, room, &fresh);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            client_close(t, c, false);
            return;
        }
    }
    size_t total = old + fresh;
    (void)buf_peek(&c->in, span_take(t->input, old));
    head_look(t, c, old, total);
}

/* --- ending ---------------------------------------------------------------------------------- */

/* Everything was sent: finishes our side, and waits a little for the peer's rest, so that a reset
 * does not destroy the answer before it is read (RFC 9112 §9.6). */
static void client_finish(Thread *t, Client *c)
{
    if (!c->linger_wanted || c->wire.ended) {
        client_close(t, c, false);
        return;
    }
    stream_finish(&c->wire.stream);
    c->state = CLIENT_LINGER;
    buf_clear(&c->in, &t->buf_blocks);
    client_deadline(t, c, service_of(t, c)->limits.linger_ms);
    if (c->wire.readable) {
        thread_again(t, c->self);
    }
}

static void client_flush(Thread *t, Client *c)
{
    size_t sent = 0;
    if (wire_flush(&c->wire, &t->buf_blocks, &sent) != ERR_OK) {
        client_close(t, c, true);
        return;
    }
    if (c->wire.out.len == 0) {
        client_finish(t, c);
    } else if (sent > 0) {
        client_deadline(t, c, service_of(t, c)->limits.send_timeout_ms);
    }
}

static void client_linger(Thread *t, Client *c)
{
    size_t n = 0;
    Err err = c->wire.readable ? wire_receive(&c->wire, t->input, &n) : ERR_AGAIN;
    c->lingered += (uint32_t)n;
    if ((err != ERR_OK && err != ERR_AGAIN) || c->lingered > CLIENT_LINGER_BYTES_MAX) {
        client_close(t, c, false);
    } else if (c->wire.readable) {
        thread_again(t, c->self);
    }
}

void client_exchange_over(Thread *t, Client *c, bool keep, bool linger, bool abort)
{
    c->exchange = HANDLE_NONE;
    if (abort || c->wire.broken) {
        client_close(t, c, abort);
        return;
    }
    if (keep && !t->draining) {
        c->state = CLIENT_IDLE;
        client_deadline(t, c, service_of(t, c)->limits.keep_alive_ms);
        if (c->in.len > 0 || c->wire.readable) {
            thread_again(t, c->self);
        }
        return;
    }
    c->linger_wanted = linger || c->in.len > 0 || c->wire.readable;
    c->state = CLIENT_FLUSH;
    client_deadline(t, c, service_of(t, c)->limits.send_timeout_ms);
    client_flush(t, c);
}

void client_drain(Thread *t, Client *c)
{
    if (c->state == CLIENT_IDLE || c->state == CLIENT_HEAD) {
        client_close(t, c, false);
    }
}

/* --- events ---------------------------------------------------------------------------------- */

void client_on_ready(Thread *t, Handle h, unsigned what)
{
    Client *c = client_get(t, h);
    if (!c) {
        return;
    }
    wire_ready(&c->wire, what);
    switch ((ClientState)c->state) {
    case CLIENT_IDLE:
    case CLIENT_HEAD:
        client_read(t, c);
        return;
    case CLIENT_BUSY:
        exchange_wake(t, c->exchange);
        return;
    case CLIENT_FLUSH:
        client_flush(t, c);
        return;
    case CLIENT_LINGER:
        client_linger(t, c);
        return;
    }
}

void client_on_timer(Thread *t, Handle h)
{
    Client *c = client_get(t, h);
    if (!c) {
        return;
    }
    switch ((ClientState)c->state) {
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(t, c, false);
        return;
    case CLIENT_HEAD:
        exchange_refuse(t, c, FAULT_HEAD_TIMEOUT, STR_NONE);
        return;
    case CLIENT_BUSY:
        exchange_on_timer(t, c->exchange);
        return;
    case CLIENT_FLUSH:
        client_close(t, c, true);
        return;
    }
}
