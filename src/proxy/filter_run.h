/* filter_run.h - running the filters of a service, stage by stage.
 *
 * An exchange remembers how far it has come (FilterRun), so a phase that runs again after a pause
 * goes on with the filter that has paused. */
#ifndef PROXY_FILTER_RUN_H
#define PROXY_FILTER_RUN_H

#include "proxy/exchange.h"

/* The call that hooks are given: one use at work on one exchange. */
struct FilterCall {
    Thread *thread;
    Exchange *exchange;
    const FilterUse *use;
};

/* What a use remembers of an exchange. */
struct FilterSlot {
    FilterSlot *next;
    const FilterUse *use;
    _Alignas(max_align_t) uint8_t bytes[];
};

/* Whether a filter of STAGE_REQUEST wants the client's connection closed at once. */
bool filter_refuses(const FilterChain *chain, const IpAddress *client);

/* For the functions below, which leave it to these where there is a filter: a service without
 * filters pays a comparison. A verdict that the stage does not know becomes
 * FAULT_INTERNAL_FILTER. */
Verdict filter_run_request(Thread *t, Exchange *x, FilterStage stage);
Verdict filter_run_head(Thread *t, Exchange *x, FilterStage stage, HeadEdit *edit);
Verdict filter_run_body(Thread *t, Exchange *x, FilterStage stage, uint64_t bytes, Str data);
void filter_run_finish(Thread *t, Exchange *x);

/* Runs what is left of STAGE_REQUEST, STAGE_LIMIT or STAGE_PEER. */
static inline Verdict filter_request(Thread *t, Exchange *x, FilterStage stage)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_request(t, x, stage);
}

/* Runs what is left of a stage of heads. */
static inline Verdict filter_head(Thread *t, Exchange *x, FilterStage stage, HeadEdit *edit)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_head(t, x, stage, edit);
}

/* Runs a stage of bodies. */
static inline Verdict filter_body(Thread *t, Exchange *x, FilterStage stage, uint64_t bytes,
                                  Str data)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_body(t, x, stage, bytes, data);
}

/* A handler: a filter that answers (STAGE_REQUEST). */
Verdict filter_handle(Thread *t, Exchange *x, const FilterUse *handler);

/* The exchange has ended. */
static inline void filter_finish(Thread *t, Exchange *x)
{
    if (UNLIKELY(x->filters.slots != NULL)) {
        filter_run_finish(t, x);
    }
}

/* What a verdict means for the phase, which waits while a filter has paused. */
Step filter_step_other(const Thread *t, Exchange *x, Verdict v);
static inline Step filter_step(const Thread *t, Exchange *x, Verdict v)
{
    return LIKELY(v.kind == VERDICT_PASS) ? NEXT : filter_step_other(t, x, v);
}

/* The exchange goes to an earlier stage, for another try or an answer to a fault. */
void filter_go_back(Exchange *x, FilterStage stage);

#endif
