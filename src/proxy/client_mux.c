/* client_mux.c - HTTP/2 on a client's connection. */
#include "proxy/client_end.h"

#include "proxy/exchange.h"
#include "proxy/refusal.h"

#define QUIET_MS 60000u /* silence of a client with open streams before a PING */

/* A deadline of the whole connection has passed, or needs to be set. */
void client_mux_watch(Thread *t, Client *c)
{
    const ServiceLimits *limits = &service_of(t, c)->limits;
    const MuxPatience patience = {.send_ms = limits->send_timeout_ms,
                                  .idle_ms = limits->keep_alive_ms,
                                  .head_ms = limits->head_timeout_ms,
                                  .quiet_ms = QUIET_MS,
                                  .silent_ms = MUX_SILENT_MS,
                                  .apart_ms = QUIET_MS};
    uint64_t due_ms = UINT64_MAX;
    switch (mux_late(t, c->mux, &patience, &due_ms)) {
    case MUX_IN_TIME:
        client_deadline(t, c, due_ms > t->now_ms ? due_ms - t->now_ms : 0);
        return;
    case MUX_UNREAD:
        client_cut_streams(t, c, FAULT_SEND_TIMEOUT, false);
        client_close(t, c, true);
        return;
    case MUX_SILENT:
        mux_flush_later(t, c->mux); /* which watches again */
        return;
    case MUX_DEAD:
        client_close(t, c, true);
        return;
    case MUX_SLOW:
        counter_add(&t->faults[FAULT_HEAD_TIMEOUT], 1);
        refusal_of_connection(t, c->peer, FAULT_HEAD_TIMEOUT, S("closed an HTTP/2 connection"),
                              STR_NONE, 0);
        mux_end(t, c->mux, H2_ENHANCE_YOUR_CALM);
        return;
    case MUX_IDLE:
        mux_leave(t, c->mux);
        return;
    }
}

/* The whole connection fails by the client's fault, with all its streams. */
static void mux_broke(Thread *t, const Client *c)
{
    counter_add(&t->faults[FAULT_REQUEST_PROTOCOL_BROKEN], 1);
    refusal_of_connection(t, c->peer, FAULT_REQUEST_PROTOCOL_BROKEN,
                          S("closed an HTTP/2 connection: the client broke the protocol"),
                          STR_NONE, 0);
}

void client_mux_flush(Thread *t, Handle h)
{
    Client *c = client_get(t, h);
    if (!c || !c->mux) {
        return;
    }
    Mux *m = c->mux;
    m->flushing = false;
    Err err = mux_flush(t, m);
    if (err != ERR_OK || c->wire.broken) {
        client_close(t, c, true);
    } else if ((m->failed || mux_is_over(m)) && c->wire.out.len == 0) {
        if (h2_is_broken(m->h2)) {
            mux_broke(t, c);
        }
        client_mux_end(t, c);
    } else {
        client_mux_watch(t, c);
    }
}

/* The client sends no more, and so is leaving: complete requests are answered, as over HTTP/1,
 * incomplete ones are cut, and then the connection ends. */
static void mux_half_closed(Thread *t, Client *c)
{
    if (c->mux->count == 0 && c->wire.out.len == 0) {
        client_close(t, c, false);
        return;
    }
    mux_leave(t, c->mux);
    client_cut_streams(t, c, FAULT_CLIENT_GONE, true);
    mux_flush_later(t, c->mux);
}

/* Logs requests that broke a rule before their exchange began; they have no access record. */
static void log_unread(Thread *t, Client *c)
{
    Mux *m = c->mux;
    if (LIKELY(m->unread == 0)) {
        return;
    }
    refusal_of_connection(t, c->peer, m->unread_fault,
                          S("a request was refused before it was read"), STR_NONE, m->unread);
    m->unread = 0;
}

static void mux_read(Thread *t, Client *c)
{
    Mux *m = c->mux;
    Err err = mux_receive(t, m);
    log_unread(t, c);
    if (err == ERR_MEMORY) {
        counter_add(&t->faults[FAULT_MEMORY], 1);
        thread_wants_memory(t);
    } else if (err == ERR_CLOSED) {
        mux_half_closed(t, c);
    } else if (err != ERR_OK && err != ERR_AGAIN && err != ERR_SYNTAX) {
        client_close(t, c, false);
    } /* otherwise GOAWAY tells why; then it ends */
}

void client_mux_ready(Thread *t, Client *c)
{
    if (c->wire.broken) {
        client_close(t, c, false);
        return;
    }
    if (c->wire.out.len > 0 && c->wire.writable) {
        mux_flush_later(t, c->mux);
    }
    if (c->wire.readable && !c->mux->failed) {
        mux_read(t, c);
    }
}

void client_mux_begin(Thread *t, Client *c, Str bytes)
{
    const ServiceLimits *limits = &service_of(t, c)->limits;
    c->mux = mux_new(t, &c->wire, true, &limits->head, limits->streams_max);
    if (!c->mux) {
        counter_add(&t->faults[FAULT_MEMORY], 1);
        thread_wants_memory(t);
        client_close(t, c, true);
        return;
    }
    c->state = CLIENT_MUX; /* the first flush sets the deadline */
    if (c->leaving) {
        client_drain(t, c, c->patience_ms);
    }
    if (bytes.len > 0) {
        (void)!mux_feed(c->mux, bytes); /* its flush detects a failure */
        log_unread(t, c);
    }
    if (c->wire.readable) {
        thread_again_wire(t, &c->wire);
    }
}
