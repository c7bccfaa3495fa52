/* judge_streams.c - what streams of HTTP/2 hold while their thread sleeps: nothing that has come
 * waits for a request which could go on, and nobody goes on over a stream that has ended. */
#include "base/number.h"
#include "proxy/exchange.h"
#include "transport/link.h"
#include "trial.h"

/* What has come over a stream to the origin, by the phase. */
static bool answer_waits(const Exchange *x, Link client, const MuxStream *s)
{
    bool ended = s->in_ended || s->closed;
    if (x->phase == PHASE_AWAIT) {
        return s->heads || ended || s->fault != HTTP_FAULT_NONE;
    }
    bool takes = x->phase == PHASE_RELAY && !x->tunnel.open && !x->try.response_body.done;
    return takes && !link_blocked(client) && (s->in.len > 0 || ended);
}

/* What has come over a stream of the client behind its head. */
static bool request_waits(const Exchange *x, Link origin, const MuxStream *s)
{
    bool takes = x->phase >= PHASE_AWAIT && x->phase <= PHASE_RELAY && link_is_open(origin) &&
                 !x->tunnel.open && !x->try.request_sent && !x->try.request_broken;
    return takes && !link_blocked(origin) && (s->in.len > 0 || s->in_ended);
}

static void judge_exchange(Thread *t, const Exchange *x)
{
    Link client = link_client(t, x);
    Link origin = link_upstream(t, x);
    if (client.stream && link_broken(client)) {
        trial_fail("a request goes on whose stream is over (phase %u)", x->phase);
    } else if (origin.stream && answer_waits(x, client, origin.stream)) {
        trial_fail("an answer has come over a stream, and waits (phase %u, %zu bytes, ended %d, "
                   "closed %d)", x->phase, origin.stream->in.len, origin.stream->in_ended,
                   origin.stream->closed);
    } else if (client.stream && request_waits(x, origin, client.stream)) {
        trial_fail("a request's body has come over a stream, and waits (phase %u, %zu bytes, ended "
                   "%d)", x->phase, client.stream->in.len, client.stream->in_ended);
    } else if (x->tunnel.open && link_is_open(origin) &&
               ((client.stream && client.stream->in.len > 0 && !link_blocked(origin)) ||
                (origin.stream && origin.stream->in.len > 0 && !link_blocked(client)))) {
        trial_fail("bytes of a tunnel have come over a stream, and wait");
    }
}

/* Who is given more than the socket takes is watched. */
static void judge_watched(const Mux *m, const Wire *w, uint64_t due_ms)
{
    uint64_t most_ms = m->progress_ms + trial->plan.scale_ms;
    if (w->out.len > 0 && !m->failed && due_ms > most_ms) {
        trial_fail("a peer of HTTP/2 that takes nothing is cut %llu ms too late",
                   (unsigned long long)(due_ms - most_ms));
    }
}

void judge_streams(Thread *t)
{
    Handle h;
    for (uint32_t i = 0; i < t->exchanges.slots_touched; i++) {
        const Exchange *x = (const Exchange *)pool_at(&t->exchanges, i, &h);
        if (x) {
            judge_exchange(t, x);
        }
    }
    for (uint32_t i = 0; i < t->streams.slots_touched; i++) {
        const MuxStream *s = (const MuxStream *)pool_at(&t->streams, i, &h);
        if (s && !s->started && s->heads) {
            trial_fail("a request has come over a stream, and is not begun");
        }
    }
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        const Client *c = (const Client *)pool_at(&t->clients, i, &h);
        if (c && c->mux) {
            judge_watched(c->mux, &c->wire, timer_due_ms(&t->wheel, c->timer));
        }
    }
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && u->mux) {
            judge_watched(u->mux, &u->wire, timer_due_ms(&t->wheel, u->timer));
        }
    }
}
