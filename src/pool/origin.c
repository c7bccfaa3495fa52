/* origin.c - the shared pool of one endpoint's connections (see origin.h for its guarantee). */
#include "pool/origin.h"

#include "base/number.h"
#include "pool/fetch.h"
#include "pool/lease.h"
#include "pool/origin_dial.h"
#include "pool/origin_place.h"
#include "pool/origin_waiters.h"

Err origin_init(Origin *o, const Endpoint *endpoint, uint32_t index, unsigned threads)
{
    *o = (Origin){.own = *endpoint, .index = index, .thread_count = threads};
    o->endpoint = &o->own;
    if (o->own.tls) {
        o->own.tls = tls_client_ref(o->own.tls);
    }
    atomic_store(&o->speaks, endpoint->protocol == ENDPOINT_H1   ? ORIGIN_H1
                             : endpoint->protocol == ENDPOINT_H2 ? ORIGIN_H2
                                                                 : ORIGIN_UNKNOWN);
    o->lists = (ParkList *)memory_lines_new(NULL, sizeof(ParkList) * threads);
    if (!o->lists) {
        return ERR_MEMORY;
    }
    (void)pthread_mutex_init(&o->lock, NULL);
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_mutex_init(&o->lists[i].lock, NULL);
    }
    return ERR_OK;
}

Err origins_open(Thread *t, const ThreadPlan *plan)
{
    TRY(pool_init(&t->leases, sizeof(Lease), plan->leases));
    TRY(pool_init(&t->fetches, sizeof(Fetch), plan->fetches));
    TRY(pool_init(&t->upstreams, sizeof(Upstream), THREAD_UPSTREAMS_MAX));
    t->park_nodes = (ParkNode *)memory_reserve(sizeof(ParkNode) * THREAD_UPSTREAMS_MAX);
    t->origins = (OriginCounters *)memory_reserve(sizeof(OriginCounters) * POOL_ORIGINS_MAX);
    t->places = (MuxPlace *)memory_reserve(sizeof(MuxPlace) * POOL_ORIGINS_MAX);
    return t->park_nodes && t->origins && t->places ? ERR_OK : ERR_MEMORY;
}

void origins_close(Thread *t)
{
    memory_release(t->park_nodes, sizeof(ParkNode) * THREAD_UPSTREAMS_MAX);
    memory_release(t->origins, sizeof(OriginCounters) * POOL_ORIGINS_MAX);
    memory_release(t->places, sizeof(MuxPlace) * POOL_ORIGINS_MAX);
    pool_drop(&t->upstreams);
    pool_drop(&t->leases);
    pool_drop(&t->fetches);
}

void origin_drop(Origin *o)
{
    memory_drop(NULL, o->lists, sizeof(ParkList) * o->thread_count);
    waiters_drop(o);
    tls_client_unref(o->own.tls);
    *o = (Origin){0};
}

/* --- lists of parked connections ------------------------------------------------------------- */

static void list_unlink(ParkNode *nodes, ParkList *l, uint32_t slot)
{
    ParkNode *n = &nodes[slot];
    if (n->newer) {
        nodes[n->newer - 1].older = n->older;
    } else {
        l->newest = n->older;
    }
    if (n->older) {
        nodes[n->older - 1].newer = n->newer;
    } else {
        l->oldest = n->newer;
    }
    n->older = 0;
    n->newer = 0;
    atomic_fetch_sub_explicit(&l->count, 1, memory_order_relaxed);
}

/* Frees the slots of connections that siblings took; `chain` was detached under the lock. */
static void slots_give_back(Thread *t, uint32_t chain)
{
    while (chain) {
        uint32_t slot = chain - 1;
        chain = t->park_nodes[slot].older;
        t->park_nodes[slot] = (ParkNode){0};
        Handle h;
        Upstream *u = (Upstream *)pool_at(&t->upstreams, slot, &h);
        CHECK(u != NULL);
        t->parked--;
        upstream_forget(t, u);
    }
}

static uint32_t chain_take(ParkList *l)
{
    uint32_t chain = l->stolen;
    l->stolen = 0;
    return chain;
}

/* The newest connection of this thread's own list, or NULL. */
static Upstream *park_pop(Thread *t, Origin *o)
{
    ParkList *l = &o->lists[t->index];
    if (atomic_load_explicit(&l->count, memory_order_seq_cst) == 0) {
        return NULL;
    }
    Upstream *u = NULL;
    (void)pthread_mutex_lock(&l->lock);
    uint32_t slot = l->newest;
    if (slot) {
        list_unlink(t->park_nodes, l, slot - 1);
    }
    uint32_t chain = chain_take(l);
    (void)pthread_mutex_unlock(&l->lock);
    if (slot) {
        Handle h;
        u = (Upstream *)pool_at(&t->upstreams, slot - 1, &h);
        CHECK(u != NULL && u->state == UPSTREAM_PARKED);
        u->state = UPSTREAM_BUSY;
        u->was_parked = u->was_parked || u->parked_ns != t->now_ns;
        t->parked--;
    }
    slots_give_back(t, chain);
    return u;
}

static void park_push(Thread *t, Origin *o, Upstream *u)
{
    ParkList *l = &o->lists[t->index];
    uint32_t slot = u->self.slot;
    u->state = UPSTREAM_PARKED;
    u->parked_ns = t->now_ns;
    u->lease = HANDLE_NONE;
    t->parked++;
    (void)pthread_mutex_lock(&l->lock);
    t->park_nodes[slot] = (ParkNode){.fd = u->wire.stream.fd,
                                     .tls = u->wire.tls,
                                     .served = u->served,
                                     .retire_ms = u->retire_ms,
                                     .older = l->newest};
    if (l->newest) {
        t->park_nodes[l->newest - 1].newer = slot + 1;
    } else {
        l->oldest = slot + 1;
    }
    l->newest = slot + 1;
    atomic_fetch_add_explicit(&l->count, 1, memory_order_seq_cst);
    uint32_t chain = chain_take(l);
    (void)pthread_mutex_unlock(&l->lock);
    slots_give_back(t, chain);
}

bool origin_unpark(Thread *t, Upstream *u)
{
    ParkList *l = &origin_at(t, u->origin)->lists[t->index];
    uint32_t slot = u->self.slot;
    (void)pthread_mutex_lock(&l->lock);
    bool ours = !t->park_nodes[slot].stolen;
    if (ours) {
        list_unlink(t->park_nodes, l, slot);
    }
    uint32_t chain = chain_take(l);
    (void)pthread_mutex_unlock(&l->lock);
    if (ours) {
        u->state = UPSTREAM_BUSY;
        t->parked--;
    }
    slots_give_back(t, chain);
    return ours;
}

/* Moves a connection from a sibling's list to this thread. */
static Upstream *park_steal(Thread *t, Origin *o, Thread *victim)
{
    ParkList *l = &o->lists[victim->index];
    if (atomic_load_explicit(&l->count, memory_order_seq_cst) == 0) {
        return NULL;
    }
    ParkNode got = {.fd = -1};
    (void)pthread_mutex_lock(&l->lock);
    uint32_t slot = l->newest;
    if (slot) {
        list_unlink(victim->park_nodes, l, slot - 1);
        ParkNode *n = &victim->park_nodes[slot - 1];
        got = *n;
        n->stolen = true;
        n->older = l->stolen;
        l->stolen = slot;
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (!slot) {
        return NULL;
    }
    poller_remove(&victim->poller, got.fd);
    return upstream_adopt(t, o, &got);
}

/* A usable idle connection from any thread, or NULL. */
static Upstream *park_find(Thread *t, Origin *o)
{
    for (unsigned i = 0; i < o->thread_count; i++) {
        unsigned from = (t->index + i) % o->thread_count;
        Upstream *u;
        while ((u = from == t->index ? park_pop(t, o)
                                     : park_steal(t, o, t->group->threads[from])) != NULL) {
            if (u->retire_ms > t->now_ms) {
                return u;
            }
            upstream_close(t, u, false);
        }
    }
    return NULL;
}

/* --- waiters --------------------------------------------------------------------------------- */

/* The lease, if it still waits for this origin. */
static Lease *waiting_lease(Thread *t, const Origin *o, Handle h)
{
    Lease *l = lease_get(t, h);
    return l && l->waits && l->origin == o->index ? l : NULL;
}

/* Gives `u` (BUSY, of this thread) to the waiter; false if the waiter is gone. */
static bool waiter_serve(Thread *t, Origin *o, Waiter w, Upstream *u)
{
    if (w.thread == t->index) {
        Lease *l = waiting_lease(t, o, w.lease);
        if (!l) {
            return false;
        }
        lease_connected(t, l, u);
        return true;
    }
    Message m = {.kind = MESSAGE_UPSTREAM,
                 .fd = u->wire.stream.fd,
                 .handle = w.lease,
                 .words = {o->index, u->served, u->retire_ms, (uintptr_t)u->wire.tls}};
    poller_remove(&t->poller, u->wire.stream.fd);
    if (mailbox_post(&t->group->threads[w.thread]->mailbox, &m) != ERR_OK) {
        upstream_close(t, u, false); /* its thread does not keep up; the waiter will ask again */
        return true;
    }
    upstream_forget(t, u);
    return true;
}

/* --- taking and returning -------------------------------------------------------------------- */

static Err dial_for_lease(Thread *t, Origin *o, Lease *l, bool exclusive)
{
    atomic_fetch_add(&o->open, 1);
    Handle u;
    Err err = upstream_dial(t, o, l->self, exclusive, &u);
    if (err != ERR_OK) {
        atomic_fetch_sub(&o->open, 1);
        atomic_fetch_sub(&o->dialing, 1);
    }
    l->dialing += err == ERR_OK;
    return err;
}

/* Dials a connection for the lease alone. */
static Err dial_own(Thread *t, Origin *o, Lease *l)
{
    atomic_fetch_add(&o->dialing, 1);
    TRY(dial_for_lease(t, o, l, true));
    l->waits = true;
    l->dials = true;
    return ERR_AGAIN;
}

static Err wait_in_queue(Thread *t, Origin *o, Lease *l)
{
    Waiter w = {.thread = t->index, .lease = l->self};
    TRY(waiters_enter(o, &t->group->budget, w, &l->place));
    l->waits = true;
    return ERR_OK;
}

Err origin_take(Thread *t, Origin *o, Lease *l)
{
    if (atomic_load_explicit(&o->speaks, memory_order_relaxed) != ORIGIN_H1) {
        return mux_place_take(t, o, l);
    }
    if (l->fresh && dial_has_room(o)) {
        return dial_own(t, o, l);
    }
    Upstream *u = park_find(t, o);
    dial_note_miss(t, o, u == NULL);
    if (!u) {
        Err err = wait_in_queue(t, o, l);
        if (err != ERR_OK) { /* a full queue is no reason not to dial */
            return dial_has_room(o) ? dial_own(t, o, l) : err;
        }
        u = park_find(t, o); /* one may have come back before we registered */
    }
    if (u) {
        lease_attach(t, l, u);
        return ERR_OK;
    }
    if (dial_now(t, o)) {
        TRY(dial_for_lease(t, o, l, false));
    }
    return ERR_AGAIN;
}

Err origin_wait_more(Thread *t, Origin *o, Lease *l)
{
    if (atomic_load_explicit(&o->speaks, memory_order_relaxed) != ORIGIN_H1) {
        if (l->place) { /* asked for HTTP/1, but the origin speaks HTTP/2 */
            origin_unwait(t, l);
        }
        return mux_place_take(t, o, l);
    }
    if (l->queued) { /* asked for HTTP/2, but the origin speaks HTTP/1 */
        origin_unwait(t, l);
        return origin_take(t, o, l);
    }
    TRY(wait_in_queue(t, o, l)); /* it was popped and could not be served */
    Upstream *u = park_find(t, o);
    if (u) {
        lease_attach(t, l, u);
        return ERR_OK;
    }
    if (dial_after_wait(t, o, l->wait_ms)) {
        TRY(dial_for_lease(t, o, l, false));
    }
    return ERR_AGAIN;
}

/* Serves one waiter from this thread's list; false if there is no connection or no waiter. */
static bool serve_one(Thread *t, Origin *o)
{
    Upstream *u = park_pop(t, o);
    if (!u) {
        return false;
    }
    Waiter w;
    if (!waiters_pop(o, &w) || !waiter_serve(t, o, w, u)) {
        park_push(t, o, u);
    }
    return true;
}

/* Gives a connection that cannot be parked to the oldest waiter; false if there is none. */
static bool serve_any(Thread *t, Origin *o, Upstream *u)
{
    Waiter w;
    while (waiters_pop(o, &w)) {
        if (waiter_serve(t, o, w, u)) {
            return true;
        }
    }
    return false;
}

void origin_return(Thread *t, Upstream *u)
{
    Origin *o = origin_at(t, u->origin);
    dial_note_hold(t, o, u);
    uint64_t idle_ms = o->endpoint->idle_timeout_ms;
    uint64_t parked_max = t->group->idle_upstreams_max / o->thread_count;
    uint64_t due_ms = u64_min(t->now_ms + idle_ms, u->retire_ms);
    bool usable = !u->wire.ended && !u->wire.broken && u->wire.out.len == 0 &&
                  u->wire.held.len == 0 && u->in.len == 0;
    bool parks = usable && !atomic_load(&o->ends) && due_ms > t->now_ms &&
                 t->parked < parked_max &&
                 timer_set(&t->wheel, &u->timer, due_ms,
                           token_of(TOKEN_UPSTREAM, u->self)) == ERR_OK;
    if (!parks) {
        if (!usable || !serve_any(t, o, u)) {
            upstream_close(t, u, false);
        }
        return;
    }
    park_push(t, o, u);
    while (atomic_load_explicit(&o->waiting, memory_order_seq_cst) > 0 && serve_one(t, o)) {
    }
}

void origin_receive(Thread *t, const Message *m)
{
    Origin *o = origin_at(t, (uint32_t)m->words[0]);
    ParkNode node = {.fd = m->fd,
                     .served = (uint32_t)m->words[1],
                     .retire_ms = m->words[2],
                     .tls = (Tls *)(uintptr_t)m->words[3]};
    Upstream *u = upstream_adopt(t, o, &node);
    if (!u) {
        return;
    }
    Lease *l = waiting_lease(t, o, m->handle);
    if (!l) {
        origin_return(t, u);
        return;
    }
    lease_connected(t, l, u);
}

/* Frees the slots of connections that siblings took: they name an origin that may soon go. */
static void park_clear_stolen(Thread *t, Origin *o)
{
    ParkList *l = &o->lists[t->index];
    (void)pthread_mutex_lock(&l->lock);
    uint32_t chain = chain_take(l);
    (void)pthread_mutex_unlock(&l->lock);
    slots_give_back(t, chain);
}

void origin_end(Thread *t, const Message *m)
{
    Origin *o = origin_at(t, (uint32_t)m->words[0]);
    Upstream *u;
    while (atomic_load(&o->ends) && (u = park_pop(t, o)) != NULL) {
        upstream_close(t, u, false);
    }
    park_clear_stolen(t, o);
    for (uint32_t i = 0; atomic_load(&o->ends) && i < t->upstreams.slots_touched; i++) {
        Handle h;
        u = (Upstream *)pool_at(&t->upstreams, i, &h);
        if (u && u->mux && u->origin == o->index) {
            mux_leave(t, u->mux);
        }
    }
    mux_place_of(t, o->index)->missed = 0;
    atomic_fetch_add(&o->ends_done, 1);
}
