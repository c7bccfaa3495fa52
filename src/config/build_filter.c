/* build_filter.c - the snapshot's chains of filters, and the rules of their limiters. */
#include "config/build.h"

static Err build_chain(Arena *a, const ChainSettings *from, FilterStage stage, Snapshot *snapshot,
                       FilterChain *ret)
{
    FilterUse *uses = arena_array(a, FilterUse, from->count + 1);
    if (!uses) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->count; i++) {
        const FilterSettings *s = &from->filters[i];
        uint32_t limiter = (uint32_t)snapshot->limiter_count;
        FilterSetup setup = {
            .stage = stage, .limiter = limiter, .count = s->value_count, .values = s->values};
        FilterMistake mistake = {0};
        uses[i] = (FilterUse){.kind = s->kind, .state = s->kind->setup(&setup, a, &mistake)};
        if (!uses[i].state) {
            return ERR_MEMORY; /* mistakes were found when the file was checked */
        }
        if (s->kind->limiter) {
            snapshot->limiter_count++;
            snapshot->limiters[limiter] = s->kind->limiter(uses[i].state);
        }
    }
    *ret = (FilterChain){.count = from->count, .uses = uses};
    return ERR_OK;
}

Err build_limiters(Arena *a, const Settings *settings, Snapshot *s)
{
    size_t room = 0;
    for (size_t i = 0; i < settings->service_count; i++) {
        room += settings->services[i].chains[STAGE_LIMIT].count;
    }
    const LimiterRule **limiters = arena_array(a, const LimiterRule *, room + 1);
    s->limiters = limiters; /* its count grows with what is built */
    return limiters ? ERR_OK : ERR_MEMORY;
}

void drop_chains(const Service *s)
{
    for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
        const FilterChain *chain = &s->chains[stage];
        for (size_t i = 0; i < chain->count; i++) {
            if (chain->uses[i].kind->drop) {
                chain->uses[i].kind->drop(chain->uses[i].state);
            }
        }
    }
}

Err build_chains(Arena *a, const ServiceSettings *from, Snapshot *s, Service *ret)
{
    for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
        TRY(build_chain(a, &from->chains[stage], (FilterStage)stage, s, &ret->chains[stage]));
    }
    return ERR_OK;
}
