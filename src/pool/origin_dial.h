/* origin_dial.h - when a request that found no idle connection dials one (see origin.h). */
#ifndef POOL_ORIGIN_DIAL_H
#define POOL_ORIGIN_DIAL_H

#include "pool/upstream.h"

/* Whether the endpoint's limit allows one more connection. Connections that take no more streams do
 * not count, up to as many as the limit itself. */
bool dial_has_room(Origin *o);
/* Whether one that takes no more streams may give up its place under the limit. */
bool dial_may_leave(Origin *o);
/* A connection that had given up its place takes streams again: true if there is room for it; it
 * then counts again. */
bool dial_takes_back(Origin *o);
/* Whether a request that found no connection dials without waiting; counts the dial if so. */
bool dial_now(const Thread *t, Origin *o);
/* The same after a wait; `wait_ms` was the last pause. */
bool dial_after_wait(const Thread *t, Origin *o, uint64_t wait_ms);

/* Records whether a request found an idle connection. */
void dial_note_miss(Thread *t, const Origin *o, bool missed);
/* Records how long a request held the connection that it gives back. */
void dial_note_hold(const Thread *t, Origin *o, const Upstream *u);

#endif
