/* stuck.h - decides whether a thread is stuck: looks in, a verdict out, and nothing else.
 *
 * A thread is stuck that stays in one turn of its loop (heartbeat.h) over STUCK_LOOKS looks in a
 * row. That alone says nothing on a machine that has no time for it, so a look only counts
 *
 *   - where the thread runs, if it has used processor time since the last one that counted: what
 *     gets none is starved;
 *   - where it waits in a system call, if it has not waited for memory from a disk since then: a
 *     machine that swaps is slow everywhere.
 *
 * One that a debugger or SIGSTOP holds, and one of which the system says nothing, is not counted
 * either. A look that does not count takes nothing back, for the turn is still the same. */
#ifndef APP_STUCK_H
#define APP_STUCK_H

#include "app/thread_stat.h"

#define STUCK_LOOKS 5u
#define STUCK_RUN_SHARE 4u /* a running thread must get this part of the time between two looks */

/* What is remembered of a thread between looks; zero at the start. */
typedef struct StuckWatch {
    uint64_t beat;   /* that was seen last */
    unsigned looks;  /* that count */
    ThreadStat base; /* at the last one that counted; nothing while `looks` is 0 */
} StuckWatch;

typedef enum StuckVerdict {
    STUCK_NOT,     /* it waits for something to do, or has begun another turn */
    STUCK_UNKNOWN, /* in the same turn; it is held, or the system says nothing of it */
    STUCK_STARVED, /* in the same turn, but it cannot go on: no processor, or no memory */
    STUCK_MAYBE,   /* in the same turn, for no such reason; not yet long enough */
    STUCK_YES
} StuckVerdict;

/* Whether a look at this beat needs the system's opinion: only of threads that are in the same turn
 * as before. */
bool stuck_asks(const StuckWatch *w, uint64_t beat);

/* One look. `stat` is the system's opinion, NULL where there is none; `run_ticks` is the processor
 * time that a running thread must have got since the last look that counted. */
StuckVerdict stuck_judge(StuckWatch *w, uint64_t beat, const ThreadStat *stat, uint64_t run_ticks);

#endif
