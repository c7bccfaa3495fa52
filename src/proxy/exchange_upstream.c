/* exchange_upstream.c - an exchange's connection or stream to an origin: how it comes, and goes. */
#include "proxy/exchange.h"

void exchange_attach(Thread *t, Exchange *x, Upstream *u)
{
    origin_unwait(t, x);
    x->upstream = u->self;
    x->upstream_reused = u->served > 0 || u->rested;
    u->served++;
    u->taken_ns = t->now_ns;
    u->exchange = x->self;
    u->state = UPSTREAM_BUSY;
    timer_stop(&t->wheel, u->timer);
}

void exchange_attach_stream(Thread *t, Exchange *x, MuxStream *s, bool reused)
{
    soft_check(!exchange_has_upstream(x));
    origin_unwait(t, x);
    x->upstream_stream = s->self;
    x->upstream_reused = reused;
}

void exchange_again(Thread *t, Exchange *x)
{
    MuxStream *s = mux_stream_get(t, x->client_stream);
    if (s) {
        mux_stream_again(t, s);
    } else {
        thread_again(t, x->client);
    }
}

void exchange_connected(Thread *t, Exchange *x, Upstream *u)
{
    exchange_attach(t, x, u);
    exchange_again(t, x);
}

void exchange_dial_failed(Thread *t, Exchange *x, Fault fault)
{
    origin_unwait(t, x);
    x->dial_fault = fault;
    exchange_again(t, x);
}

void exchange_doubt_upstream(Thread *t, const Exchange *x)
{
    const MuxStream *s = mux_stream_get(t, x->upstream_stream);
    if (s) {
        upstream_doubt(t, s, x->progress_up_ms);
    }
}

void exchange_end_upstream(Thread *t, Exchange *x, bool abort)
{
    Upstream *u = upstream_get(t, x->upstream);
    MuxStream *s = mux_stream_get(t, x->upstream_stream);
    x->upstream = HANDLE_NONE;
    x->upstream_stream = HANDLE_NONE;
    origin_unwait(t, x);
    if (s) {
        upstream_leave_stream(t, s, false);
    }
    if (u) {
        upstream_close(t, u, abort);
    }
}

void exchange_release_upstream(Thread *t, Exchange *x)
{
    MuxStream *s = mux_stream_get(t, x->upstream_stream);
    if (s) {
        x->upstream_stream = HANDLE_NONE;
        upstream_leave_stream(t, s, x->response_body.done && x->request_sent);
        return;
    }
    Upstream *u = upstream_get(t, x->upstream);
    bool reusable = u && x->response_body.done && x->request_sent && !x->tunnel &&
                    x->response.framing.keep_alive && u->in.len == 0 && !u->wire.readable &&
                    x->response_body.kind != BODY_UNTIL_CLOSE;
    if (!reusable) {
        bool whole = u && x->response_body.done && x->request_sent && u->wire.out.len == 0;
        exchange_end_upstream(t, x, !whole);
        return;
    }
    x->upstream = HANDLE_NONE;
    upstream_announced(t, u, x->response.keep_alive_ms);
    origin_return(t, u);
}
