/* upstream.c - the life of one connection to an origin. */
#include "pool/upstream.h"

#include "base/number.h"
#include "pool/origin_dial.h"
#include "pool/summary.h"
#include "transport/reply.h"

static Origin *origin_of(Thread *t, const Upstream *u)
{
    return &t->group->origins[u->origin];
}

static Upstream *upstream_new(Thread *t, const Origin *o, Stream stream, Tls *tls)
{
    Handle h;
    Upstream *u = (Upstream *)pool_take(&t->upstreams, &h);
    if (!u) {
        return NULL;
    }
    u->self = h;
    u->origin = o->index;
    u->wire.stream = stream;
    u->wire.tls = tls;
    u->wire.owner = token_of(TOKEN_UPSTREAM, h);
    u->retire_ms = UINT64_MAX;
    if (poller_add(&t->poller, stream.fd, token_of(TOKEN_UPSTREAM, h)) != ERR_OK) {
        pool_give(&t->upstreams, h);
        return NULL;
    }
    return u;
}

Err upstream_dial(Thread *t, Origin *o, Handle lease, bool exclusive, Handle *ret_upstream)
{
    Stream stream = {0};
    TRY(stream_dial(&o->endpoint->address, &stream));
    Upstream *u = upstream_new(t, o, stream, NULL);
    if (!u) {
        stream_close(&stream, false);
        return ERR_MEMORY;
    }
    uint64_t due_ms = t->now_ms + o->endpoint->connect_timeout_ms;
    Err err = timer_set(&t->wheel, &u->timer, due_ms, token_of(TOKEN_UPSTREAM, u->self));
    if (err != ERR_OK) {
        wire_close(&u->wire, &t->wires, false);
        upstream_forget(t, u);
        return err;
    }
    u->state = UPSTREAM_DIALING;
    u->lease = lease;
    u->exclusive = exclusive;
    *ret_upstream = u->self;
    counter_add(&t->origins[o->index].opened, 1);
    return ERR_OK;
}

Upstream *upstream_adopt(Thread *t, Origin *o, const ParkNode *node)
{
    Stream stream = stream_plain(node->fd);
    Upstream *u = upstream_new(t, o, stream, node->tls);
    if (!u) {
        tls_free(node->tls);
        stream_close(&stream, false);
        atomic_fetch_sub(&o->open, 1);
        return NULL;
    }
    u->state = UPSTREAM_BUSY;
    u->wire.writable = true;
    u->served = node->served;
    u->was_parked = true;
    u->retire_ms = node->retire_ms;
    return u;
}

void upstream_forget(Thread *t, Upstream *u)
{
    timer_drop(&t->wheel, &u->timer);
    buf_clear(&u->in, &t->buf_blocks);
    pool_give(&t->upstreams, u->self);
}

static void log_handshake(Thread *t, const Upstream *u, Fault fault, Str why)
{
    SUMMARY(t, CONNECTION, fault, WARN, "TLS handshake with the origin failed",
            LOG_STR("upstream", origin_of(t, u)->endpoint->name), LOG_STR("why", why));
}

bool upstream_is_refused(Thread *t, Upstream *u)
{
    Wire *w = &u->wire;
    size_t n = 0;
    if (w->tls && tls_awaits_verdict(w->tls)) {
        w->readable = true; /* either the verdict has arrived, or nothing has */
        (void)!wire_receive(w, &t->wires, span_take(t->input, 1), &n);
    }
    return w->tls && tls_is_refused(w->tls);
}

/* An open session has failed: the origin broke the protocol, or refuses River's certificate, which
 * counts against the endpoint like any failed handshake. */
COLD static void session_failed(Thread *t, const Upstream *u)
{
    uint8_t room[200];
    Text why = text_in(span_of(room, sizeof room));
    wire_why(&u->wire, &why);
    if (tls_is_refused(u->wire.tls)) {
        origin_unreachable(t, origin_of(t, u));
        log_handshake(t, u, FAULT_ORIGIN_TLS, text_str(&why));
    } else {
        SUMMARY(t, CONNECTION, FAULT_ORIGIN_TLS, WARN, "a TLS session with the origin failed",
                LOG_STR("upstream", origin_of(t, u)->endpoint->name),
                LOG_STR("why", text_str(&why)));
    }
}

void upstream_close(Thread *t, Upstream *u, bool abort)
{
    Origin *o = origin_of(t, u);
    Mux *m = u->mux;
    bool dialing = u->state == UPSTREAM_DIALING || u->state == UPSTREAM_HANDSHAKE;
    if (u->wire.tls && !dialing && tls_reason(u->wire.tls) != TLS_REASON_NONE) {
        session_failed(t, u);
    }
    if (dialing) {
        atomic_fetch_sub(&o->dialing, 1);
    }
    if (m) {
        m->refused = u->wire.tls && tls_is_refused(u->wire.tls);
        origin_mux_gone(t, u);
        atomic_fetch_sub(&o->leaving, 1);
        u->mux = NULL;
        mux_drop(t, m);
        atomic_fetch_sub(&o->lists[t->index].muxes, 1);
    }
    atomic_fetch_sub(&o->open, 1);
    wire_close(&u->wire, &t->wires, abort);
    upstream_forget(t, u);
    if (m) {
        origin_mux_next(t, o);
    }
}

void upstream_announced(const Thread *t, Upstream *u, uint64_t keep_alive_ms)
{
    if (keep_alive_ms > 0) {
        uint64_t margin_ms = u64_min(1000, keep_alive_ms / 4);
        u->retire_ms = t->now_ms + keep_alive_ms - margin_ms;
    }
}

/* The lease that started the dial, if it still waits for the outcome. */
static Lease *waiting_for(Thread *t, const Upstream *u)
{
    Lease *l = lease_get(t, u->lease);
    return l && l->waits && l->origin == u->origin ? l : NULL;
}

static void dial_failed(Thread *t, Upstream *u, Fault fault)
{
    Lease *l = waiting_for(t, u);
    bool last = !l || u->exclusive || l->dialing <= 1;
    origin_mux_failed(t, u, fault);
    upstream_close(t, u, false);
    if (!last) { /* several that end at once are one failure */
        l->dialing--;
    } else if (l && l->waits) {
        lease_failed(t, l, fault);
    }
}

#define STREAMS_MAX 1024u /* per connection, whatever the origin allows */

static void upstream_opened(Thread *t, Upstream *u, bool h2);

/* Continues the handshake; ALPN selects the protocol at its end. */
static void upstream_shake(Thread *t, Upstream *u)
{
    EndpointProtocol wanted = origin_of(t, u)->endpoint->protocol;
    Err err = wire_handshake(&u->wire, &t->wires);
    if (err == ERR_AGAIN) {
        size_t sent = 0;
        (void)!wire_flush(&u->wire, &t->wires, &sent);
        return;
    }
    if (err != ERR_OK) {
        Fault fault = fault_of_origin_tls(tls_reason(u->wire.tls));
        uint8_t room[200];
        Text why = text_in(span_of(room, sizeof room));
        wire_why(&u->wire, &why);
        log_handshake(t, u, fault, text_str(&why));
        dial_failed(t, u, fault);
        return;
    }
    TlsInfo info;
    tls_info(u->wire.tls, &info);
    bool h2 = info.alpn == TLS_ALPN_H2;
    if (wanted == ENDPOINT_H2 && !h2) {
        dial_failed(t, u, FAULT_ORIGIN_PROTOCOL);
        return;
    }
    upstream_opened(t, u, h2);
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
    if (!origin_of(t, u)->endpoint->tls) {
        upstream_opened(t, u, origin_of(t, u)->endpoint->protocol == ENDPOINT_H2);
        return;
    }
    Err sealed = tls_connect(origin_of(t, u)->endpoint->tls, &t->group->budget, &u->wire.tls);
    if (sealed != ERR_OK) {
        dial_failed(t, u, FAULT_MEMORY);
        return;
    }
    u->state = UPSTREAM_HANDSHAKE;
    upstream_shake(t, u);
}

/* The connection speaks HTTP/2: it serves many exchanges at once from now on. */
static void mux_begin(Thread *t, Upstream *u)
{
    u->mux = mux_new(t, &u->wire, false, &reply_limits, STREAMS_MAX);
    if (!u->mux) {
        u->state = UPSTREAM_DIALING;
        atomic_fetch_add(&origin_of(t, u)->dialing, 1);
        dial_failed(t, u, FAULT_MEMORY);
        return;
    }
    u->state = UPSTREAM_MUX;
    h2_expect_streams(u->mux->h2, atomic_load(&origin_of(t, u)->streams_max));
    atomic_fetch_add(&origin_of(t, u)->lists[t->index].muxes, 1);
    if (u->wire.readable) { /* arrived before the dial ended: no edge will signal it */
        thread_again_wire(t, &u->wire);
    }
    origin_mux_ready(t, u);
}

/* Connected, and the handshake is done: serves the lease that it was dialled for. */
static void upstream_opened(Thread *t, Upstream *u, bool h2)
{
    atomic_fetch_sub(&origin_of(t, u)->dialing, 1);
    if (!u->wire.tls || !tls_awaits_verdict(u->wire.tls)) {
        origin_reachable(origin_of(t, u)); /* otherwise the first response says so */
    }
    u->state = UPSTREAM_BUSY; /* its user stops or resets the timer */
    Lease *l = waiting_for(t, u);
    if (h2) {
        mux_begin(t, u);
        if (l && l->dials) { /* it asks again, for a stream */
            lease_retry(t, l);
        }
        return;
    }
    if (origin_of(t, u)->endpoint->protocol != ENDPOINT_H1) {
        origin_mux_none(t, u);
    }
    if (l && u->exclusive) {
        lease_connected(t, l, u);
        return;
    }
    if (l && l->dialing > 0) {
        l->dialing--;
    }
    origin_return(t, u);
}

/* --- HTTP/2 ---------------------------------------------------------------------------------- */

#define LEAVE_MS 1000u /* for a stream to end by itself once both sides have finished */

void upstream_leave_stream(Thread *t, MuxStream *s, bool complete)
{
    mux_stream_leave(t, s, complete ? H2_NO_ERROR : H2_CANCEL, LEAVE_MS, 0);
}

#define QUIET_MS 5000u   /* silence of an origin with open streams before a PING */
#define APART_MS 330000u /* more than five minutes: see MuxPatience */

/* A deadline of the connection has passed, or needs to be set. */
static void mux_watch(Thread *t, Upstream *u)
{
    const Endpoint *e = origin_of(t, u)->endpoint;
    bool full = !dial_has_room(origin_of(t, u));
    const MuxPatience patience = {.send_ms = e->write_timeout_ms,
                                  .idle_ms = e->idle_timeout_ms,
                                  .head_ms = e->read_timeout_ms,
                                  .quiet_ms = QUIET_MS,
                                  .silent_ms = full ? MUX_SILENT_FULL_MS : MUX_SILENT_MS,
                                  .apart_ms = APART_MS};
    uint64_t due_ms = UINT64_MAX;
    MuxLate late = mux_late(t, u->mux, &patience, &due_ms);
    if (late == MUX_SILENT) {
        u->doubted = true;
        origin_mux_gone(t, u);
        /* A possibly dead connection must not block the only one that could replace it. */
        late = dial_has_room(origin_of(t, u)) ? MUX_SILENT : MUX_DEAD;
    }
    switch (late) {
    case MUX_IN_TIME:
        CHECK(timer_set(&t->wheel, &u->timer, due_ms, token_of(TOKEN_UPSTREAM, u->self)) == ERR_OK);
        return;
    case MUX_SILENT:
        mux_flush_later(t, u->mux); /* which watches again */
        return;
    case MUX_UNREAD:
    case MUX_DEAD:
    case MUX_SLOW:
        SUMMARY(t, CONNECTION, FAULT_ORIGIN_TIMEOUT, WARN, "a connection to the origin is dead",
                LOG_STR("upstream", origin_of(t, u)->endpoint->name),
                LOG_U64("streams", u->mux->count));
        upstream_close(t, u, true);
        return;
    case MUX_IDLE:
        mux_leave(t, u->mux);
        return;
    }
}

void upstream_doubt(Thread *t, const MuxStream *s, uint64_t since_ms)
{
    Upstream *u = s->mux ? upstream_get(t, token_handle(s->mux->wire->owner)) : NULL;
    if (u && u->mux && u->mux->heard_ms <= since_ms) {
        u->doubted = true;
        origin_mux_gone(t, u);
        mux_ping(t, u->mux);
    }
}

/* The connection lives. If another has taken its place, it finishes its streams and leaves. */
static void mux_proven(Thread *t, Upstream *u)
{
    u->doubted = false;
    if (!origin_mux_back(t, u)) {
        mux_leave(t, u->mux);
    }
}

/* The whole connection fails by the origin's fault, with all its streams. */
static void mux_broke(Thread *t, const Upstream *u)
{
    counter_add(&t->faults[FAULT_RESPONSE_PROTOCOL_BROKEN], 1);
    SUMMARY(t, CONNECTION, FAULT_RESPONSE_PROTOCOL_BROKEN, WARN,
            "closed an HTTP/2 connection: the origin broke the protocol",
            LOG_STR("upstream", origin_of(t, u)->endpoint->name),
            LOG_U64("streams", u->mux->count));
}

void upstream_mux_flush(Thread *t, Handle h)
{
    Upstream *u = upstream_get(t, h);
    if (!u || !u->mux) {
        return;
    }
    Mux *m = u->mux;
    m->flushing = false;
    Err err = mux_flush(t, m);
    int32_t last = 0;
    if (h2_peer_leaves(m->h2, &last) || m->leaving || m->failed) {
        origin_mux_gone(t, u);
    }
    if (h2_is_broken(m->h2)) {
        mux_broke(t, u);
    }
    if (err != ERR_OK || u->wire.broken || m->failed || mux_is_over(m)) {
        upstream_close(t, u, false);
    } else {
        origin_mux_next(t, origin_of(t, u)); /* a stream may have ended */
        /* It is being given up, or was dialled for a request of an old configuration. */
        if (m->count == 0 && (u->yields || atomic_load(&origin_of(t, u)->ends))) {
            mux_leave(t, m);
        }
        mux_watch(t, u);
    }
}

static void mux_ready(Thread *t, Upstream *u)
{
    Err err = u->wire.readable ? mux_receive(t, u->mux) : ERR_AGAIN;
    if (err != ERR_OK && err != ERR_AGAIN) {
        if (h2_is_broken(u->mux->h2)) {
            mux_broke(t, u);
        }
        upstream_close(t, u, false);
        return;
    }
    mux_flush_later(t, u->mux);
    if (!u->greeted && h2_is_greeted(u->mux->h2)) {
        u->greeted = true;
        atomic_store(&origin_of(t, u)->streams_max, h2_streams_max(u->mux->h2));
    }
    if (u->doubted && !u->mux->pinged) {
        mux_proven(t, u);
    }
}

/* An idle connection closes, or sends unsolicited bytes: either way it is unusable. */
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
    Err err = wire_receive(&u->wire, &t->wires, span_take(t->input, 1), &received);
    if (err == ERR_AGAIN && !u->wire.ended && !u->wire.broken) {
        origin_return(t, u); /* a stale event: the bytes were already read */
        return;
    }
    upstream_close(t, u, false);
}

/* The user of the connection, which reads and writes it. */
static Token user_of(const Thread *t, const Upstream *u)
{
    const Lease *l = lease_get(t, u->lease);
    return l ? l->owner : TOKEN_NONE;
}

Token upstream_on_ready(Thread *t, Handle h, unsigned what)
{
    Upstream *u = upstream_get(t, h);
    if (!u) {
        return TOKEN_NONE;
    }
    wire_ready(&u->wire, what);
    switch ((UpstreamState)u->state) {
    case UPSTREAM_DIALING:
        dial_over(t, u);
        break;
    case UPSTREAM_HANDSHAKE:
        upstream_shake(t, u);
        break;
    case UPSTREAM_MUX:
        mux_ready(t, u);
        break;
    case UPSTREAM_BUSY:
        return user_of(t, u);
    case UPSTREAM_PARKED:
        parked_ready(t, u, what);
        break;
    }
    return TOKEN_NONE;
}

void upstream_on_timer(Thread *t, Handle h)
{
    Upstream *u = upstream_get(t, h);
    if (!u) {
        return;
    }
    if (u->state == UPSTREAM_DIALING || u->state == UPSTREAM_HANDSHAKE) {
        if (u->state == UPSTREAM_HANDSHAKE) {
            log_handshake(t, u, FAULT_CONNECT_TIMEOUT, S("it took too long"));
        }
        dial_failed(t, u, FAULT_CONNECT_TIMEOUT);
    } else if (u->state == UPSTREAM_MUX) {
        mux_watch(t, u);
    } else if (u->state == UPSTREAM_PARKED && origin_unpark(t, u)) {
        upstream_close(t, u, false);
    }
}
