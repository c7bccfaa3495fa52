/* relief.h - when memory is short: ends clients that tie up much of it without taking their data.
 *
 * What is held for a client (answers that it does not read, windows that it does not open) is
 * bounded per client, and by send-timeout. Yet a few dozen such clients can use up a small budget,
 * and then all others go without. So when a request arrives while less than a quarter of the budget
 * is spare, the thread looks at its clients at the end of that turn; if that is not enough the next
 * thread does so, and so on, once around. If less than an eighth is spare, those that hold the most
 * are ended, until a quarter is. No client is ended before it was watched for a second.
 *
 * A client may be ended if more is queued for it than it takes in ten seconds, judging by what it
 * has acknowledged since the last look; those that have acknowledged nothing come first. So may a
 * client whose head is still incomplete after a second. */
#ifndef PROXY_RELIEF_H
#define PROXY_RELIEF_H

#include "transport/thread.h"

/* At the end of a turn: looks, if wanted. No data of the turn is in use any more. */
void relief_look(Thread *t);
static inline void relief_turn(Thread *t)
{
    if (UNLIKELY(t->relief.hops > 0)) {
        relief_look(t);
    }
}
/* Time to look again at the clients seen before. */
void relief_on_timer(Thread *t);
/* Another thread still lacks memory after its look. */
void relief_receive(Thread *t, const Message *m);

#endif
