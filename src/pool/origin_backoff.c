/* origin_backoff.c - unreachable endpoints rest for a short, growing time (origin.h). */
#include "base/number.h"
#include "pool/origin.h"

#define DOUBLINGS_MAX 7u /* beyond this, ORIGIN_BACKOFF_MS_MAX applies */

static uint64_t backoff_ms(const Origin *o)
{
    uint32_t refusals = atomic_load_explicit(&o->refusals, memory_order_relaxed);
    uint64_t doublings = u64_min(refusals > 0 ? refusals - 1 : 0, DOUBLINGS_MAX);
    return u64_min((uint64_t)ORIGIN_BACKOFF_MS << doublings, ORIGIN_BACKOFF_MS_MAX);
}

/* Dials that fail within the same rest count once. */
void origin_unreachable(const Thread *t, Origin *o)
{
    uint64_t until = atomic_load(&o->backoff_until_ms);
    bool counted = until > t->now_ms && atomic_load(&o->probing) == 0;
    if (counted) {
        return;
    }
    atomic_store(&o->probing, 0);
    atomic_fetch_add(&o->refusals, 1);
    atomic_store(&o->backoff_until_ms, t->now_ms + backoff_ms(o));
}

void origin_reachable(Origin *o)
{
    if (atomic_load_explicit(&o->refusals, memory_order_relaxed) != 0) {
        atomic_store(&o->refusals, 0);
        atomic_store(&o->probing, 0);
        atomic_store(&o->backoff_until_ms, 0);
    }
}

bool origin_backs_off(const Thread *t, Origin *o)
{
    uint64_t until = atomic_load_explicit(&o->backoff_until_ms, memory_order_relaxed);
    if (until == 0) {
        return false;
    }
    /* The request that moves the end of the rest is the one that probes. */
    if (t->now_ms >= until &&
        atomic_compare_exchange_strong(&o->backoff_until_ms, &until, t->now_ms + backoff_ms(o))) {
        atomic_store(&o->probing, 1);
        return false;
    }
    return true;
}

uint32_t origin_busy(const Origin *o)
{
    uint32_t busy = atomic_load_explicit(&o->open, memory_order_relaxed);
    for (unsigned i = 0; i < o->thread_count; i++) {
        uint32_t idle = atomic_load_explicit(&o->lists[i].count, memory_order_relaxed);
        busy -= idle < busy ? idle : busy;
    }
    return busy;
}
