/* relief.c - when memory is short, ends the clients that hold most and take least. */
#include "proxy/relief.h"

#include "base/number.h"
#include "proxy/client_end.h"
#include "proxy/exchange.h"
#include "proxy/refusal.h"
#include "proxy/worker.h"

#define APART_MS THREAD_RELIEF_APART_MS /* between the starts of two searches */
#define AGAIN_MS 1100u       /* before clients seen are looked at again */
#define WANTED_MS 3000u      /* ... if memory was wanted within that time */
#define SEEN_LEAST_MS 1000u  /* a client is watched this long before it is judged ... */
#define SEEN_MOST_MS 10000u  /* ... and what it did longer ago is ignored */
#define PACE_MS 10000u       /* time in which a client should take what is queued for it */
#define HELD_LEAST (4u << 10) /* holding less is not worth ending a client */
#define SLOTS_MAX 4096u      /* client slots searched per look ... */
#define STEPS_MAX 4096u      /* ... streams visited ... */
#define HOLDERS_MAX 256u     /* ... and clients for which the system is asked */
#define ENDS_MAX 8u          /* per look */

/* A client that may be ended. */
typedef struct Holder {
    Handle client;
    bool idle;       /* took nothing */
    uint64_t excess; /* queued bytes beyond what it takes in PACE_MS */
} Holder;

/* Whether to watch or end clients: until no request is refused any more. */
static bool is_lacking(const Thread *t)
{
    return thread_is_scarce(t, thread_spare(t)) || (t->relief.starved && thread_is_filled(t));
}

/* Whether as much is free as a look aims for. Connections that starve get an eighth more than what
 * starves them, or the next answer would close their windows again. */
static bool is_relieved(const Thread *t)
{
    const Budget *b = &t->group->budget;
    size_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    bool fed = !t->relief.starved || used <= b->max_bytes - budget_room(b) / 8 * 5;
    return fed && !thread_is_scarce(t, thread_spare(t));
}

/* Whether that is urgent: requests are, or may soon be, refused, or wait. */
static bool is_urgent(const Thread *t)
{
    return thread_spare(t) < budget_room(&t->group->budget) / 8 || t->relief.starved;
}

void relief_receive(Thread *t, const Message *m)
{
    t->relief.hops = u64_max(t->relief.hops, m->words[0]) & UINT32_MAX;
    t->relief.starved = t->relief.starved || m->words[1] != 0;
}

void relief_on_timer(Thread *t)
{
    uint64_t wanted_ms = atomic_load_explicit(&t->group->relief_ms, memory_order_relaxed);
    bool wanted = t->relief.starved || t->now_ms < wanted_ms + WANTED_MS;
    if (wanted && t->relief.hops == 0) {
        t->relief.hops = 1;
    }
}

/* --- finding --------------------------------------------------------------------------------- */

/* Bytes received from an HTTP/2 origin for this exchange, waiting to be passed on. */
static uint64_t held_behind(const Thread *t, Handle exchange)
{
    const Exchange *x = exchange_get(t, exchange);
    const MuxStream *s = x && x->try.lease ? mux_stream_get(t, x->try.lease->stream) : NULL;
    return s ? s->in.len : 0;
}

static uint64_t held_by_streams(const Thread *t, const Mux *m, uint32_t *steps)
{
    uint64_t held = 0;
    const MuxStream *s = mux_stream_get(t, m->streams.first);
    for (; s && *steps < STEPS_MAX; s = mux_stream_get(t, s->links.next)) {
        held += s->out.len > 0 ? s->out.len + held_behind(t, token_handle(s->user)) : 0;
        (*steps)++;
    }
    return held;
}

/* Bytes queued for the client, or of an incomplete head. */
static uint64_t held_by(const Thread *t, const Client *c, uint32_t *steps)
{
    uint64_t waits = c->wire.out.len;
    switch ((ClientState)c->state) {
    case CLIENT_MUX:
        return waits + (c->mux->queued > 0 ? held_by_streams(t, c->mux, steps) : 0);
    case CLIENT_BUSY:
        return waits + (waits > 0 ? held_behind(t, c->exchange) : 0);
    case CLIENT_FLUSH:
        return waits;
    case CLIENT_HEAD:
        return c->in.len;
    case CLIENT_PROXY:
    case CLIENT_HANDSHAKE:
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        break;
    }
    return 0;
}

/* Measures what a client has taken since it was last judged; false: do not end it, or not yet. A
 * look that ends nobody leaves the measurement to the next one, which may. */
static bool judge_client(const Thread *t, Client *c, uint64_t held, bool urgent, Holder *ret)
{
    bool head = c->state == CLIENT_HEAD;
    uint64_t acked = head ? 0 : wire_acked(&c->wire);
    uint64_t since_ms = head ? c->head_us / 1000 : c->held_ms;
    uint64_t seen_ms = t->now_ms - u64_min(since_ms, t->now_ms);
    bool judged = since_ms > 0 && seen_ms >= SEEN_LEAST_MS && (head || seen_ms <= SEEN_MOST_MS);
    uint64_t taken = head ? 0 : acked - u64_min(c->held_acked, acked);
    if ((judged && urgent) || c->held_ms == 0 || seen_ms > SEEN_MOST_MS) {
        c->held_ms = t->now_ms;
        c->held_acked = acked;
    }
    if (!judged) {
        return false;
    }
    uint64_t pace = taken * PACE_MS / seen_ms;
    *ret = (Holder){.client = c->self, .idle = taken == 0, .excess = held - u64_min(held, pace)};
    return ret->excess > 0;
}

static bool comes_before(const Holder *a, const Holder *b)
{
    return a->idle != b->idle ? a->idle : a->excess > b->excess;
}

/* Inserts a holder into the sorted list of the worst ones. */
static size_t list_add(Holder *list, size_t count, Holder h)
{
    for (size_t i = 0; i < count; i++) {
        if (comes_before(&h, &list[i])) {
            Holder other = list[i];
            list[i] = h;
            h = other;
        }
    }
    if (count < ENDS_MAX) {
        list[count++] = h;
    }
    return count;
}

/* Starts where the last look ended; its cost is bounded. */
static size_t find_holders(Thread *t, bool urgent, Holder *list)
{
    uint32_t slots = t->clients.slots_touched;
    size_t count = 0;
    uint32_t asked = 0;
    uint32_t steps = 0;
    for (uint32_t i = 0; i < slots && i < SLOTS_MAX && asked < HOLDERS_MAX && steps < STEPS_MAX;
         i++) {
        Handle h;
        Holder found;
        t->relief.looked = (t->relief.looked + 1) % slots;
        Client *c = (Client *)pool_at(&t->clients, t->relief.looked, &h);
        uint64_t held = c ? held_by(t, c, &steps) : 0;
        if (held < HELD_LEAST) {
            if (c) {
                c->held_ms = 0;
            }
            continue;
        }
        asked++;
        if (judge_client(t, c, held, urgent, &found)) {
            count = list_add(list, count, found);
        }
    }
    return count;
}

/* --- ending ---------------------------------------------------------------------------------- */

/* Tells an HTTP/2 client why, if it reads. */
static void end_mux(Thread *t, Client *c)
{
    Handle h = c->self;
    client_cut_streams(t, c, FAULT_MEMORY_HELD, false);
    mux_end(t, c->mux, H2_ENHANCE_YOUR_CALM);
    client_mux_flush(t, h);
    c = client_get(t, h);
    if (c && c->mux) {
        client_close(t, c, true);
    }
}

static void end_holder(Thread *t, Client *c, uint64_t held)
{
    uint8_t room[64];
    Text why = text_in(span_of(room, sizeof room));
    Exchange *x = exchange_get(t, c->exchange);
    bool counted = c->mux ? c->mux->count > c->mux->left : x != NULL; /* counted by its requests */
    text_format(&why, "%llu bytes in %u streams", (unsigned long long)held,
                c->mux ? c->mux->count : 0);
    refusal_of_connection(t, c->peer, FAULT_MEMORY_HELD,
                          S("closed a connection that held memory others needed"), text_str(&why),
                          0);
    if (!counted) {
        counter_add(&t->faults[FAULT_MEMORY_HELD], 1);
    }
    if (c->mux) {
        end_mux(t, c);
    } else if (x) {
        client_cut(t, c->self, FAULT_MEMORY_HELD);
    } else {
        client_close(t, c, true);
    }
}

/* Checks each one again: ending one may end others with it, or reduce what they hold. */
static void end_holders(Thread *t)
{
    Holder list[ENDS_MAX];
    bool urgent = is_urgent(t);
    size_t count = find_holders(t, urgent, list);
    for (size_t i = 0; i < count && urgent && !is_relieved(t); i++) {
        uint32_t steps = 0;
        Client *c = client_get(t, list[i].client);
        uint64_t held = c ? held_by(t, c, &steps) : 0;
        if (held > 0) {
            end_holder(t, c, held);
        }
    }
}

/* --- looking --------------------------------------------------------------------------------- */

/* After a look that did not help enough: this thread will look again, and the next ones now. */
static void look_on(Thread *t, uint32_t hops)
{
    Worker *w = t->worker;
    if (!t->draining) {
        Token token = token_of(TOKEN_RELIEF, HANDLE_NONE);
        uint64_t due_ms = timer_due_ms(&t->wheel, t->relief.timer);
        due_ms = u64_min(due_ms, t->now_ms + AGAIN_MS);
        CHECK(timer_set(&t->wheel, &t->relief.timer, due_ms, token) == ERR_OK);
    }
    if (hops > 1) { /* if the message fails, that thread looks at its next request */
        Message m = {.kind = MESSAGE_RELIEF, .fd = -1, .words = {hops - 1, t->relief.starved}};
        (void)!mailbox_post(&w->group.threads[(t->index + 1) % w->group.thread_count]->mailbox, &m);
    }
}

void relief_look(Thread *t)
{
    uint32_t hops = t->relief.hops;
    t->relief.hops = 0;
    t->relief.look_ms = t->now_ms + APART_MS;
    if (is_lacking(t)) {
        end_holders(t);
    }
    if (is_lacking(t)) {
        look_on(t, hops);
    }
    t->relief.starved = false; /* to be set again by connections that still starve */
}
