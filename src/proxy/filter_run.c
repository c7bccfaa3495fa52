/* filter_run.c - runs the filters of a service (see filter_run.h). */
#include "proxy/filter_run.h"

#include "base/number.h"

#define KNOWS(kind) (1u << VERDICT_##kind)

/* The verdicts that are valid in each stage. */
static const uint8_t known_verdicts[STAGE_COUNT] = {
    [STAGE_REQUEST] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL) | KNOWS(ANSWER),
    [STAGE_LIMIT] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL),
    [STAGE_PEER] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL),
    [STAGE_UPSTREAM_REQUEST] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL),
    [STAGE_UPSTREAM_RESPONSE] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL),
    [STAGE_RESPONSE] = KNOWS(PASS) | KNOWS(PAUSE) | KNOWS(FAIL),
    [STAGE_REQUEST_BODY] = KNOWS(PASS) | KNOWS(FAIL),
    [STAGE_RESPONSE_BODY] = KNOWS(PASS) | KNOWS(FAIL),
};

/* No peer had to make progress during the pause: restarts their deadlines. */
COLD static void pause_end(const FilterCall *call)
{
    uint64_t now_ms = call->thread->now_ms;
    call->exchange->filters.paused_ms = 0;
    call->exchange->pace = (Pace){.in_ms = now_ms, .up_ms = now_ms, .out_ms = now_ms};
}

/* Validates a hook's verdict. One that is invalid in its stage, or a failure without a fault, is a
 * bug in the filter, which costs this request. */
static Verdict hook_said(const FilterCall *call, Verdict v, uint8_t known)
{
    if (UNLIKELY(!(known & 1u << v.kind) || (v.kind == VERDICT_FAIL && v.fault == FAULT_NONE))) {
        soft_check(false);
        v = REFUSE(FAULT_INTERNAL_FILTER);
    }
    if (UNLIKELY(call->exchange->filters.paused_ms != 0 && v.kind != VERDICT_PAUSE)) {
        pause_end(call); /* the first hook called is the one that had paused */
    }
    return v;
}

/* --- stages ---------------------------------------------------------------------------------- */

/* Resumes the stage after a pause, or begins it. False: it is already over. */
static bool stage_enter(FilterRun *run, FilterStage stage)
{
    if (run->stage < stage) {
        run->stage = stage;
        run->next = 0;
    }
    return run->stage == stage;
}

static void stage_leave(FilterRun *run)
{
    run->stage++;
    run->next = 0;
}

/* The filters that passed the request before one refused it give back what they took. */
static void undo_passed(FilterCall *call, const FilterChain *chain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        call->use = &chain->uses[i];
        if (call->use->kind->undo) {
            call->use->kind->undo(call);
        }
    }
}

/* Retry-After must satisfy the remaining rules, too. Those before `at` have just passed it. */
static Verdict wait_longest(FilterCall *call, const FilterChain *chain, size_t at, Verdict v)
{
    uint64_t longest_ms = 0;
    for (size_t i = at + 1; i < chain->count; i++) {
        call->use = &chain->uses[i];
        const FilterKind *kind = call->use->kind;
        longest_ms = u64_max(longest_ms, kind->wait ? kind->wait(call) : 0);
    }
    uint64_t longest_s = longest_ms ? limiter_retry_after(longest_ms) : 0;
    if (!v.respond || v.respond->retry_after_s >= longest_s) {
        return v;
    }
    Respond *respond = arena_new(&call->exchange->arena, Respond);
    if (respond) {
        *respond = *v.respond;
        respond->retry_after_s = (uint32_t)longest_s;
        v.respond = respond;
    }
    return v;
}

/* Calls the hook of the stage, if the kind has it. */
static Verdict hook_call(FilterCall *call, FilterStage stage, HeadEdit *edit)
{
    const FilterKind *kind = call->use->kind;
    Verdict v = PASS;
    if (edit) {
        v = kind->head ? kind->head(call, edit) : PASS;
    } else {
        v = kind->request ? kind->request(call) : PASS;
    }
    return hook_said(call, v, known_verdicts[stage]);
}

/* Whether a refusal counts: the answer to a fault is sent anyway. */
static bool may_refuse(const Exchange *x, FilterStage stage)
{
    return stage != STAGE_RESPONSE || x->fault == FAULT_NONE;
}

Verdict filter_run_stage(Thread *t, Exchange *x, FilterStage stage, HeadEdit *edit)
{
    FilterRun *run = &x->filters;
    const FilterChain *chain = &x->service->chains[stage];
    FilterCall call = {.thread = t, .exchange = x};
    if (!stage_enter(run, stage)) {
        return PASS;
    }
    for (; run->next < chain->count; run->next++) {
        call.use = &chain->uses[run->next];
        Verdict v = hook_call(&call, stage, edit);
        if (v.kind == VERDICT_FAIL && may_refuse(x, stage)) {
            undo_passed(&call, chain, run->next);
            return wait_longest(&call, chain, run->next, v);
        }
        if (v.kind == VERDICT_PAUSE || v.kind == VERDICT_ANSWER) {
            return v;
        }
    }
    stage_leave(run);
    return PASS;
}

Verdict filter_run_body(Thread *t, Exchange *x, FilterStage stage, uint64_t bytes, Str data)
{
    const FilterChain *chain = &x->service->chains[stage];
    FilterCall call = {.thread = t, .exchange = x};
    for (size_t i = 0; i < chain->count; i++) {
        call.use = &chain->uses[i];
        Verdict v = call.use->kind->body ? call.use->kind->body(&call, bytes, data) : PASS;
        v = hook_said(&call, v, known_verdicts[stage]);
        if (v.kind != VERDICT_PASS) {
            return v;
        }
    }
    return PASS;
}

Verdict filter_handle(Thread *t, Exchange *x, const FilterUse *handler)
{
    FilterCall call = {.thread = t, .exchange = x, .use = handler};
    return hook_said(&call, handler->kind->request(&call),
                     KNOWS(PAUSE) | KNOWS(FAIL) | KNOWS(ANSWER));
}

void filter_run_finish(Thread *t, Exchange *x)
{
    FilterCall call = {.thread = t, .exchange = x};
    const FilterOutcome outcome = {.status = x->reply.status,
                                   .fault = x->fault,
                                   .bytes_in = x->meter.bytes_in,
                                   .bytes_out = x->meter.bytes_out};
    for (const FilterSlot *slot = x->filters.slots; slot; slot = slot->next) {
        call.use = slot->use;
        if (call.use->kind->finish) {
            call.use->kind->finish(&call, &outcome);
        }
    }
}

bool filter_refuses(const FilterChain *chain, const IpAddress *client)
{
    for (size_t i = 0; i < chain->count; i++) {
        const FilterUse *use = &chain->uses[i];
        if (use->kind->refuses && use->kind->refuses(use->state, client)) {
            return true;
        }
    }
    return false;
}

/* --- phases ---------------------------------------------------------------------------------- */

Step filter_step_other(const Thread *t, Exchange *x, Verdict v)
{
    switch (v.kind) {
    case VERDICT_PASS:
        return NEXT;
    case VERDICT_PAUSE:
        x->filters.paused_ms = x->filters.paused_ms ? x->filters.paused_ms : t->now_ms;
        return WAIT;
    case VERDICT_ANSWER:
        x->own.respond = v.respond;
        return GOTO(ANSWER);
    case VERDICT_FAIL:
        x->own.refusal = v.respond;
        return FAIL(v.fault);
    }
    return NEXT;
}

void filter_go_back(Exchange *x, FilterStage stage)
{
    FilterSlot *slots = x->filters.slots;
    x->filters = (FilterRun){.stage = stage, .slots = slots};
}
