/* filter_run.h - runs the filters of a service, stage by stage.
 *
 * An exchange records its progress (FilterRun), so that a phase that runs again after a pause
 * resumes at the filter that has paused. */
#ifndef PROXY_FILTER_RUN_H
#define PROXY_FILTER_RUN_H

#include "proxy/exchange.h"

/* The argument of hooks: one use, working on one exchange. */
struct FilterCall {
    Thread *thread;
    Exchange *exchange;
    const FilterUse *use;
};

/* A use's memory for one exchange. */
struct FilterSlot {
    FilterSlot *next;
    const FilterUse *use;
    _Alignas(max_align_t) uint8_t bytes[];
};

/* Whether a filter of STAGE_REQUEST wants the client's connection closed at once. */
bool filter_refuses(const FilterChain *chain, const IpAddress *client);

/* The slow paths of the functions below, for services with filters; others pay only a comparison. A
 * verdict that is invalid in the stage becomes FAULT_INTERNAL_FILTER. */
Verdict filter_run_stage(Thread *t, Exchange *x, FilterStage stage, HeadEdit *edit);
Verdict filter_run_body(Thread *t, Exchange *x, FilterStage stage, uint64_t bytes, Str data);
void filter_run_finish(Thread *t, Exchange *x);

/* Runs the rest of STAGE_REQUEST, STAGE_LIMIT or STAGE_PEER. */
static inline Verdict filter_request(Thread *t, Exchange *x, FilterStage stage)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_stage(t, x, stage, NULL);
}

/* Runs the rest of a head stage. */
static inline Verdict filter_head(Thread *t, Exchange *x, FilterStage stage, HeadEdit *edit)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_stage(t, x, stage, edit);
}

/* Runs a body stage. */
static inline Verdict filter_body(Thread *t, Exchange *x, FilterStage stage, uint64_t bytes,
                                  Str data)
{
    return x->service->chains[stage].count == 0 ? PASS : filter_run_body(t, x, stage, bytes, data);
}

/* Runs a handler: a filter that answers (STAGE_REQUEST). */
Verdict filter_handle(Thread *t, Exchange *x, const FilterUse *handler);

/* The exchange has ended. */
static inline void filter_finish(Thread *t, Exchange *x)
{
    if (UNLIKELY(x->filters.slots != NULL)) {
        filter_run_finish(t, x);
    }
}

/* Translates a verdict to a step of the phase, which waits while a filter has paused. */
Step filter_step_other(const Thread *t, Exchange *x, Verdict v);
static inline Step filter_step(const Thread *t, Exchange *x, Verdict v)
{
    return LIKELY(v.kind == VERDICT_PASS) ? NEXT : filter_step_other(t, x, v);
}

/* Returns to an earlier stage, for a retry or an answer to a fault. */
void filter_go_back(Exchange *x, FilterStage stage);

#endif
