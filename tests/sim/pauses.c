/* pauses.c - a filter of the simulation's that is in every stage of heads. In one of them it makes
 * a request wait, and wakes it; or never; or a request of River's own does when it is over. It also
 * counts what it remembers and gives back. */
#include "proxy/exchange.h"
#include "proxy/filter_call.h"
#include "trial.h"

#define PAUSE_ONE_IN 5u  /* asks */
#define NEVER_ONE_IN 40u /* asks that are not woken: they must end by themselves */
#define FETCH_ONE_IN 15u /* asks that wait for what River asks itself */
#define PAUSE_NS_MOST (400 * LAN_MS)

/* The state says which stage a use stands in. */
static const FilterStage stages[] = {STAGE_REQUEST,          STAGE_LIMIT,
                                     STAGE_PEER,             STAGE_UPSTREAM_REQUEST,
                                     STAGE_UPSTREAM_RESPONSE, STAGE_RESPONSE};
#define STAGES (sizeof stages / sizeof stages[0])

static Ask *ask_of(const FilterCall *call)
{
    uint64_t id = 0;
    Str path = call_request(call)->path;
    for (size_t i = 1; i < path.len && byte_is_digit(str_at(path, i)); i++) {
        id = id * 10 + (uint64_t)(str_at(path, i) - '0');
    }
    return ask_by_id(id);
}

/* One stage after the other pauses: every request is paused in at most one. */
static bool pauses_here(const Ask *a, FilterStage stage)
{
    return a->id % PAUSE_ONE_IN == 0 && stages[a->id / PAUSE_ONE_IN % STAGES] == stage;
}

/* Whether the request is paused until its time is over. Where connections are few, it must not keep
 * one of them so long. */
static bool is_never_woken(const Ask *a, FilterStage stage)
{
    bool few = false;
    for (unsigned i = 0; i < trial->plan.origin_count; i++) {
        few |= trial->plan.origins[i].connections_max > 0;
    }
    return a->id % NEVER_ONE_IN == 0 && !(few && stage > STAGE_UPSTREAM_REQUEST);
}

static Verdict pause_request(FilterCall *call)
{
    Ask *a = ask_of(call);
    FilterStage stage = *(const FilterStage *)call_state(call);
    bool *seen = (bool *)call_slot(call);
    if (seen && !*seen) {
        *seen = true;
        trial->slots++;
    }
    if (!a || !pauses_here(a, stage) || a->woken) {
        return PASS;
    }
    if (a->fetches && fetches_have_for(a)) {
        a->woken = true;
        return PASS;
    }
    if (a->waiter == TOKEN_NONE) {
        a->waiter = call_token(call);
        a->waiter_thread = call_thread(call)->index;
        a->fetches = a->id % FETCH_ONE_IN == 0 && fetches_start_for(a);
        if (a->fetches || is_never_woken(a, stage)) {
            a->tainted = true; /* what it waits for may take long */
        } else {
            lan_timer(lan_now_ns() + trial_pick(PAUSE_NS_MOST), TIMER_PAUSE_OVER, a->id);
        }
    }
    return PAUSE; /* whatever else has woken it */
}

static Verdict pause_head(FilterCall *call, HeadEdit *edit)
{
    if (edit->count == 0 && !edit->overflow) {
        trial_fail("a filter was given a head without fields");
    }
    return pause_request(call);
}

static void pause_finish(FilterCall *call, const FilterOutcome *outcome)
{
    (void)outcome;
    const bool *seen = (const bool *)call_slot(call);
    if (!seen || !*seen) {
        trial_fail("a filter's slot is not the one that it had");
        return;
    }
    trial->slots--;
}

static const FilterKind pause_kind = {.request = pause_request,
                                      .head = pause_head,
                                      .finish = pause_finish,
                                      .slot_bytes = sizeof(bool)};
static const FilterUse pause_uses[STAGES] = {
    {&pause_kind, &stages[0]}, {&pause_kind, &stages[1]}, {&pause_kind, &stages[2]},
    {&pause_kind, &stages[3]}, {&pause_kind, &stages[4]}, {&pause_kind, &stages[5]}};

bool pauses_are_wanted(void)
{
    return trial->plan.seed % 3 == 1 && !trial->plan.hoards;
}

void pauses_stand(FilterChain *chains)
{
    for (size_t i = 0; i < STAGES && pauses_are_wanted(); i++) {
        chains[stages[i]] = (FilterChain){.count = 1, .uses = &pause_uses[i]};
    }
}

void pause_over(uint64_t id)
{
    Ask *a = ask_by_id(id);
    Thread *t = trial->worker->group.threads[a->waiter_thread];
    a->woken = true;
    thread_again_token(t, a->waiter);
    trial->knocked[t->index] = true;
}

/* While all threads sleep: no request waits for one of River's own that is over. */
void pauses_judge(void)
{
    for (unsigned i = 0; i < trial->ask_count && pauses_are_wanted(); i++) {
        const Ask *a = &trial->asks[i];
        if (!a->fetches || a->woken || a->over || !fetches_have_for(a)) {
            continue;
        }
        const Thread *t = trial->worker->group.threads[a->waiter_thread];
        const Exchange *x = exchange_get(t, token_handle(a->waiter));
        if (x && x->filters.paused_ms != 0) {
            trial_fail("ask %llu waits for a request of River's own that is over",
                       (unsigned long long)a->id);
        }
    }
}
