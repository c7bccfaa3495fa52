/* listening.c - accepts and places clients, pauses when full, and switches snapshots. */
#include "proxy/listening.h"

#include "base/number.h"
#include "loop/log.h"
#include "loop/system.h"
#include "proxy/client_end.h"
#include "proxy/exchange.h"
#include "transport/mux.h"
#include "proxy/refusal.h"
#include "proxy/source.h"
#include "proxy/worker.h"

#define ACCEPT_BATCH 8u
#define PAUSE_MS 100u /* pause of listeners when no more can be accepted */
#define FULL_PATIENCE_MS 3000u /* how long newcomers wait for room before they are refused */
#define IDLE_LEAST_MS 1000u    /* one used more recently is not closed to make room */
#define TAKE_MS 4000u          /* extra time to take the rest of an answer, after its request */
#define LOOK_AT_MAX 256u       /* clients searched for one that has been idle for long */
#define TELL_MS 10000u         /* between two log lines about it */

/* The listener at a place of a snapshot if it takes clients, or NULL. */
static const Listener *open_at(const Snapshot *s, size_t place)
{
    const Listener *l = s && place < s->listener_count ? s->listeners[place] : NULL;
    return l && !l->leaving ? l : NULL;
}

static Err watch_listener(Thread *t, const Listener *l, size_t place)
{
    Handle h = {.slot = (uint32_t)place, .generation = 1};
    return poller_add_listener(&t->poller, l->fd, token_of(TOKEN_LISTENER, h));
}

static void unwatch_all(Thread *t)
{
    const Snapshot *s = t->snapshot;
    for (size_t i = 0; s && i < s->listener_count; i++) {
        const Listener *l = open_at(s, i);
        if (l) {
            poller_remove(&t->poller, l->fd);
        }
    }
    t->listening = false;
}

Err listening_set(Thread *t, bool on)
{
    const Snapshot *s = t->snapshot;
    if (!on && t->listening) {
        unwatch_all(t);
    }
    for (size_t i = 0; s && on && !t->listening && i < s->listener_count; i++) {
        const Listener *l = open_at(s, i);
        Err err = l ? watch_listener(t, l, i) : ERR_OK;
        if (err != ERR_OK) {
            unwatch_all(t); /* all or none */
            return err;
        }
    }
    t->listening = on;
    return ERR_OK;
}

/* The thread with the fewest clients; prefers this one unless another has clearly fewer, because
 * moving a connection costs two system calls. */
static Thread *thread_least_loaded(Thread *t)
{
    Thread *best = t;
    uint32_t fewest = atomic_load_explicit(&t->client_count, memory_order_relaxed);
    uint32_t slack = 1 + fewest / 16;
    uint32_t bound = fewest > slack ? fewest - slack : 0;
    for (unsigned i = 0; i < t->group->thread_count; i++) {
        Thread *other = t->group->threads[i];
        uint32_t count = atomic_load_explicit(&other->client_count, memory_order_relaxed);
        if (count < bound) {
            best = other;
            bound = count;
        }
    }
    return best;
}

static void client_place(Thread *t, Stream stream, uint32_t listener, Peer peer)
{
    Thread *to = thread_least_loaded(t);
    atomic_fetch_add(&to->client_count, 1);
    if (to != t) {
        uint64_t ip[2];
        span_copy(span_of(ip, sizeof ip), str_of(peer.ip.bytes, sizeof ip));
        Message m = {.kind = MESSAGE_CLIENT,
                     .fd = stream.fd,
                     .words = {listener, ip[0], ip[1], peer.ip.family, peer.port}};
        if (mailbox_post(&to->mailbox, &m) == ERR_OK) {
            return;
        }
        atomic_fetch_sub(&to->client_count, 1);
        atomic_fetch_add(&t->client_count, 1);
    }
    client_adopt(t, stream, (uint16_t)listener, peer);
}

void listening_receive(Thread *t, const Message *m)
{
    Peer peer = {.ip = {.family = (uint8_t)m->words[3]}, .port = (uint16_t)m->words[4]};
    span_copy(span_of(peer.ip.bytes, 16), str_of(&m->words[1], 16));
    listening_adopt(t); /* the sender may know a listener that this thread does not know yet */
    client_adopt(t, stream_plain(m->fd), (uint16_t)m->words[0], peer);
}

/* No more can be accepted for now: newcomers wait in the kernel's queue. */
static void pause_accepting(Thread *t)
{
    (void)!listening_set(t, false);
    Token token = token_of(TOKEN_ACCEPT_AGAIN, HANDLE_NONE);
    CHECK(timer_set(&t->wheel, &t->accept_again, t->now_ms + PAUSE_MS, token) == ERR_OK);
}

/* Closes a connection without reading from it, by a reset: the kernel keeps no state of it, and one
 * packet tells the peer. */
static void client_turn_away(Thread *t, Stream *stream, Peer peer, Fault fault)
{
    counter_add(&t->faults[fault], 1);
    refusal_of_connection(t, peer, fault, S("a connection was refused"), STR_NONE, 0);
    stream_close(stream, true);
    atomic_fetch_sub(&t->worker->client_count, 1);
}

/* --- when it is full ------------------------------------------------------------------------- */

/* Whether all its requests are over, but it has not taken all answers yet. */
static bool only_takes(const Client *c)
{
    return c->state == CLIENT_FLUSH ||
           (c->state == CLIENT_MUX && c->mux->count > 0 && c->mux->count == c->mux->left);
}

/* Since when a client has nothing under way; UINT64_MAX: it has. A client that still takes an
 * answer gets extra time. */
static uint64_t idle_since_ms(const Client *c)
{
    if (only_takes(c)) {
        return TAKE_MS + (c->mux ? c->mux->idle_ms : c->idle_ms);
    }
    if (c->state == CLIENT_LINGER) {
        return c->idle_ms; /* it has received everything */
    }
    if (c->leaving) {
        return UINT64_MAX;
    }
    if (c->state == CLIENT_MUX) {
        return c->mux->count == 0 ? c->mux->idle_ms : UINT64_MAX;
    }
    bool idle = c->state == CLIENT_IDLE || c->state == CLIENT_HEAD ||
                c->state == CLIENT_HANDSHAKE || c->state == CLIENT_PROXY;
    return idle ? c->idle_ms : UINT64_MAX;
}

/* Of a limited number of clients, the one idle for longest; NULL: none is idle for long enough. The
 * next search starts where this one ends. */
static Client *find_idlest(Thread *t)
{
    uint32_t slots = t->clients.slots_touched;
    Client *idlest = NULL;
    for (uint32_t i = 0; i < slots && i < LOOK_AT_MAX; i++) {
        Handle h;
        t->accepting.looked = (t->accepting.looked + 1) % slots;
        Client *c = (Client *)pool_at(&t->clients, t->accepting.looked, &h);
        uint64_t since_ms = c ? idle_since_ms(c) : UINT64_MAX;
        if (since_ms < UINT64_MAX && since_ms + IDLE_LEAST_MS <= t->now_ms &&
            (!idlest || since_ms < idle_since_ms(idlest))) {
            idlest = c;
        }
    }
    return idlest;
}

bool listening_make_room(Thread *t)
{
    uint32_t before = atomic_load(&t->client_count);
    Client *idlest = find_idlest(t);
    if (idlest && (idlest->state == CLIENT_LINGER || only_takes(idlest))) {
        client_close(t, idlest, only_takes(idlest));
    } else if (idlest) {
        client_drain(t, idlest, 0); /* HTTP/2 sends GOAWAY first, and ends a little later */
    }
    return atomic_load(&t->client_count) < before;
}

/* Whether newcomers have waited long enough. */
static bool refuses_newcomers(const Thread *t)
{
    uint64_t since_ms = atomic_load_explicit(&t->worker->full_since_ms, memory_order_relaxed);
    return since_ms != 0 && t->now_ms >= since_ms + FULL_PATIENCE_MS;
}

/* Logs the reason, rate-limited. */
static void tell_full(Thread *t, Err why)
{
    Accepting *a = &t->accepting;
    uint64_t room = 0;
    (void)atomic_compare_exchange_strong(&t->worker->full_since_ms, &room, t->now_ms);
    if (t->now_ms >= a->told_at_ms) {
        a->told_at_ms = t->now_ms + TELL_MS;
        LOG(WARN, "accepting pauses",
            LOG_STR("why", why == ERR_OK ? S("there are as many clients as may be")
                                         : str_from_c(err_sentence(why))),
            LOG_U64("clients", atomic_load(&t->worker->client_count)),
            LOG_U64("clients_max", t->worker->plan.connections_max),
            LOG_U64("refused", counter_read(&t->refused)));
    }
}

void listening_keep_spare(Thread *t)
{
    int fd = stream_is_open(&t->accepting.spare) ? -1 : system_calls->socket(AF_INET);
    if (fd >= 0) {
        t->accepting.spare = stream_plain(fd);
    }
}

/* Refuses one newcomer, closing the spare descriptor if no other is left. False: none waits, or it
 * is not possible. */
static bool refuse_one(Thread *t, const Listener *l)
{
    Stream stream = {0};
    Peer peer = {0};
    Err err = stream_accept(l->fd, &stream, &peer);
    if (err == ERR_DESCRIPTORS && stream_is_open(&t->accepting.spare)) {
        stream_close(&t->accepting.spare, false);
        err = stream_accept(l->fd, &stream, &peer);
    }
    if (err == ERR_OK) {
        counter_add(&t->refused, 1);
        stream_close(&stream, true);
    }
    listening_keep_spare(t);
    return err == ERR_OK;
}

/* No room, or no descriptor: closes the client idle for longest. Newcomers wait in the kernel's
 * queue meanwhile; after a while they are refused. */
static void on_full(Thread *t, const Listener *l, Err why)
{
    tell_full(t, why);
    (void)listening_make_room(t);
    if (!refuses_newcomers(t)) {
        pause_accepting(t);
        return;
    }
    unsigned refused = 0;
    while (refused < ACCEPT_BATCH && refuse_one(t, l)) {
        refused++;
    }
    if (refused == 0) {
        pause_accepting(t); /* no descriptor even for that */
    }
}

/* Reserves room for a client by counting it. */
static bool take_place(Thread *t)
{
    if (atomic_fetch_add(&t->worker->client_count, 1) < t->worker->plan.connections_max) {
        return true;
    }
    atomic_fetch_sub(&t->worker->client_count, 1);
    return false;
}

static Err accept_one(Thread *t, const Listener *l, bool first, Stream *ret, Peer *ret_peer)
{
    Err err = stream_accept(l->fd, ret, ret_peer);
    if (err == ERR_DESCRIPTORS && first && listening_make_room(t)) {
        err = stream_accept(l->fd, ret, ret_peer);
    }
    if (err == ERR_OK) {
        if (atomic_load_explicit(&t->worker->full_since_ms, memory_order_relaxed) != 0) {
            atomic_store(&t->worker->full_since_ms, 0);
        }
    }
    return err;
}

static void accept_failed(Thread *t, const Listener *l, bool first, Err err)
{
    if (err == ERR_DESCRIPTORS || err == ERR_MEMORY) {
        if (first) {
            counter_add(&t->refused, 1);
            on_full(t, l, err);
        }
    } else if (err != ERR_AGAIN && err != ERR_RESET) {
        pause_accepting(t); /* it was shut down: the supervisor reopens it */
    }
}

void listening_on_ready(Thread *t, uint32_t listener)
{
    const Listener *l = open_at(t->snapshot, listener);
    for (unsigned i = 0; l && i < ACCEPT_BATCH && t->listening; i++) {
        /* Only the first is known to be waiting: the next turn makes room for others. */
        bool first = i == 0;
        bool room = take_place(t) || (first && listening_make_room(t) && take_place(t));
        if (!room && first) {
            on_full(t, l, ERR_OK);
        }
        if (!room) {
            return;
        }
        Stream stream = {0};
        Peer peer = {0};
        Err err = accept_one(t, l, first, &stream, &peer);
        if (err != ERR_OK) {
            atomic_fetch_sub(&t->worker->client_count, 1);
            accept_failed(t, l, first, err);
            return;
        }
        Fault fault = source_screen_peer(l, &peer);
        if (fault != FAULT_NONE) {
            client_turn_away(t, &stream, peer, fault);
        } else {
            counter_add(&t->listener_clients[listener], 1);
            client_place(t, stream, listener, peer);
        }
    }
}

/* The pause is over: watches the listeners again, if there is room. */
void listening_again(Thread *t)
{
    if (t->draining) {
        return;
    }
    uint32_t clients = atomic_load(&t->worker->client_count);
    bool room = clients < t->worker->plan.connections_max || listening_make_room(t);
    if ((!room && !refuses_newcomers(t)) || listening_set(t, true) != ERR_OK) {
        pause_accepting(t);
    }
}

/* --- another snapshot ------------------------------------------------------------------------ */

/* Drains the clients of listeners that leave. */
static void drain_clients(Thread *t)
{
    for (uint32_t i = 0; i < t->clients.slots_touched; i++) {
        Handle h;
        Client *c = (Client *)pool_at(&t->clients, i, &h);
        if (c && !c->leaving && t->snapshot->listeners[c->listener]->leaving) {
            client_drain(t, c, CLIENT_PATIENCE_MS);
        }
    }
}

void listening_adopt(Thread *t)
{
    const Snapshot *old = t->snapshot;
    const Snapshot *fresh = atomic_load_explicit(&t->worker->snapshot, memory_order_acquire);
    if (old == fresh) {
        return;
    }
    size_t places = size_max(old ? old->listener_count : 0, fresh->listener_count);
    bool some_leave = false;
    bool failed = false;
    for (size_t i = 0; i < places; i++) {
        const Listener *was = open_at(old, i);
        const Listener *is = open_at(fresh, i);
        some_leave = some_leave || (was && !is);
        if (was && !is && t->listening) {
            poller_remove(&t->poller, was->fd);
        } else if (is && !was && t->listening && watch_listener(t, is, i) != ERR_OK) {
            failed = true;
        }
    }
    t->snapshot = fresh;
    if (failed) { /* other threads may or may not have it */
        counter_add(&t->refused, 1);
        pause_accepting(t);
    }
    if (some_leave) {
        drain_clients(t);
    }
    atomic_store_explicit(&t->adopted, fresh->number, memory_order_release);
}
