/* origin_dial.c - when a request that found no idle connection dials one.
 *
 * The longer the queue, the sooner. The time that requests hold a connection is tracked as a
 * median; with the queue length and the number of busy connections it gives the expected wait of
 * the last in the queue. If that is short, a dial would only add a connection, unless waiting has
 * become the rule. */
#include "pool/origin_dial.h"

#include "base/number.h"

#define HOLD_FIRST_NS (ORIGIN_WAIT_NS / 2)
#define HOLD_MIN_NS 64u
#define MISSED_ALL 65536u
#define MISSED_MANY (MISSED_ALL / 16) /* beyond this, waits cost more than a connection */
#define MISSED_SHIFT 6 /* log2 of the number of requests averaged over */

/* Whether `open` connections, `leaving` of them on their way out, leave room for one more. */
static bool has_room(const Origin *o, uint64_t open, uint64_t leaving)
{
    uint64_t max = o->endpoint->connections_max;
    return max == 0 || open < max + u64_min(leaving, max);
}

bool dial_has_room(Origin *o)
{
    return o->endpoint->connections_max == 0 ||
           has_room(o, atomic_load(&o->open), atomic_load(&o->leaving));
}

bool dial_may_leave(Origin *o)
{
    uint32_t max = o->endpoint->connections_max;
    return max == 0 || atomic_load(&o->leaving) < max;
}

bool dial_takes_back(Origin *o)
{
    uint32_t leaving = atomic_load(&o->leaving);
    CHECK(leaving > 0);
    /* It is open already: room is needed only among the others. */
    bool takes = has_room(o, atomic_load(&o->open) - 1, leaving - 1);
    if (takes) {
        atomic_fetch_sub(&o->leaving, 1);
    }
    return takes;
}

/* Whether a dial may start at once because few are in flight; counts it if so. */
static bool dial_free(Origin *o)
{
    uint32_t dialing = atomic_load(&o->dialing);
    while (dial_has_room(o) && dialing < ORIGIN_DIALS_FREE) {
        if (atomic_compare_exchange_weak(&o->dialing, &dialing, dialing + 1)) {
            return true;
        }
    }
    return false;
}

/* The expected wait of the last waiter in the queue for a connection to come back; UINT64_MAX: no
 * connection could. */
static uint64_t wait_expected_ns(Origin *o)
{
    uint64_t open = atomic_load(&o->open);
    uint64_t dialing = atomic_load(&o->dialing);
    uint64_t busy = open > dialing ? open - dialing : 0;
    uint64_t hold_ns = atomic_load_explicit(&o->hold_ns, memory_order_relaxed);
    uint64_t turns = atomic_load(&o->waiting);
    return busy > 0 ? hold_ns * turns / busy : UINT64_MAX;
}

/* Tracks the time that requests hold a connection: steps towards each sample, which follows the
 * median. An average would jump on a single stall, and let every waiter dial. */
void dial_note_hold(const Thread *t, Origin *o, const Upstream *u)
{
    if (u->served % 4 != 1 || u->taken_ns == 0) {
        return;
    }
    uint64_t sample_ns = t->now_ns - u->taken_ns;
    uint64_t hold_ns = atomic_load_explicit(&o->hold_ns, memory_order_relaxed);
    hold_ns = hold_ns ? hold_ns : HOLD_FIRST_NS; /* the first sample includes start-up costs */
    uint64_t step_ns = u64_max(hold_ns, HOLD_MIN_NS) / 8;
    hold_ns = sample_ns > hold_ns ? hold_ns + step_ns : u64_max(hold_ns, step_ns + 1) - step_ns;
    atomic_store_explicit(&o->hold_ns, hold_ns, memory_order_relaxed);
}

/* Whether one more dial may start: one per `pace_ns` for all waiters together. A short burst or a
 * stall thus adds few connections; `hold_ns` detects an origin that has become slow. */
static bool dial_paced(const Thread *t, Origin *o, uint64_t pace_ns)
{
    uint64_t next = atomic_load(&o->dial_next_ns);
    uint64_t after = t->now_ns + pace_ns;
    /* If dials are slow or unanswered, having more of them than waiters does not help. */
    bool useful = atomic_load(&o->dialing) < atomic_load(&o->waiting) + ORIGIN_DIALS_FREE;
    if (useful && dial_has_room(o) && t->now_ns >= next &&
        atomic_compare_exchange_strong(&o->dial_next_ns, &next, after)) {
        atomic_fetch_add(&o->dialing, 1);
        return true;
    }
    return false;
}

void dial_note_miss(Thread *t, const Origin *o, bool missed)
{
    MuxPlace *p = &t->places[o->index];
    p->missed -= p->missed >> MISSED_SHIFT;
    p->missed += missed ? MISSED_ALL >> MISSED_SHIFT : 0;
}

/* Whether a request that found no connection dials without waiting: the longer the queue, the
 * sooner. If a connection is about to come back, only when waiting has become the rule: a mere peak
 * is over sooner than the dial. */
bool dial_now(const Thread *t, Origin *o)
{
    uint64_t wait_ns = wait_expected_ns(o);
    if (wait_ns >= ORIGIN_WAIT_LONG_NS) {
        return dial_free(o);
    }
    if (wait_ns >= ORIGIN_WAIT_NS) {
        return dial_paced(t, o, ORIGIN_PACE_FAST_NS);
    }
    return t->places[o->index].missed > MISSED_MANY && dial_paced(t, o, ORIGIN_PACE_NS);
}

bool dial_after_wait(const Thread *t, Origin *o, uint64_t wait_ms)
{
    bool slow = wait_ms >= ORIGIN_WAIT_MS_MAX; /* a slow origin, not a short burst */
    return dial_paced(t, o, ORIGIN_PACE_NS) || (slow && dial_free(o));
}
