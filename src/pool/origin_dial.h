/* origin_dial.h - when a request that has found no idle connection dials one (see origin.h). */
#ifndef POOL_ORIGIN_DIAL_H
#define POOL_ORIGIN_DIAL_H

#include "pool/upstream.h"

/* Whether the endpoint's limit allows one more connection. Those that take no more streams do not
 * count, as long as they are no more than the limit themselves. */
bool dial_has_room(Origin *o);
/* Whether one that takes no more streams would give its place up. */
bool dial_may_leave(Origin *o);
/* One that did takes streams again: whether there is a place for it; if so, it counts again. */
bool dial_takes_back(Origin *o);
/* Whether a request that has found nothing dials before it has waited; if so, that is counted. */
bool dial_now(const Thread *t, Origin *o);
/* The same for one that has waited, `wait_ms` the last time. */
bool dial_after_wait(const Thread *t, Origin *o, uint64_t wait_ms);

/* A request has found an idle connection, or not. */
void dial_note_miss(Thread *t, const Origin *o, bool missed);
/* A request gives its connection back. */
void dial_note_hold(const Thread *t, Origin *o, const Upstream *u);

#endif
