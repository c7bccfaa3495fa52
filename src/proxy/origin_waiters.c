/* origin_waiters.c - the queue of those who wait for a connection: a ring that grows with them. */
#include "proxy/origin_waiters.h"

/* Position `i` of the ring, from its head. */
static uint32_t waiter_at(const Origin *o, uint32_t i)
{
    return (o->waiters_head + i) & (o->waiters_room - 1);
}

/* Makes the ring twice as long. Most endpoints never have a waiter, and a queue that has once been
 * long asks for memory no more: nobody pays for it request by request. The lock is held. */
static Err waiters_grow(Origin *o, Budget *budget)
{
    uint32_t room = o->waiters_room ? 2 * o->waiters_room : ORIGIN_WAITERS_FIRST;
    if (room > ORIGIN_WAITERS_MAX) {
        return ERR_FULL;
    }
    Waiter *ring = (Waiter *)memory_new(budget, sizeof(Waiter) * room);
    if (!ring) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < o->waiters_room; i++) {
        ring[i] = o->waiters[waiter_at(o, i)];
    }
    memory_drop(o->waiters_budget, o->waiters, sizeof(Waiter) * o->waiters_room);
    o->waiters_room = room;
    o->waiters = ring;
    o->waiters_budget = budget;
    o->waiters_head = 0;
    return ERR_OK;
}

Err waiters_push(Origin *o, Budget *budget, Waiter w, bool front)
{
    Err err = ERR_OK;
    (void)pthread_mutex_lock(&o->lock);
    uint32_t waiting = atomic_load_explicit(&o->waiting, memory_order_relaxed);
    if (waiting == o->waiters_room) {
        err = waiters_grow(o, budget);
    }
    if (err == ERR_OK) {
        uint32_t at = waiter_at(o, front ? o->waiters_room - 1 : waiting);
        o->waiters_head = front ? at : o->waiters_head;
        o->waiters[at] = w;
        atomic_store_explicit(&o->waiting, waiting + 1, memory_order_seq_cst);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return err;
}

bool waiters_pop(Origin *o, Waiter *ret)
{
    (void)pthread_mutex_lock(&o->lock);
    uint32_t waiting = atomic_load_explicit(&o->waiting, memory_order_relaxed);
    if (waiting > 0) {
        *ret = o->waiters[o->waiters_head];
        o->waiters_head = waiter_at(o, 1);
        atomic_store_explicit(&o->waiting, waiting - 1, memory_order_seq_cst);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return waiting > 0;
}

void waiters_drop(Origin *o)
{
    memory_drop(o->waiters_budget, o->waiters, sizeof(Waiter) * o->waiters_room);
    o->waiters_room = 0;
    o->waiters = NULL;
}
