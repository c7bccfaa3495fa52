/* origin_waiters.h - who waits for a connection to an origin, the oldest first (see origin.h). Who
 * gives up leaves, so that the queue holds only requests that wait. Each call is one step under the
 * origin's lock. */
#ifndef POOL_ORIGIN_WAITERS_H
#define POOL_ORIGIN_WAITERS_H

#include "pool/origin.h"

/* Puts `w` to the end, unless it is in the queue already; *place (0 at first) is where, and the
 * waiter's to keep. The queue grows at the cost of `budget`, the same one each time, and keeps what
 * it has. ERR_FULL: there are ORIGIN_WAITERS_MAX; ERR_MEMORY. */
MUST_USE Err waiters_enter(Origin *o, Budget *budget, Waiter w, uint32_t *place);
/* Takes `w` out, if it has not been popped; *place becomes 0. */
void waiters_leave(Origin *o, Waiter w, uint32_t *place);
/* Takes the oldest; false: the queue is empty. */
bool waiters_pop(Origin *o, Waiter *ret);
/* Gives the queue's memory back: the origin is not used any more. */
void waiters_drop(Origin *o);

#endif
