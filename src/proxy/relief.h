/* relief.h - when memory is short: who holds much of it and does not take it is ended.
 *
 * What is held for a client (answers that it does not read, windows that it does not open) is
 * bounded for each of them, and by send-timeout. Yet a few dozen such clients can spend a small
 * budget, and then everybody else goes without. So when a request comes while less than a quarter
 * of the budget is spare, the thread looks at its clients at the end of that turn; what is lacking
 * then the next thread looks for, and so on, once around. Where less than an eighth is spare, those
 * that hold the most end, until a quarter is. Nobody ends who has not been watched for a second.
 *
 * Who may end: a client for which more waits than it takes in ten seconds, at the pace of what it
 * has acknowledged since the look before. Those that have acknowledged nothing come first. Besides,
 * a head that has not come to its end in a second. */
#ifndef PROXY_RELIEF_H
#define PROXY_RELIEF_H

#include "transport/thread.h"

/* The end of a turn: looks, if that is wanted. Nothing of the turn is in use any more. */
void relief_look(Thread *t);
static inline void relief_turn(Thread *t)
{
    if (UNLIKELY(t->relief.hops > 0)) {
        relief_look(t);
    }
}
/* Time to look again at who was seen before. */
void relief_on_timer(Thread *t);
/* Another thread still lacks memory after its look. */
void relief_receive(Thread *t, const Message *m);

#endif
