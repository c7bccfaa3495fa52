/* lan.c - connections between ends, and what happens when. */
#include "lan_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "loop/system.h"

#define EVENTS_MAX 262144u
#define RTO_NS (924 * LAN_S)  /* until TCP gives up on bytes that are not acknowledged */
#define KEEP_ALIVE_NS ((KEEP_ALIVE_QUIET_S + KEEP_ALIVE_APART_S * KEEP_ALIVE_PROBES) * LAN_S)
#define UPDATE_BYTES 2920u /* a window that opens by less is not told */
#define SYN_NS (127 * LAN_S)  /* until it gives up on a dial */

Lan *lan;
static Lan the_lan;

enum { EV_ARRIVE, EV_ACK, EV_FIN, EV_RESET, EV_SYN, EV_CONNECTED, EV_REFUSED, EV_PENDING, EV_RTO,
       EV_READY, EV_TIMER };

typedef struct Event {
    uint64_t at_ns;
    uint64_t order;
    uint32_t kind;
    uint32_t generation;
    int end;
    uint64_t a;
    uint64_t b;
} Event;

static Event heap[EVENTS_MAX];
static size_t heap_count;
static uint64_t heap_order;

/* --- the heap of events ---------------------------------------------------------------------- */

static bool before(const Event *a, const Event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_push(Event e)
{
    CHECK(heap_count < EVENTS_MAX);
    e.order = heap_order++;
    size_t at = heap_count++;
    while (at > 0 && before(&e, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = e;
}

static Event heap_pop(void)
{
    Event first = heap[0];
    Event last = heap[--heap_count];
    size_t at = 0;
    while (2 * at + 1 < heap_count) {
        size_t child = 2 * at + 1;
        child += child + 1 < heap_count && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

static void later(uint64_t at_ns, uint32_t kind, int end, uint64_t a, uint64_t b)
{
    heap_push((Event){.at_ns = at_ns,
                      .kind = kind,
                      .generation = end >= 0 ? conn_of(end)->generation : 0,
                      .end = end,
                      .a = a,
                      .b = b});
}

/* --- connections ----------------------------------------------------------------------------- */

#define RINGS_MAX LAN_ENDS_MAX
static uint8_t *rings_free[RINGS_MAX];
static size_t rings_free_count;

static uint8_t *ring_take(void)
{
    if (rings_free_count > 0) {
        return rings_free[--rings_free_count];
    }
    uint8_t *ring = (uint8_t *)memory_reserve(LAN_RING_BYTES);
    CHECK(ring != NULL);
    return ring;
}

int conn_new(const LanLink *link)
{
    int i = lan->first_free;
    while (i < LAN_ENDS_MAX / 2 && lan->conns[i].used) {
        i++;
    }
    CHECK(i < LAN_ENDS_MAX / 2);
    lan->first_free = i + 1;
    lan->conns_touched = i + 1 > lan->conns_touched ? i + 1 : lan->conns_touched;
    uint32_t generation = lan->conns[i].generation + 1;
    lan->conns[i] = (Conn){.used = true, .generation = generation, .link = *link};
    for (int k = 0; k < 2; k++) {
        End *e = &lan->ends[2 * i + k];
        *e = (End){.peer = -1};
        e->out.ring = ring_take();
        e->out.window = link->receive_bytes;
        e->out.offered = link->receive_bytes;
    }
    return 2 * i;
}

static void conn_free(int end)
{
    int i = end / 2;
    for (int k = 0; k < 2; k++) {
        rings_free[rings_free_count++] = lan->ends[2 * i + k].out.ring;
        lan->ends[2 * i + k] = (End){.peer = -1};
    }
    lan->conns[i].used = false;
    lan->conns[i].generation++;
    lan->first_free = i < lan->first_free ? i : lan->first_free;
}

size_t end_space(int end)
{
    const Pipe *p = &lan->ends[end].out;
    size_t used = p->written - p->acked;
    size_t room = conn_of(end)->link.send_bytes;
    return used < room ? room - used : 0;
}

/* As Linux says it: a third of the buffer is free. */
bool end_is_writable(int end)
{
    const Pipe *p = &lan->ends[end].out;
    return end_space(end) > 0 && end_space(end) >= (p->written - p->acked) / 2;
}

/* Something has changed for the end's owner. */
void end_wake(int end)
{
    End *e = &lan->ends[end];
    if (!e->open) {
        return;
    }
    if (!e->river) {
        if (!e->told && e->peer >= 0) {
            e->told = true;
            later(lan->now_ns, EV_READY, end, 0, 0);
        }
        return;
    }
    if (e->watched && !e->queued) {
        PollerOf *p = &lan->pollers[e->poller];
        e->queued = true;
        CHECK(p->count < sizeof p->ready / sizeof p->ready[0]);
        p->ready[p->count++] = end;
    }
}

/* Sends what the window allows. */
static void pump(int end)
{
    Conn *c = conn_of(end);
    Pipe *p = &lan->ends[end].out;
    uint64_t most = p->window < p->written ? p->window : p->written;
    while (p->sent < most) {
        uint64_t n = u64_min(most - p->sent, c->link.segment);
        uint64_t from = u64_max(lan->now_ns, p->busy_ns);
        p->busy_ns = c->link.rate ? from + n * LAN_S / c->link.rate : from;
        p->last_ns = u64_max(p->last_ns, p->busy_ns + c->link.latency_ns);
        p->sent += n;
        later(p->last_ns, EV_ARRIVE, end, p->sent, 0);
    }
    if (p->fin && !p->fin_sent && p->sent == p->written) {
        p->fin_sent = true;
        p->last_ns = u64_max(p->last_ns, u64_max(lan->now_ns, p->busy_ns) + c->link.latency_ns);
        later(p->last_ns, EV_FIN, end, 0, 0);
    }
}

/* What of its rings a connection uses: as little as its buffers need, since untouched memory costs
 * nothing. */
static size_t ring_bytes(int end)
{
    const LanLink *l = &conn_of(end)->link;
    bool small = l->send_bytes + l->receive_bytes <= LAN_RING_BYTES / 4;
    return small ? LAN_RING_BYTES / 4 : LAN_RING_BYTES;
}

size_t end_put(int end, const void *bytes, size_t len)
{
    Pipe *p = &lan->ends[end].out;
    size_t n = size_min(len, end_space(end));
    size_t ring = ring_bytes(end);
    for (size_t done = 0; done < n;) {
        size_t at = (p->written + done) % ring;
        size_t part = size_min(n - done, ring - at);
        memcpy(p->ring + at, (const uint8_t *)bytes + done, part);
        done += part;
    }
    p->written += n;
    pump(end);
    return n;
}

size_t end_get(int end, void *room, size_t len)
{
    Pipe *p = pipe_in(end);
    const LanLink *link = &conn_of(end)->link;
    size_t n = size_min(len, (size_t)(p->arrived - p->read));
    size_t ring = ring_bytes(end);
    for (size_t done = 0; done < n;) {
        size_t at = (p->read + done) % ring;
        size_t part = size_min(n - done, ring - at);
        memcpy((uint8_t *)room + done, p->ring + at, part);
        done += part;
    }
    p->read += n;
    uint64_t window = p->read + link->receive_bytes;
    uint64_t step = u64_min(link->receive_bytes / 4, UPDATE_BYTES);
    if (n > 0 && window - p->offered >= step) { /* an update of the window */
        p->offered = window;
        later(lan->now_ns + link->latency_ns, EV_ACK, end ^ 1, p->arrived, window);
    }
    return n;
}

void end_finish(int end)
{
    lan->ends[end].out.fin = true;
    pump(end);
}

void end_break(int end, int error)
{
    End *e = &lan->ends[end];
    e->reset = true;
    e->error = error;
    e->out.sent = e->out.written;
    e->out.fin_sent = true;
    end_wake(end);
}

void end_close(int end, bool reset)
{
    End *e = &lan->ends[end];
    const Pipe *in = pipe_in(end);
    bool unread = in->arrived > in->read;
    e->open = false;
    e->watched = false;
    e->queued = false;
    if (!lan->ends[end ^ 1].open) {
        if (e->connected || lan->ends[end ^ 1].connected || e->error) {
            conn_free(end);
        }
        return; /* else the dial is still on its way */
    }
    if (e->reset) {
        return;
    }
    if (reset || unread) {
        uint64_t at = u64_max(e->out.last_ns, lan->now_ns + conn_of(end)->link.latency_ns);
        e->out.written = e->out.sent;
        e->out.fin_sent = true;
        later(at, EV_RESET, end ^ 1, ECONNRESET, 0);
    } else {
        end_finish(end);
    }
}

/* --- dials ----------------------------------------------------------------------------------- */

void dial_begin(int end, int host)
{
    later(lan->now_ns + conn_of(end)->link.latency_ns, EV_SYN, end, (uint64_t)host, 0);
}

/* A dial has reached its host. */
static void on_syn(int end, int host)
{
    const LanHost *h = &lan->hosts[host];
    uint64_t back_ns = conn_of(end)->link.latency_ns;
    End *there = &lan->ends[end ^ 1];
    if (!lan->ends[end].open) {
        conn_free(end);
        return;
    }
    if (h->dial == LAN_ACCEPTS) {
        there->open = true;
        there->connected = true;
        later(lan->now_ns + back_ns + h->dial_ns, EV_CONNECTED, end, 0, 0);
        there->out.last_ns = lan->now_ns + back_ns + h->dial_ns; /* nothing overtakes that */
        lan->hooks->arrived(host, end ^ 1);
    } else {
        bool refused = h->dial == LAN_REFUSES;
        later(lan->now_ns + (refused ? back_ns : SYN_NS), EV_REFUSED, end,
              refused ? ECONNREFUSED : ETIMEDOUT, 0);
    }
}

static void on_refused(int end, int error)
{
    lan->ends[end].connected = true;
    if (lan->ends[end].open) {
        end_break(end, error);
    } else {
        conn_free(end);
    }
}

static void on_pending(int end, int listener)
{
    Listening *l = &lan->listeners[listener];
    if (!l->on || l->count == LAN_BACKLOG_MAX) {
        lan->ends[end].connected = true;
        later(lan->now_ns + conn_of(end)->link.latency_ns, EV_RESET, end ^ 1, ECONNREFUSED, 0);
        return;
    }
    lan->ends[end].open = true;
    lan->ends[end].connected = true;
    l->backlog[l->count++] = end;
}

/* --- what is due ----------------------------------------------------------------------------- */

static void on_arrive(int end, uint64_t upto)
{
    Pipe *p = &lan->ends[end].out;
    uint64_t latency_ns = conn_of(end)->link.latency_ns;
    if (!lan->ends[end ^ 1].open && lan->ends[end ^ 1].connected) {
        later(lan->now_ns + latency_ns, EV_RESET, end, ECONNRESET, 0);
        return;
    }
    p->arrived = upto;
    later(lan->now_ns + latency_ns, EV_ACK, end, upto, p->offered);
    end_wake(end ^ 1);
}

static void on_ack(int end, uint64_t acked, uint64_t window)
{
    End *e = &lan->ends[end];
    e->out.acked = u64_max(e->out.acked, acked);
    e->out.window = u64_max(e->out.window, window);
    if (!e->reset) {
        pump(end);
    }
    if (e->river ? e->nospace && end_is_writable(end) : end_space(end) > 0) {
        e->nospace = false;
        end_wake(end);
    }
}

static void event_happens(const Event *v)
{
    int end = v->end;
    bool gone = conn_of(end)->generation != v->generation || !conn_of(end)->used;
    bool lost = conn_of(end)->vanished && v->kind != EV_READY && v->kind != EV_RTO;
    End *e = &lan->ends[end];
    if (gone || lost) {
        return;
    }
    switch (v->kind) {
    case EV_ARRIVE: on_arrive(end, v->a); break;
    case EV_ACK: on_ack(end, v->a, v->b); break;
    case EV_FIN:
        e->out.fin_arrived = true;
        end_wake(end ^ 1);
        break;
    case EV_RESET:
        if (e->open && !e->reset) {
            end_break(end, (int)v->a);
        }
        break;
    case EV_SYN: on_syn(end, (int)v->a); break;
    case EV_CONNECTED:
        e->connected = true;
        end_wake(end);
        break;
    case EV_REFUSED: on_refused(end, (int)v->a); break;
    case EV_PENDING: on_pending(end, (int)v->a); break;
    case EV_RTO: /* b: whether nothing was on its way, and keepalive asks */
        if (e->open && !e->reset && (e->out.acked < e->out.written) == (v->b == 0)) {
            end_break(end, ETIMEDOUT);
        }
        break;
    case EV_READY:
        e->told = false;
        if (e->open && e->peer >= 0) {
            lan->hooks->ready(end, e->peer);
        }
        break;
    default: CHECK(false);
    }
}

bool lan_deliver(void)
{
    bool any = false;
    while (heap_count > 0 && heap[0].at_ns <= lan->now_ns) {
        Event v = heap_pop();
        any = true;
        if (v.kind == EV_TIMER) {
            lan->hooks->timer((uint32_t)v.a, v.b);
        } else {
            event_happens(&v);
        }
    }
    return any;
}

uint64_t lan_next_ns(void)
{
    return heap_count > 0 ? heap[0].at_ns : UINT64_MAX;
}

void lan_timer(uint64_t at_ns, uint32_t kind, uint64_t what)
{
    later(u64_max(at_ns, lan->now_ns), EV_TIMER, -1, kind, what);
}

uint64_t lan_now_ns(void)
{
    return lan->now_ns;
}

void lan_advance(uint64_t to_ns)
{
    CHECK(to_ns >= lan->now_ns);
    lan->now_ns = to_ns;
}

/* --- life ------------------------------------------------------------------------------------ */

void lan_open(uint64_t seed, const LanHooks *hooks)
{
    lan = &the_lan;
    memset(lan, 0, sizeof *lan);
    lan->now_ns = 10 * LAN_S;
    lan->wall_s = 1700000000;
    lan->hooks = hooks;
    random_seed_from(&lan->random, seed ^ 0x6c616e);
    heap_count = 0;
    heap_order = 0;
    for (int i = 0; i < LAN_LISTENERS_MAX; i++) {
        lan->listeners[i].on = true;
    }
    calls_replace(true);
}

void lan_close(void)
{
    for (int i = 0; i < lan->conns_touched; i++) {
        if (lan->conns[i].used) {
            conn_free(2 * i);
        }
    }
    calls_replace(false);
}

bool lan_one_in(unsigned n)
{
    return n > 0 && random_next(&lan->random) % n == 0;
}

/* --- the test's side ------------------------------------------------------------------------- */

void lan_host(int host, const LanHost *is)
{
    lan->hosts[host] = *is;
}

LanHost *lan_host_of(int host)
{
    return &lan->hosts[host];
}

int lan_connect(int listener, const LanLink *link)
{
    int end = conn_new(link);
    lan->ends[end].open = true;
    lan->ends[end].connected = true;
    later(lan->now_ns + link->latency_ns, EV_PENDING, end ^ 1, (uint64_t)listener, 0);
    return end;
}

void lan_name(int end, int peer)
{
    lan->ends[end].peer = peer;
    end_wake(end);
}

size_t lan_write(int end, Str bytes)
{
    return lan->ends[end].reset ? 0 : end_put(end, bytes.at, bytes.len);
}

size_t lan_room(int end)
{
    return lan->ends[end].reset ? 0 : end_space(end);
}

size_t lan_read(int end, Span room)
{
    return end_get(end, room.at, room.len);
}

size_t lan_readable(int end)
{
    return pipe_in(end)->arrived - pipe_in(end)->read;
}

bool lan_ended(int end)
{
    return lan_readable(end) == 0 && (pipe_in(end)->fin_arrived || lan->ends[end].reset);
}

bool lan_is_left(int end)
{
    return lan->ends[end ^ 1].connected && !lan->ends[end ^ 1].open;
}

bool lan_broken(int end)
{
    return lan->ends[end].reset;
}

bool lan_connected(int end)
{
    return lan->ends[end].connected;
}

void lan_finish(int end)
{
    end_finish(end);
}

void lan_drop(int end, bool reset)
{
    end_close(end, reset);
}

void lan_vanish(int end)
{
    conn_of(end)->vanished = true;
    later(lan->now_ns + RTO_NS, EV_RTO, end, 0, 0);
    later(lan->now_ns + KEEP_ALIVE_NS, EV_RTO, end ^ 1, 0, 1);
    later(lan->now_ns + RTO_NS, EV_RTO, end ^ 1, 0, 0);
}

LanLink *lan_link(int end)
{
    return &conn_of(end)->link;
}

void lan_faults(const LanFaults *f)
{
    lan->faults = *f;
}

LanFaults *lan_faults_now(void)
{
    return &lan->faults;
}

void lan_listen(int listener, bool on)
{
    lan->listeners[listener].on = on;
}
