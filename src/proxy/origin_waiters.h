/* origin_waiters.h - who waits for a connection to an origin, the oldest first (see origin.h). Each
 * call is one step under the origin's lock. */
#ifndef PROXY_ORIGIN_WAITERS_H
#define PROXY_ORIGIN_WAITERS_H

#include "proxy/origin.h"

/* Puts one to the end, or to the front. The queue grows at the cost of `budget`, the same one each
 * time, and keeps what it has. ERR_FULL: there are ORIGIN_WAITERS_MAX; ERR_MEMORY. */
MUST_USE Err waiters_push(Origin *o, Budget *budget, Waiter w, bool front);
/* Takes the oldest; false: nobody waits. */
bool waiters_pop(Origin *o, Waiter *ret);
/* Nobody uses the origin any more. */
void waiters_drop(Origin *o);

#endif
