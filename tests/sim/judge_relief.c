/* judge_relief.c - where memory is short, somebody looks for it (proxy/relief.h): each thread in
 * turn after somebody went without, and again soon, for as long as that was not enough. */
#include "base/number.h"
#include "trial.h"

#define APART_MS 50u   /* as relief.c counts: between two searches ... */
#define AGAIN_MS 1100u /* ... and until a thread looks again */
#define ROUND_MS 200u  /* a search has been to all threads within */

/* Since when memory has been scarce whenever somebody slept; 0: it is not. */
static uint64_t scarce_ms[LAN_THREADS_MAX];
/* What was known of a thread's last look. */
static uint64_t look_ms[LAN_THREADS_MAX];

void judge_relief_begin(void)
{
    span_fill(span_of(look_ms, sizeof look_ms), 0);
    span_fill(span_of(scarce_ms, sizeof scarce_ms), 0);
}

/* A look that has not found enough is followed by another one. */
void judge_relief_turn(const Thread *t)
{
    bool looked = t->relief.look_ms != look_ms[t->index]; /* at the end of this turn */
    look_ms[t->index] = t->relief.look_ms;
    bool lacks = thread_is_scarce(t, thread_spare(t));
    if (looked && lacks && !t->draining && trial->worker->group.budget.max_bytes > 0 &&
        timer_due_ms(&t->wheel, t->relief.timer) > t->now_ms + AGAIN_MS) {
        trial_fail("thread %u has looked for memory, and does not look again", t->index);
    }
}

void judge_relief(const Thread *t)
{
    uint64_t *since_ms = &scarce_ms[t->index];
    uint64_t now_ms = lan_now_ns() / LAN_MS;
    bool scarce = trial->worker->group.budget.max_bytes > 0 && !t->draining &&
                  thread_is_scarce(t, thread_spare(t));
    *since_ms = !scarce ? 0 : *since_ms ? *since_ms : now_ms;
    uint64_t wanted_ms = atomic_load(&trial->worker->group.relief_ms);
    wanted_ms -= u64_min(wanted_ms, APART_MS);
    if (scarce && wanted_ms > *since_ms && now_ms > wanted_ms + ROUND_MS &&
        t->relief.look_ms < wanted_ms) {
        trial_fail("thread %u does not look for memory, though somebody went without", t->index);
    }
}
