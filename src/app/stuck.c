/* stuck.c - the decision. */
#include "app/stuck.h"

#include "loop/heartbeat.h"

bool stuck_asks(const StuckWatch *w, uint64_t beat)
{
    return (beat & HEARTBEAT_IN_TURN) != 0 && beat == w->beat;
}

/* Whether the thread was prevented from going on since the last look that counted. */
static bool is_starved(const ThreadStat *before, const ThreadStat *now, uint64_t run_ticks)
{
    if (now->state == 'R') {
        /* A counter that went back counts as no time. */
        return now->ticks < before->ticks || now->ticks - before->ticks < run_ticks;
    }
    return now->major_faults != before->major_faults;
}

StuckVerdict stuck_judge(StuckWatch *w, uint64_t beat, const ThreadStat *stat, uint64_t run_ticks)
{
    if (!stuck_asks(w, beat)) {
        *w = (StuckWatch){.beat = beat};
        return STUCK_NOT;
    }
    if (!stat || (stat->state != 'R' && stat->state != 'S' && stat->state != 'D')) {
        return STUCK_UNKNOWN;
    }
    if (w->looks > 0 && is_starved(&w->base, stat, run_ticks)) {
        w->base.major_faults = stat->major_faults;
        return STUCK_STARVED;
    }
    w->base = *stat;
    w->looks++;
    return w->looks >= STUCK_LOOKS ? STUCK_YES : STUCK_MAYBE;
}
