/* origin_waiters.h - the queue of leases that wait for a connection to an origin, oldest first (see
 * origin.h). A waiter that gives up leaves, so the queue holds only waiting requests. Each call is
 * one step under the origin's lock. */
#ifndef POOL_ORIGIN_WAITERS_H
#define POOL_ORIGIN_WAITERS_H

#include "pool/origin.h"

/* Appends `w`, unless it is already queued; *place (initially 0) is its position, which the waiter
 * keeps. The queue's memory is charged to `budget`, the same one each time, and never shrinks.
 * ERR_FULL: ORIGIN_WAITERS_MAX is reached; ERR_MEMORY. */
MUST_USE Err waiters_enter(Origin *o, Budget *budget, Waiter w, uint32_t *place);
/* Removes `w`, if it has not been popped; *place becomes 0. */
void waiters_leave(Origin *o, Waiter w, uint32_t *place);
/* Pops the oldest; false: the queue is empty. */
bool waiters_pop(Origin *o, Waiter *ret);
/* Frees the queue's memory: the origin is no longer used. */
void waiters_drop(Origin *o);

#endif
