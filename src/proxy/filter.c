/* filter.c - running the chains of filters (see filter.h). */
#include "proxy/filter.h"

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

Verdict filter_run_request(Thread *t, Exchange *x, const FilterChain *chain, size_t *at)
{
    for (; *at < chain->count; (*at)++) {
        const FilterUse *use = &chain->uses[*at];
        Verdict v = use->kind->request ? use->kind->request(t, x, use->state) : PASS;
        if (v.kind == VERDICT_FAIL) {
            undo(t, x, chain, *at);
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
        if (v.kind != VERDICT_PASS) {
            return v;
        }
    }
    return PASS;
}
