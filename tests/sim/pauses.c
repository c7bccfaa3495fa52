/* pauses.c - a filter of the simulation's that makes requests wait, and wakes them; or never. */
#include "proxy/exchange.h"
#include "trial.h"

#define PAUSE_ONE_IN 5u  /* asks */
#define NEVER_ONE_IN 40u /* asks that nobody wakes: they must end by themselves */
#define PAUSE_NS_MOST (400 * LAN_MS)

static Ask *ask_of(const Exchange *x)
{
    uint64_t id = 0;
    Str path = x->request.head.path;
    for (size_t i = 1; i < path.len && byte_is_digit(str_at(path, i)); i++) {
        id = id * 10 + (uint64_t)(str_at(path, i) - '0');
    }
    return ask_by_id(id);
}

static Verdict pause_request(Thread *t, Exchange *x, const void *state)
{
    (void)state;
    Ask *a = ask_of(x);
    if (!a || a->id % PAUSE_ONE_IN != 0 || a->woken) {
        return PASS;
    }
    if (a->waiter == TOKEN_NONE) {
        a->waiter = exchange_token(x);
        a->waiter_thread = t->index;
        if (a->id % NEVER_ONE_IN == 0) {
            a->tainted = true;
        } else {
            lan_timer(lan_now_ns() + trial_pick(PAUSE_NS_MOST), TIMER_PAUSE_OVER, a->id);
        }
    }
    return PAUSE; /* whatever else has woken it */
}

static const FilterKind pause_kind = {.request = pause_request};
static const FilterUse pause_use = {.kind = &pause_kind};

FilterChain pauses_chain(void)
{
    bool some = trial->plan.seed % 3 == 1 && !trial->plan.hoards;
    return (FilterChain){.count = some, .uses = &pause_use};
}

void pause_over(uint64_t id)
{
    Ask *a = ask_by_id(id);
    Thread *t = trial->worker->group.threads[a->waiter_thread];
    a->woken = true;
    thread_again_token(t, a->waiter);
    trial->knocked[t->index] = true;
}
