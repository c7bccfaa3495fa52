/* judge.c - what must hold: no thread turns without work, no readable socket is left unread while
 * its thread sleeps, and each ask is over in time. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "proxy/exchange.h"
#include "transport/link.h"
#include "judge_inside.h"
#include "standin_tls.h"
#include "trial.h"

#define BARREN_TURNS_MAX 40u   /* in a row, without time for anything to happen */
#define BARREN_SECOND_MAX 250u /* of a thread within a second ... */
#define BARREN_WAITER_MAX 80u  /* ... and for each request that waits for a connection */
#define ACCEPTS_SECOND_MAX 60u /* that fail, of a thread */
#define BARREN_SHARE 2u /* ... and this part of those that did something */
#define ROW_NS (5 * LAN_MS)
#define IDLE_SEEN_MAX 256u
#define SILENT_MS 5000u
#define LEAVE_NS (15 * LAN_S) /* after which who is idle on a listener that leaves has gone */

static struct {
    uint64_t row_ns;
    unsigned row;
    uint64_t second_ns;
    unsigned in_second;
    unsigned working; /* turns that did something, within that second */
    unsigned waiters; /* requests at once, within that second */
} barren[LAN_THREADS_MAX];

static struct {
    uint64_t second_ns;
    uint64_t before; /* that second */
} accepts;

/* --- turns ----------------------------------------------------------------------------------- */

/* Since when clients that should leave are idle. */
static struct {
    uint32_t generation;
    uint64_t since_ns;
} seen[LAN_THREADS_MAX][IDLE_SEEN_MAX];

void judge_begin(void)
{
    span_fill(span_of(seen, sizeof seen), 0);
    span_fill(span_of(barren, sizeof barren), 0);
    span_fill(span_of(&accepts, sizeof accepts), 0);
    judge_state_begin();
    judge_relief_begin();
    judge_waits_begin();
}

void judge_again(const Thread *t)
{
    for (uint32_t i = 0; i < t->again_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (memcmp(&t->again[i], &t->again[k], sizeof t->again[i]) == 0) {
                trial_fail("one is queued twice for another turn");
            }
        }
    }
}

/* Listeners rest where nothing can be accepted. */
static void judge_accepts(void)
{
    if (lan_now_ns() > accepts.second_ns + LAN_S) {
        accepts.second_ns = lan_now_ns();
        accepts.before = lan_accepts_failed();
    }
    uint64_t failed = lan_accepts_failed() - accepts.before;
    if (failed > (uint64_t)ACCEPTS_SECOND_MAX * trial->plan.threads) {
        trial_fail("%llu clients in a second could not be accepted", (unsigned long long)failed);
    }
}

void judge_turn(Thread *t, uint64_t work_before, bool mail)
{
    judge_accepts();
    judge_again(t);
    judge_relief_turn(t);
    sets_judge_turn(t);
    unsigned i = t->index;
    if (lan_now_ns() > barren[i].second_ns + LAN_S) {
        barren[i].second_ns = lan_now_ns();
        barren[i].in_second = 0;
        barren[i].working = 0;
        barren[i].waiters = 0;
    }
    if (mail || lan_work() != work_before) {
        barren[i].row = 0;
        barren[i].working++;
        return;
    }
    if (barren[i].row == 0 || lan_now_ns() > barren[i].row_ns + ROW_NS) {
        barren[i].row_ns = lan_now_ns();
        barren[i].row = 0;
    }
    barren[i].row++;
    barren[i].in_second++;
    uint32_t waiters = t->exchanges.used + t->fetches.used;
    if (waiters > barren[i].waiters) {
        barren[i].waiters = waiters;
    }
    unsigned most = BARREN_SECOND_MAX + barren[i].working / BARREN_SHARE +
                    BARREN_WAITER_MAX * barren[i].waiters;
    if (barren[i].row > BARREN_TURNS_MAX || barren[i].in_second > most) {
        trial_fail("thread %u turns without work: %u times in a row, %u in a second", i,
                   barren[i].row, barren[i].in_second);
    }
}

/* What River says of it: the reasons that it has counted. */
void judge_reasons(char *room, size_t bytes)
{
    size_t at = 0;
    for (unsigned f = 1; f < FAULT_COUNT && trial->worker; f++) {
        uint64_t count = 0;
        for (unsigned i = 0; i < trial->plan.threads; i++) {
            count += counter_read(&trial->worker->group.threads[i]->faults[f]);
        }
        Str code = fault_row((Fault)f)->code;
        if (count > 0 && at < bytes) {
            at += (size_t)snprintf(room + at, bytes - at, " %.*s=%llu", (int)code.len,
                                   (const char *)code.at, (unsigned long long)count);
        }
    }
}

/* --- sockets --------------------------------------------------------------------------------- */

/* Whether the wire has something that nobody has asked it for: bytes of its socket, or of its
 * session (whose first member is the engine), or an end of which it does not know. */
static bool holds(const Wire *w)
{
    Engine *const *engine = (Engine *const *)(const void *)w->tls;
    bool end = lan_has_end(w->stream.fd) && !w->ended && !w->broken;
    return lan_unread(w->stream.fd) > 0 || end || (engine && standin_waiting(*engine) > 0);
}

/* Whether the wire may have something. Who has asked in vain knows that there is nothing. */
static bool has_unread(const Wire *w, bool parked)
{
    return w->readable && (parked ? holds(w) : true);
}

static bool knows(const Wire *w)
{
    return w->readable || w->ended || w->broken;
}

/* The wire waits for its peer to take what it was given. */
static bool is_full(const Wire *w)
{
    return w->out.len > 0 && !w->writable;
}

/* Whether the exchange does not read from `from` because `to` takes nothing. */
static bool link_is_full(Link to)
{
    return to.wire ? is_full(to.wire) : to.stream && to.stream->out.len > 0;
}

static bool client_may_rest(Thread *t, const Client *c)
{
    const Exchange *x = exchange_get(t, c->exchange);
    switch ((ClientState)c->state) {
    case CLIENT_MUX:
        return is_full(&c->wire) || c->mux->failed;
    case CLIENT_BUSY:
        CHECK(x != NULL);
        if (x->tunnel.open) {
            Link to = link_upstream(t, x);
            return !link_is_open(to) || link_is_full(to) || c->wire.ended;
        }
        return x->phase < PHASE_AWAIT || x->try.request_sent || x->try.request_broken ||
               x->phase == PHASE_ANSWER || x->request.body.done ||
               link_is_full(link_upstream(t, x)) || !exchange_has_upstream(x);
    case CLIENT_FLUSH:
        return is_full(&c->wire);
    case CLIENT_PROXY:
    case CLIENT_HANDSHAKE:
    case CLIENT_IDLE:
    case CLIENT_HEAD:
    case CLIENT_LINGER:
        break;
    }
    return false;
}

static bool upstream_may_rest(Thread *t, const Upstream *u)
{
    const Exchange *x = exchange_of(t, lease_get(t, u->lease));
    if (u->state == UPSTREAM_MUX) {
        return is_full(&u->wire);
    }
    const Fetch *f = fetch_of(t, lease_get(t, u->lease));
    if (f && f->paused) {
        return true;
    }
    if (u->state != UPSTREAM_BUSY || !x) {
        return u->state == UPSTREAM_DIALING;
    }
    if (x->filters.paused_ms != 0 || (x->phase >= PHASE_REPLY && x->try.response_body.done)) {
        return true;
    }
    return link_is_full(link_client(t, x)) || (x->tunnel.open && u->wire.ended);
}

/* An HTTP/2 connection counts what its streams hold: that decides when its window opens, and how
 * much is read for them. */
static void judge_held(const Thread *t, const Mux *m, uint64_t due_ms)
{
    uint64_t held = 0;
    uint64_t queued = 0;
    Handle h = m->streams.first;
    for (const MuxStream *s = mux_stream_get(t, h); s; s = mux_stream_get(t, s->links.next)) {
        held += s->in.len;
        queued += s->out.len;
    }
    uint64_t most = MUX_QUEUED_MANY + THREAD_READ_BYTES_SLOW +
                    (uint64_t)m->count * THREAD_READ_BYTES_MIN;
    if (queued != m->queued || queued > most) {
        trial_fail("a connection's streams have %llu bytes queued, it counts %llu, and %llu may be",
                   (unsigned long long)queued, (unsigned long long)m->queued,
                   (unsigned long long)most);
    }
    if (held != m->held) {
        trial_fail("a connection counts %llu bytes that its streams hold, and they hold %llu",
                   (unsigned long long)m->held, (unsigned long long)held);
    }
    uint64_t owed = m->held - u64_min(m->held, m->held_max);
    uint64_t filled = m->held - u64_min(m->held, MUX_HELD_FILLED); /* when the budget is, or was */
    bool looks = due_ms <= t->now_ms + MUX_OWED_MS;
    if (m->owed != owed && (m->owed < owed || m->owed > filled || !looks)) {
        trial_fail("a connection's window stays closed by %lld bytes more than are held",
                   (long long)(m->owed - owed));
    }
}

/* Frames that are not sent, though the socket would take them. */
static bool has_unsaid(const Mux *m, const Wire *w)
{
    bool can = w->writable && w->out.len == 0 && !w->broken && !m->failed;
    return can && h2_has_output(m->h2);
}

/* A peer that does not answer a PING is given up soon. */
static void judge_silent(const Thread *t, const Mux *m)
{
    uint64_t due_ms = m->ping_ms + MUX_DEAD_MS + SILENT_MS;
    if (m->silent && m->pinged && m->ping_ms > 0 && lan_now_ns() > due_ms * LAN_MS) {
        trial_fail("thread %u keeps a connection that has not answered its PING", t->index);
    }
}

/* A request that was given a connection goes on at once, not when its next deadline comes. */
static void judge_served(Thread *t)
{
    for (uint32_t i = 0; i < t->exchanges.slots_touched; i++) {
        Handle h;
        const Exchange *x = (const Exchange *)pool_at(&t->exchanges, i, &h);
        if (x && x->phase == PHASE_CONNECT && exchange_has_upstream(x)) {
            trial_fail("a request has got a connection, and was not woken");
        }
    }
}

/* Whether a client that should leave has been idle for too long. */
static bool stays_idle(const Thread *t, const Client *c, bool leaves)
{
    if (c->self.slot >= IDLE_SEEN_MAX) {
        return false;
    }
    if (!leaves || seen[t->index][c->self.slot].generation != c->self.generation) {
        seen[t->index][c->self.slot].generation = leaves ? c->self.generation : 0;
        seen[t->index][c->self.slot].since_ns = lan_now_ns();
    }
    uint64_t since_ns = u64_max(seen[t->index][c->self.slot].since_ns, trial->leaving_ns);
    return leaves && trial->leaving_ns > 0 && lan_now_ns() > since_ns + LEAVE_NS;
}

static void judge_clients(Thread *t)
{
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Handle h;
        Client *c = (Client *)pool_at(&t->clients, i, &h);
        if (!c) {
            continue;
        }
        if (c->mux) {
            judge_held(t, c->mux, timer_due_ms(&t->wheel, c->timer));
        }
        bool idle = c->state == CLIENT_IDLE || (c->mux && c->mux->count == 0 && !c->mux->failed);
        bool leaves = idle && t->snapshot->listeners[c->listener]->leaving;
        if (stays_idle(t, c, leaves)) {
            trial_fail("an idle client of a listener that leaves is still there (state %u)",
                       c->state);
        } else if (lan_is_forgotten(c->wire.stream.fd, knows(&c->wire))) {
            trial_fail("a client's socket is readable, and its wire does not know it (state %u)",
                       c->state);
        } else if (c->mux && has_unsaid(c->mux, &c->wire)) {
            trial_fail("frames for a client wait, and are not sent");
        } else if (has_unread(&c->wire, false) && !client_may_rest(t, c)) {
            const Exchange *x = exchange_get(t, c->exchange);
            trial_fail("a client's socket is left unread (%zu bytes, state %u, phase %d)",
                       lan_unread(c->wire.stream.fd), c->state, x ? x->phase : -1);
        } else if (c->mux && c->mux->count == 0 && c->wire.ended && c->wire.out.len == 0) {
            trial_fail("a client of HTTP/2 has said its end, has all of its answers, and stays");
        } else if (c->wire.out.len > 0 && lan_writable(c->wire.stream.fd) && !c->wire.broken &&
                   c->state != CLIENT_LINGER) {
            trial_fail("bytes for a client wait, and its socket takes some (state %u)", c->state);
        }
    }
}

static void judge_upstreams(Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        Upstream *u = (Upstream *)pool_at(&t->upstreams, i, &h);
        if (!u || (u->state == UPSTREAM_PARKED && t->park_nodes[i].stolen)) {
            continue;
        }
        const Exchange *x = exchange_of(t, lease_get(t, u->lease));
        if (u->mux) {
            judge_held(t, u->mux, timer_due_ms(&t->wheel, u->timer));
            judge_silent(t, u->mux);
        }
        if (lan_is_forgotten(u->wire.stream.fd, knows(&u->wire))) {
            trial_fail("an origin's socket is readable, and its wire does not know it (state %u, "
                       "%zu bytes)", u->state, lan_unread(u->wire.stream.fd));
        } else if (u->mux && has_unsaid(u->mux, &u->wire)) {
            trial_fail("frames for an origin wait, and are not sent");
        } else if (has_unread(&u->wire, u->state == UPSTREAM_PARKED) && !upstream_may_rest(t, u)) {
            trial_fail("an origin's socket is left unread (%zu bytes, state %u, phase %d)",
                       lan_unread(u->wire.stream.fd), u->state, x ? x->phase : -1);
        } else if (u->wire.out.len > 0 && lan_writable(u->wire.stream.fd) && !u->wire.broken) {
            trial_fail("bytes for an origin wait, and its socket takes some (state %u)", u->state);
        }
    }
}

/* A queue of an origin holds only requests that wait. */
static void judge_waiters(void)
{
    const Worker *w = trial->worker;
    uint32_t waiting = 0;
    uint32_t queued = 0;
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        const Thread *t = w->group.threads[i];
        for (uint32_t k = 0; k < t->leases.slots_touched; k++) {
            Handle h;
            const Lease *l = (const Lease *)pool_at(&t->leases, k, &h);
            waiting += l && l->waits;
        }
    }
    for (unsigned i = 0; i < trial->plan.origin_count; i++) {
        queued += atomic_load(&w->group.origins[trial->site.endpoints[i].origin].waiting);
    }
    if (queued > waiting) {
        trial_fail("%u are in the queues of origins, and %u requests wait", queued, waiting);
    }
}

void judge_rest(void)
{
    judge_waiters();
    judge_waits();
    for (unsigned i = 0; i < trial->plan.threads && !trial_failed(); i++) {
        Thread *t = trial->worker->group.threads[i];
        judge_clients(t);
        judge_upstreams(t);
        judge_served(t);
        judge_state(t);
        judge_streams(t);
        judge_relief(t);
    }
}

/* --- asks ------------------------------------------------------------------------------------ */

#define CUT_NS (10 * LAN_S)   /* a request that is cut off is over within */
#define CALM_NS (300 * LAN_S) /* when all of the slow hurry, the links are full */
#define STILL_NS (100 * LAN_S) /* a slow answer moves at least once within */

#define MUTE_NS (60 * LAN_S)   /* who says nothing is closed within */
#define RAW_NS (135 * LAN_S)  /* so is who sends raw frames, and some limits more */
#define EVER_NS (400 * LAN_S)  /* whatever happens, an ask is over within, and some limits more */

/* Whether an origin has begun to answer: then either side may take its time for the rest. */
static bool is_answered(const Party *p)
{
    bool answered = false;
    for (unsigned i = 0; i < trial->ask_count && p->client; i++) {
        const Ask *a = &trial->asks[i];
        answered |= a->peer == p->self && a->client == p->number && a->touched;
    }
    return answered;
}

/* Clients that connect and say nothing, or take minutes for a head. */
static void judge_mute(void)
{
    uint64_t raw_ns = RAW_NS + 2 * trial->plan.scale_ms * LAN_MS;
    for (int i = 0; i < trial->peers_touched && !trial->calm; i++) {
        const Party *p = &trial->peers[i];
        bool raw = p->used && p->raw && !p->gone && !lan_is_left(p->end);
        if (raw && lan_now_ns() > p->raw_ns + raw_ns && !is_answered(p)) {
            trial_fail("a connection of %s %u with %s is never closed",
                       p->client ? "client" : "origin", p->number, frames_name(p));
        }
        bool planned = p->used && p->client && p->number < trial->plan.client_count;
        Conduct conduct = planned ? trial->plan.clients[p->number].conduct : CONDUCT_GOOD;
        bool mute = conduct == CONDUCT_MUTE || p->cut_short;
        bool drips = conduct == CONDUCT_DRIPS && !p->tls && p->drip_ns > 0 && p->out.len > 0;
        uint64_t since_ns = drips ? p->drip_ns : p->begun_ns;
        uint64_t most_ns = MUTE_NS + (p->raw_deaf ? trial->plan.scale_ms * LAN_MS : 0);
        bool closed = p->raw_deaf && lan_is_left(p->end); /* it has not heard of that */
        if ((mute || drips) && !closed && lan_now_ns() > since_ns + most_ns) {
            trial_fail("client %u says nothing, or next to nothing, and is not closed", p->number);
        }
    }
}

/* Whether an ask may go on for as long as it likes. */
static bool may_last(const Ask *a, Conduct conduct)
{
    bool moves = conduct == CONDUCT_SLOW || conduct == CONDUCT_STALLS || conduct == CONDUCT_DRIPS;
    const Party *p = &trial->peers[a->peer];
    bool deaf = conduct == CONDUCT_DEAF || p->raw_deaf;
    bool unheard = deaf && p->used && lan_is_left(p->end);
    return moves || unheard || a->quiet || a->tunnel || trial->calm;
}

void judge_asks(void)
{
    uint64_t now = lan_now_ns();
    judge_mute();
    for (unsigned i = trial->ask_count; i-- > 0 && !trial_failed() && !trial->drained;) {
        const Ask *a = &trial->asks[i];
        if (a->over || a->own) { /* fetches.c judges those */
            continue;
        }
        bool planned = a->client < trial->plan.client_count;
        Conduct conduct = planned ? trial->plan.clients[a->client].conduct : CONDUCT_GOOD;
        const char *late = NULL;
        if (!a->tainted && !a->slow && now > a->due_ns + (planned && trial->calm ? CALM_NS : 0)) {
            late = "is late";
        } else if (conduct == CONDUCT_CUTS && a->stream == 0 && a->status == 0 &&
                   (a->waiter == TOKEN_NONE || (a->woken && !a->fetches)) &&
                   now > a->begun_ns + CUT_NS &&
                   !trouble_is_felt(a->origin)) {
            late = "was cut off by its client, and is not over";
        } else if (!may_last(a, conduct) &&
                   now > a->begun_ns + EVER_NS + 8 * trial->plan.scale_ms * LAN_MS) {
            late = "was never given up";
        } else if (a->slow && !a->tainted && now > a->moved_ns + STILL_NS) {
            late = "does not move";
        }
        if (late) {
            trial_fail("ask %llu of client %u to origin %u %s: %llu of %llu bytes, %llu of %llu "
                       "sent, status %u, since %llu ms", (unsigned long long)a->id, a->client,
                       a->origin, late, (unsigned long long)a->got, (unsigned long long)a->size,
                       (unsigned long long)a->sent, (unsigned long long)a->sends, a->status,
                       (unsigned long long)((now - a->begun_ns) / LAN_MS));
        }
    }
}
