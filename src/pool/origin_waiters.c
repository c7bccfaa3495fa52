/* origin_waiters.c - the queue of waiters for a connection: a linked list in a growing array. */
#include "pool/origin_waiters.h"

static WaiterNode *node_at(const Origin *o, uint32_t place)
{
    CHECK(place > 0 && place <= o->waiters_room);
    return &o->waiters[place - 1];
}

/* Doubles the array. Most endpoints never have a waiter, and a queue that was once long needs no
 * more memory, so no request pays for this each time. The lock is held. */
static Err waiters_grow(Origin *o, Budget *budget)
{
    uint32_t old = o->waiters_room;
    uint32_t room = old ? 2 * old : ORIGIN_WAITERS_FIRST;
    if (room > ORIGIN_WAITERS_MAX) {
        return ERR_FULL;
    }
    WaiterNode *nodes = (WaiterNode *)memory_new(budget, sizeof(WaiterNode) * room);
    if (!nodes) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < room; i++) {
        nodes[i] = i < old ? o->waiters[i] : (WaiterNode){.next = i + 1 < room ? i + 2 : 0};
    }
    memory_drop(o->waiters_budget, o->waiters, sizeof(WaiterNode) * old);
    o->waiters_room = room;
    o->waiters = nodes;
    o->waiters_budget = budget;
    o->waiters_free = old + 1;
    return ERR_OK;
}

static bool is_at(const Origin *o, Waiter w, uint32_t place)
{
    if (place == 0) {
        return false;
    }
    const WaiterNode *n = node_at(o, place);
    return n->used && n->who.thread == w.thread && handle_equal(n->who.lease, w.lease);
}

static void count_set(Origin *o, uint32_t by)
{
    uint32_t waiting = atomic_load_explicit(&o->waiting, memory_order_relaxed);
    atomic_store_explicit(&o->waiting, waiting + by, memory_order_seq_cst);
}

/* Removes the node at `place` from the queue. The lock is held. */
static void node_drop(Origin *o, uint32_t place)
{
    WaiterNode *n = node_at(o, place);
    if (n->previous) {
        node_at(o, n->previous)->next = n->next;
    } else {
        o->waiters_first = n->next;
    }
    if (n->next) {
        node_at(o, n->next)->previous = n->previous;
    } else {
        o->waiters_last = n->previous;
    }
    *n = (WaiterNode){.next = o->waiters_free};
    o->waiters_free = place;
    count_set(o, UINT32_MAX);
}

/* The lock is held. */
static Err node_add(Origin *o, Budget *budget, Waiter w, uint32_t *ret_place)
{
    if (o->waiters_free == 0) {
        TRY(waiters_grow(o, budget));
    }
    uint32_t place = o->waiters_free;
    WaiterNode *n = node_at(o, place);
    o->waiters_free = n->next;
    *n = (WaiterNode){.who = w, .previous = o->waiters_last, .used = true};
    if (n->previous) {
        node_at(o, n->previous)->next = place;
    } else {
        o->waiters_first = place;
    }
    o->waiters_last = place;
    *ret_place = place;
    count_set(o, 1);
    return ERR_OK;
}

Err waiters_enter(Origin *o, Budget *budget, Waiter w, uint32_t *place)
{
    (void)pthread_mutex_lock(&o->lock);
    Err err = is_at(o, w, *place) ? ERR_OK : node_add(o, budget, w, place);
    (void)pthread_mutex_unlock(&o->lock);
    return err;
}

void waiters_leave(Origin *o, Waiter w, uint32_t *place)
{
    (void)pthread_mutex_lock(&o->lock);
    if (is_at(o, w, *place)) {
        node_drop(o, *place);
    }
    (void)pthread_mutex_unlock(&o->lock);
    *place = 0;
}

bool waiters_pop(Origin *o, Waiter *ret)
{
    (void)pthread_mutex_lock(&o->lock);
    uint32_t first = o->waiters_first;
    if (first) {
        *ret = node_at(o, first)->who;
        node_drop(o, first);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return first != 0;
}

void waiters_drop(Origin *o)
{
    memory_drop(o->waiters_budget, o->waiters, sizeof(WaiterNode) * o->waiters_room);
    o->waiters_room = 0;
    o->waiters = NULL;
}
