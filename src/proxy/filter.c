/* filter.c - running the chains of filters (see filter.h). */
#include "proxy/filter.h"

#include "base/number.h"
#include "proxy/exchange.h"

/* Who passed before `count` gives back what it took. */
static void undo(Thread *t, Exchange *x, const FilterChain *chain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const FilterUse *use = &chain->uses[i];
        if (use->kind->undo) {
            use->kind->undo(t, x, use->state);
        }
    }
}

/* Who is refused is told a time at which all would let him pass: behind the one that refuses, too.
 * Those before it have passed him just now. */
static Verdict wait_longest(Thread *t, Exchange *x, const FilterChain *chain, size_t at, Verdict v)
{
    uint64_t longest_ms = 0;
    for (size_t i = at + 1; i < chain->count; i++) {
        const FilterUse *use = &chain->uses[i];
        longest_ms = u64_max(longest_ms, use->kind->wait ? use->kind->wait(t, x, use->state) : 0);
    }
    uint64_t longest_s = longest_ms ? limiter_retry_after(longest_ms) : 0;
    if (!v.respond || v.respond->retry_after_s >= longest_s) {
        return v;
    }
    Respond *respond = arena_new(&x->arena, Respond);
    if (respond) {
        *respond = *v.respond;
        respond->retry_after_s = (uint32_t)longest_s;
        v.respond = respond;
    }
    return v;
}

/* Whether a request may wait in that stage, or be answered there. */
static bool stage_waits(FilterStage stage)
{
    return stage == STAGE_REQUEST;
}

/* A verdict that its stage does not know, or a failure of nothing, is a bug of the filter, which
 * costs this request. */
static Verdict verdict_known(Verdict v, FilterStage stage)
{
    bool known = v.kind == VERDICT_PASS || (v.kind == VERDICT_FAIL && v.fault != FAULT_NONE) ||
                 ((v.kind == VERDICT_PAUSE || v.kind == VERDICT_ANSWER) && stage_waits(stage));
    if (LIKELY(known)) {
        return v;
    }
    soft_check(false);
    return (Verdict){.kind = VERDICT_FAIL, .fault = FAULT_INTERNAL_FILTER};
}

Verdict filter_run_request(Thread *t, Exchange *x, FilterStage stage, const FilterChain *chain,
                           size_t *at)
{
    for (; *at < chain->count; (*at)++) {
        const FilterUse *use = &chain->uses[*at];
        Verdict v = use->kind->request ? use->kind->request(t, x, use->state) : PASS;
        v = verdict_known(v, stage);
        if (v.kind == VERDICT_FAIL) {
            undo(t, x, chain, *at);
            v = wait_longest(t, x, chain, *at, v);
        }
        if (v.kind != VERDICT_PASS) {
            return v;
        }
    }
    return PASS;
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

Verdict filter_run_head(Thread *t, Exchange *x, const FilterChain *chain, HeadEdit *edit)
{
    for (size_t i = 0; i < chain->count; i++) {
        const FilterUse *use = &chain->uses[i];
        Verdict v = use->kind->head ? use->kind->head(t, x, use->state, edit) : PASS;
        v = verdict_known(v, STAGE_RESPONSE);
        if (v.kind != VERDICT_PASS) {
            return v;
        }
    }
    return PASS;
}

Verdict filter_run_body(Thread *t, Exchange *x, const FilterChain *chain, uint64_t bytes, Str data)
{
    for (size_t i = 0; i < chain->count; i++) {
        const FilterUse *use = &chain->uses[i];
        Verdict v = use->kind->body ? use->kind->body(t, x, use->state, bytes, data) : PASS;
        v = verdict_known(v, STAGE_RESPONSE_BODY);
        if (v.kind != VERDICT_PASS) {
            return v;
        }
    }
    return PASS;
}
