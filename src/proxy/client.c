/* client.c - a client's connection between its requests. */
#include "proxy/client_end.h"

#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/refusal.h"
#include "proxy/source.h"
#include "proxy/worker.h"

#define CLIENT_READ_BYTES (32u << 10) /* for a head and what follows it at once */

static void client_read(Thread *t, Client *c);

/* Follows up after an exchange was started, if there was room, and has run as far as it could. */
static void exchange_ran(Thread *t, Client *c, bool started)
{
    if (started) {
        client_go_on(t, c);
    } else {
        client_close(t, c, true);
    }
}

static void client_refuse(Thread *t, Client *c, Fault fault, Str head)
{
    exchange_ran(t, c, exchange_refuse(t, c, fault, head));
}

/* The TLS session for a client of the listener; also ERR_OK if the listener is plain. */
static Err client_seal(Thread *t, const Listener *l, Tls **ret)
{
    if (!l->tls) {
        return ERR_OK;
    }
    return tls_accept(l->tls, &t->group->budget, ret);
}

static void client_uncount(Thread *t, uint16_t listener)
{
    counter_add(&t->listener_clients[listener], UINT64_MAX);
    atomic_fetch_sub(&t->worker->client_count, 1);
    atomic_fetch_sub(&t->client_count, 1);
}

void client_adopt(Thread *t, Stream stream, uint16_t listener, Peer peer)
{
    Handle h;
    Tls *tls = NULL;
    const Listener *l = t->snapshot->listeners[listener];
    Client *c = (Client *)pool_take(&t->clients, &h);
    if (!c || (!l->proxy_protocol && client_seal(t, l, &tls) != ERR_OK) ||
        poller_add(&t->poller, stream.fd, token_of(TOKEN_CLIENT, h)) != ERR_OK) {
        counter_add(&t->refused, 1);
        tls_free(tls);
        stream_close(&stream, true);
        if (c) {
            pool_give(&t->clients, h);
        }
        client_uncount(t, listener);
        return;
    }
    c->self = h;
    c->wire.stream = stream;
    c->wire.writable = true;
    c->wire.owner = token_of(TOKEN_CLIENT, h);
    c->listener = listener;
    c->leaving = l->leaving || t->draining;
    c->patience_ms = (uint16_t)(t->draining ? t->patience_ms : CLIENT_PATIENCE_MS);
    c->peer = peer;
    c->wire.tls = tls;
    c->state = l->proxy_protocol ? CLIENT_PROXY : tls ? CLIENT_HANDSHAKE : CLIENT_IDLE;
    c->idle_ms = t->now_ms;
    counter_add(&t->accepted, 1);
    client_deadline(t, c, service_of(t, c)->limits.head_timeout_ms);
}

/* Counts and logs why an open session has failed: an invalid record, or an alert. */
COLD static void session_failed(Thread *t, const Client *c)
{
    Fault fault = fault_of_client_tls(tls_reason(c->wire.tls));
    uint8_t why_room[200];
    Text why = text_in(span_of(why_room, sizeof why_room));
    wire_why(&c->wire, &why);
    counter_add(&t->faults[fault], 1);
    refusal_of_connection(t, c->peer, fault, S("a TLS session failed"), text_str(&why), 0);
}

void client_close(Thread *t, Client *c, bool abort)
{
    if (c->wire.tls && c->state != CLIENT_HANDSHAKE &&
        tls_reason(c->wire.tls) != TLS_REASON_NONE) {
        session_failed(t, c);
    }
    if (c->mux) {
        Mux *m = c->mux;
        client_cut_streams(t, c, t->stopping ? FAULT_STOPPED : FAULT_CLIENT_GONE, false);
        c->mux = NULL;
        mux_drop(t, m);
    }
    wire_close(&c->wire, &t->wires, abort);
    buf_clear(&c->in, &t->buf_blocks);
    timer_drop(&t->wheel, &c->timer);
    client_uncount(t, c->listener);
    pool_give(&t->clients, c->self);
}

/* --- TLS ------------------------------------------------------------------------------------- */

/* Whether a client whose handshake failed for this reason may still be sending. */
static bool may_say_more(TlsReason reason)
{
    return reason == TLS_REASON_CERTIFICATE || reason == TLS_REASON_NO_CERTIFICATE ||
           reason == TLS_REASON_PROTOCOL;
}

/* Counts and logs a failed handshake. Answers a plain-text request in plain text. */
static void handshake_failed(Thread *t, Client *c)
{
    TlsReason reason = tls_reason(c->wire.tls);
    Fault fault = fault_of_client_tls(reason);
    uint8_t why_room[200];
    Text why = text_in(span_of(why_room, sizeof why_room));
    wire_why(&c->wire, &why);
    refusal_of_connection(t, c->peer, fault, S("TLS handshake failed"), text_str(&why), 0);
    if (fault == FAULT_TLS_PLAINTEXT) {
        wire_unseal(&c->wire);
        c->wire.broken = false;
        client_refuse(t, c, fault, STR_NONE);
        return;
    }
    counter_add(&t->faults[fault], 1);
    if (may_say_more(reason)) { /* further input must not cause a reset that destroys the alert */
        wire_unseal(&c->wire);
        c->wire.broken = false;
        c->over = (ExchangeOver){.is = true, .linger = true};
        client_go_on(t, c);
        return;
    }
    client_close(t, c, false);
}

static void client_shake(Thread *t, Client *c)
{
    Err err = wire_handshake(&c->wire, &t->wires);
    if (err == ERR_AGAIN) {
        size_t sent = 0;
        (void)!wire_flush(&c->wire, &t->wires, &sent);
        return;
    }
    if (err != ERR_OK) {
        handshake_failed(t, c);
        return;
    }
    TlsInfo info;
    tls_info(c->wire.tls, &info);
    c->state = CLIENT_IDLE;
    client_deadline(t, c, service_of(t, c)->limits.head_timeout_ms);
    if (info.alpn == TLS_ALPN_H2) {
        client_mux_begin(t, c, STR_NONE);
    } else {
        client_read(t, c);
    }
}

/* --- reading heads --------------------------------------------------------------------------- */

/* Keeps in `in` the unconsumed bytes of the thread's input, which begins with `old` bytes copied
 * from `in`. */
static Err input_keep(Thread *t, Client *c, size_t old, size_t total, size_t consumed)
{
    if (consumed <= old) {
        buf_skip(&c->in, &t->buf_blocks, consumed);
        return buf_add(&c->in, &t->buf_blocks, str_slice(span_str(t->input), old, total));
    }
    buf_clear(&c->in, &t->buf_blocks);
    return buf_add(&c->in, &t->buf_blocks, str_slice(span_str(t->input), consumed, total));
}

/* The fault of a head of which `total` bytes have arrived, the first `skip` being an empty line.
 * The first line is judged as soon as it ends, not with the whole head, so that clients of other
 * protocols do not have to wait for head-timeout. */
static Fault head_judge(const Thread *t, const Client *c, size_t old, size_t total, size_t skip)
{
    Str bytes = str_slice(span_str(t->input), skip, total);
    bool h2c = listener_of(t, c)->h2c && !c->wire.tls;
    size_t line_end = skip + str_find(bytes, '\n', 0);
    if (line_end < old || (h2c && str_starts(bytes, S("PRI * HTTP/2.0\r\n")))) {
        return FAULT_NONE;
    }
    HttpFault fault = request_line_begin(bytes, service_of(t, c)->limits.head.target_bytes_max);
    return fault == HTTP_FAULT_NONE ? FAULT_NONE : fault_of_request(fault);
}

/* Keeps an incomplete head and waits for more, if it may still grow. */
static void head_incomplete(Thread *t, Client *c, size_t old, size_t total, size_t skip)
{
    const ServiceLimits *limits = &service_of(t, c)->limits;
    Str bytes = str_take(span_str(t->input), total);
    Fault fault = head_judge(t, c, old, total, skip);
    if (fault != FAULT_NONE) {
        client_refuse(t, c, fault, bytes);
        return;
    }
    if (total > limits->head.head_bytes_max) {
        client_refuse(t, c, FAULT_REQUEST_HEAD_TOO_LARGE, bytes);
        return;
    }
    if (total > limits->head.target_bytes_max + 32 && str_find(bytes, '\n', 2) == bytes.len) {
        client_refuse(t, c, FAULT_REQUEST_TARGET_TOO_LONG, bytes);
        return;
    }
    if (input_keep(t, c, old, total, 0) != ERR_OK) {
        client_refuse(t, c, FAULT_MEMORY, STR_NONE);
        return;
    }
    c->looked = true;
    if (c->wire.readable) {
        thread_again_wire(t, &c->wire);
    }
    if (c->state == CLIENT_IDLE) {
        c->state = CLIENT_HEAD;
        c->head_us = t->now_ns / 1000;
        client_deadline(t, c, limits->head_timeout_ms);
    }
}

/* Whether a head is the start of HTTP/2's connection preface, on a listener that accepts HTTP/2
 * without TLS (RFC 9113 §3.3, §3.4). */
static bool is_preface(const Thread *t, const Client *c, Str head)
{
    return listener_of(t, c)->h2c && !c->wire.tls && str_equal(head, S("PRI * HTTP/2.0\r\n\r\n"));
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
        head_incomplete(t, c, old, total, skip);
        return;
    }
    if (err != ERR_OK) {
        client_refuse(t, c, FAULT_REQUEST_BARE_LF, bytes);
        return;
    }
    c->scanned = 0;
    c->looked = false;
    if (is_preface(t, c, str_slice(bytes, skip, skip + end))) {
        buf_clear(&c->in, &t->buf_blocks);
        client_mux_begin(t, c, str_drop(bytes, skip));
        return;
    }
    if (c->state == CLIENT_IDLE) {
        c->head_us = t->now_ns / 1000;
    }
    if ((old > 0 || skip + end < total) && input_keep(t, c, old, total, skip + end) != ERR_OK) {
        client_refuse(t, c, FAULT_MEMORY, STR_NONE);
        return;
    }
    c->state = CLIENT_BUSY;
    bool started = exchange_start(t, c, str_slice(bytes, skip, skip + end));
    exchange_ran(t, c, started);
}

/* Continues reading a head: from bytes already there, or else from the socket. */
static void client_read(Thread *t, Client *c)
{
    size_t old = c->in.len;
    size_t fresh = 0;
    if (old == 0 || c->looked) {
        if (!c->wire.readable) {
            return;
        }
        Span room = span_take(span_drop(t->input, old), CLIENT_READ_BYTES);
        Err err = wire_receive(&c->wire, &t->wires, room, &fresh);
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

/* --- the PROXY protocol ---------------------------------------------------------------------- */

/* Closes without an answer: the peer's protocol is unknown. */
static void proxy_failed(Thread *t, Client *c, Fault fault)
{
    bool blocked = fault == FAULT_CONNECTION_BLOCKED;
    counter_add(&t->faults[fault], 1);
    refusal_of_connection(t, c->peer, fault,
                          blocked ? S("a connection was refused")
                                  : S("a connection began without the PROXY protocol"),
                          STR_NONE, 0);
    client_close(t, c, true);
}

/* The header is complete; `early` of `total` bytes in the thread's input follow it. */
static void proxy_done(Thread *t, Client *c, size_t old, size_t total, size_t early)
{
    const Listener *l = listener_of(t, c);
    Str rest = str_slice(span_str(t->input), total - early, total);
    Tls *tls = NULL;
    c->looked = false;
    client_deadline(t, c, service_of(t, c)->limits.head_timeout_ms);
    if (!l->tls) {
        c->state = CLIENT_IDLE;
        if (input_keep(t, c, old, total, total - early) != ERR_OK) {
            client_refuse(t, c, FAULT_MEMORY, STR_NONE);
            return;
        }
        client_read(t, c);
        return;
    }
    buf_clear(&c->in, &t->buf_blocks);
    if (client_seal(t, l, &tls) != ERR_OK) {
        counter_add(&t->refused, 1);
        client_close(t, c, true);
        return;
    }
    c->state = CLIENT_HANDSHAKE;
    if (wire_seal(&c->wire, &t->wires, tls, rest) == ERR_OK) {
        client_shake(t, c);
    } else {
        handshake_failed(t, c);
    }
}

/* Reads no more than a header's maximum, so that what follows it fits where it is kept. */
static void client_read_proxy(Thread *t, Client *c)
{
    size_t old = c->in.len;
    size_t fresh = 0;
    Span room = span_take(span_drop(t->input, old), PROXY_HEADER_BYTES_MAX - old);
    Err err = c->wire.readable ? wire_receive(&c->wire, &t->wires, room, &fresh) : ERR_AGAIN;
    if (err == ERR_AGAIN) {
        return;
    }
    if (err != ERR_OK) {
        client_close(t, c, false);
        return;
    }
    size_t total = old + fresh;
    ProxyHeader header = {0};
    (void)buf_peek(&c->in, span_take(t->input, old));
    err = proxy_header_parse(str_take(span_str(t->input), total), &header);
    if (err == ERR_INCOMPLETE && input_keep(t, c, old, total, 0) == ERR_OK) {
        if (c->wire.readable) {
            thread_again_wire(t, &c->wire);
        }
        return;
    }
    Fault fault = err == ERR_OK ? source_screen_header(listener_of(t, c), &header, &c->peer)
                                : FAULT_PROXY_HEADER;
    if (fault != FAULT_NONE) {
        proxy_failed(t, c, fault);
    } else {
        proxy_done(t, c, old, total, total - header.bytes);
    }
}

/* --- exchanges ------------------------------------------------------------------------------- */

void client_wake_exchange(Thread *t, Handle exchange)
{
    Client *c = client_get(t, exchange_wake(t, exchange));
    if (c && c->over.is) {
        client_go_on(t, c);
    }
}

void client_start_stream(Thread *t, MuxStream *s)
{
    exchange_start_stream(t, client_get(t, token_handle(s->mux->wire->owner)), s);
}

void client_cut(Thread *t, Handle h, Fault fault)
{
    Client *c = client_get(t, h);
    Exchange *x = c ? exchange_get(t, c->exchange) : NULL;
    if (c && c->mux) {
        client_cut_streams(t, c, fault, false);
    } else if (x) {
        exchange_cut(t, x, fault);
        client_go_on(t, c);
    }
}

/* --- events ---------------------------------------------------------------------------------- */

void client_on_ready(Thread *t, Handle h, unsigned what)
{
    Client *c = client_get(t, h);
    if (!c) {
        return;
    }
    size_t sent = 0;
    wire_ready(&c->wire, what);
    switch ((ClientState)c->state) {
    case CLIENT_PROXY:
        client_read_proxy(t, c);
        return;
    case CLIENT_HANDSHAKE:
        client_shake(t, c);
        return;
    case CLIENT_MUX:
        client_mux_ready(t, c);
        return;
    case CLIENT_IDLE:
    case CLIENT_HEAD:
        (void)!wire_flush(&c->wire, &t->wires, &sent); /* the handshake's last bytes */
        client_read(t, c);
        return;
    case CLIENT_BUSY:
        (void)exchange_wake(t, c->exchange);
        if (c->over.is) {
            client_go_on(t, c);
        }
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
    case CLIENT_PROXY:
        proxy_failed(t, c, FAULT_PROXY_TIMEOUT);
        return;
    case CLIENT_HANDSHAKE:
        counter_add(&t->faults[FAULT_TLS_TIMEOUT], 1);
        refusal_of_connection(t, c->peer, FAULT_TLS_TIMEOUT, S("TLS handshake failed"), STR_NONE,
                              0);
        client_close(t, c, false);
        return;
    case CLIENT_MUX:
        client_mux_watch(t, c);
        return;
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(t, c, false);
        return;
    case CLIENT_HEAD:
        client_refuse(t, c, FAULT_HEAD_TIMEOUT, STR_NONE);
        return;
    case CLIENT_BUSY:
        (void)exchange_wake(t, c->exchange);
        if (c->over.is) {
            client_go_on(t, c);
        }
        return;
    case CLIENT_FLUSH:
        client_flush_watch(t, c);
        return;
    }
}
