/* listening.c - where clients arrive: accepting, placing, resting when there is no room; and the
 * change to another snapshot. */
#include "proxy/listening.h"

#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/source.h"
#include "proxy/worker.h"

#define ACCEPT_BATCH 8u
#define REST_MS 100u /* how long listeners rest when nothing more can be taken */

/* The listener at a place of a snapshot that takes clients, or NULL. */
static const Listener *open_at(const Snapshot *s, size_t place)
{
    const Listener *l = s && place < s->listener_count ? s->listeners[place] : NULL;
    return l && !l->leaving ? l : NULL;
}

static Err watch(Thread *t, const Listener *l, size_t place)
{
    Handle h = {.slot = (uint32_t)place, .generation = 1};
    return poller_add_listener(&t->poller, l->fd, token_of(TOKEN_LISTENER, h));
}

Err listening_set(Thread *t, bool on)
{
    const Snapshot *s = t->snapshot;
    Err err = ERR_OK;
    size_t count = s && on != t->listening ? s->listener_count : 0;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        const Listener *l = open_at(s, i);
        if (l && on) {
            err = watch(t, l, i);
        } else if (l) {
            poller_remove(&t->poller, l->fd);
        }
    }
    for (size_t i = 0; i < count && err != ERR_OK; i++) { /* all of them or none */
        const Listener *l = open_at(s, i);
        if (l) {
            poller_remove(&t->poller, l->fd);
        }
    }
    t->listening = on && err == ERR_OK;
    return err;
}

/* The thread with the fewest clients; this one unless another has clearly fewer, because a
 * connection that moves costs two system calls. */
static Thread *thread_least_loaded(Thread *t)
{
    Thread *best = t;
    uint32_t fewest = atomic_load_explicit(&t->client_count, memory_order_relaxed);
    uint32_t slack = 1 + fewest / 16;
    uint32_t bound = fewest > slack ? fewest - slack : 0;
    for (unsigned i = 0; i < t->worker->thread_count; i++) {
        Thread *other = t->worker->threads[i];
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
    listening_adopt(t); /* who sends it may know a listener that this thread has not heard of */
    client_adopt(t, stream_plain(m->fd), (uint16_t)m->words[0], peer);
}

/* Nothing more can be accepted for now: the kernel keeps who comes in its queue. */
static void rest(Thread *t)
{
    (void)!listening_set(t, false);
    Token token = token_of(TOKEN_LISTENERS_REST, HANDLE_NONE);
    CHECK(timer_set(&t->wheel, &t->rest, t->now_ms + REST_MS, token) == ERR_OK);
}

/* Closes a connection of which nothing is read: by a reset, so that the kernel keeps nothing of it
 * either, and tells the peer in one packet. */
static void client_turn_away(Thread *t, Stream *stream, Fault fault)
{
    counter_add(&t->faults[fault], 1);
    stream_close(stream, true);
    atomic_fetch_sub(&t->worker->client_count, 1);
}

void listening_on_ready(Thread *t, uint32_t listener)
{
    const Listener *l = open_at(t->snapshot, listener);
    for (unsigned i = 0; l && i < ACCEPT_BATCH && t->listening; i++) {
        if (atomic_fetch_add(&t->worker->client_count, 1) >= t->worker->plan.connections_max) {
            atomic_fetch_sub(&t->worker->client_count, 1);
            rest(t);
            return;
        }
        Stream stream = {0};
        Peer peer = {0};
        Err err = stream_accept(l->fd, &stream, &peer);
        if (err != ERR_OK) {
            atomic_fetch_sub(&t->worker->client_count, 1);
            if (err == ERR_DESCRIPTORS || err == ERR_MEMORY) {
                counter_add(&t->refused, 1);
                rest(t);
            }
            return;
        }
        Fault fault = source_screen_peer(l, &peer);
        if (fault != FAULT_NONE) {
            client_turn_away(t, &stream, fault);
        } else {
            counter_add(&t->listener_clients[listener], 1);
            client_place(t, stream, listener, peer);
        }
    }
}

/* The listeners have rested: on with them, if there is room. */
void listening_again(Thread *t)
{
    uint32_t clients = atomic_load(&t->worker->client_count);
    bool room = clients < t->worker->plan.connections_max;
    if (!t->draining && (!room || listening_set(t, true) != ERR_OK)) {
        rest(t);
    }
}

/* --- another snapshot ------------------------------------------------------------------------ */

/* Who came to a listener that leaves finishes what is under way, and no more. */
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
        } else if (is && !was && t->listening && watch(t, is, i) != ERR_OK) {
            failed = true;
        }
    }
    t->snapshot = fresh;
    if (failed) { /* the other threads may have it, or not */
        counter_add(&t->refused, 1);
        rest(t);
    }
    if (some_leave) {
        drain_clients(t);
    }
    atomic_store_explicit(&t->adopted, fresh->number, memory_order_release);
}
