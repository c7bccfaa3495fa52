/* stuck.h - decides whether a thread is stuck: looks in, verdict out, no side effects.
 *
 * A thread is stuck if it stays in one turn of its loop (heartbeat.h) over STUCK_LOOKS looks in a
 * row. On an overloaded machine that alone proves nothing, so a look only counts
 *
 * - for a running thread, if it has used processor time since the last look that counted: without
 *     any it is starved;
 * - for a thread in a system call, if it has not waited for memory from a disk since then: a
 *     machine that swaps is slow everywhere.
 *
 * A thread held by a debugger or SIGSTOP, or one that the system says nothing about, does not count
 * either. A look that does not count resets nothing: the turn is still the same. */
#ifndef APP_STUCK_H
#define APP_STUCK_H

#include "app/thread_stat.h"

#define STUCK_LOOKS 5u
#define STUCK_RUN_SHARE 4u /* a running thread must get one Nth of the time between two looks */

/* State of a thread between looks; starts as zero. */
typedef struct StuckWatch {
    uint64_t beat;   /* the last one seen */
    unsigned looks;  /* that counted */
    ThreadStat base; /* at the last look that counted; unset while `looks` is 0 */
} StuckWatch;

typedef enum StuckVerdict {
    STUCK_NOT,     /* waiting for work, or in another turn */
    STUCK_UNKNOWN, /* in the same turn; it is held, or the system says nothing about it */
    STUCK_STARVED, /* in the same turn, but unable to go on: no processor, or no memory */
    STUCK_MAYBE,   /* in the same turn for no such reason, but not yet long enough */
    STUCK_YES
} StuckVerdict;

/* Whether a look at this beat needs the system's statistics: only threads in the same turn as
 * before do. */
bool stuck_asks(const StuckWatch *w, uint64_t beat);

/* Judges one look. `stat` is the system's statistics, NULL if there are none; `run_ticks` is the
 * processor time that a running thread must have got since the last look that counted. */
StuckVerdict stuck_judge(StuckWatch *w, uint64_t beat, const ThreadStat *stat, uint64_t run_ticks);

#endif
