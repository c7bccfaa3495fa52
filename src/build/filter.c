/* filter.c - a service's filter chains, and the limiters of their rules. */
#include "build/build.h"

/* Copies the values to the part's memory. The `bytes` of files are only needed during setup. */
static Err values_keep(Arena *a, const FilterSettings *from, FilterValue **ret)
{
    FilterValue *values = arena_array(a, FilterValue, from->value_count + 1);
    if (!values) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->value_count; i++) {
        values[i] = from->values[i];
        TRY(build_keep(a, &values[i].text));
    }
    *ret = values;
    return ERR_OK;
}

/* The key of a limiter: its service and everything in its rule. Equal rules of a service are
 * numbered in order. */
static Err limiter_key(Arena *a, const Build *b, const FilterSettings *from, Str *ret)
{
    Fingerprint id = {{0}};
    Span room;
    Str service = b->part->service.name;
    for (size_t i = 0; i < from->value_count; i++) {
        fingerprint_add(&id, from->values[i].text);
        fingerprint_add_number(&id, from->values[i].number);
    }
    if (!arena_span(a, service.len + from->kind->schema.name.len + 64, &room)) {
        return ERR_MEMORY;
    }
    Text t = text_in(room);
    text_add(&t, service);
    text_byte(&t, '\n');
    text_add(&t, from->kind->schema.name);
    text_hex_word(&t, id.words[0]);
    text_hex_word(&t, id.words[1]);
    size_t same = 0;
    for (size_t i = 0; i < b->part->limiter_count; i++) {
        Str other = roster_name(&b->builder->worker->limiter_names, b->part->limiters[i]);
        same += str_starts(other, text_str(&t)) ? 1 : 0;
    }
    text_format(&t, " %zu", same);
    *ret = text_str(&t);
    return ERR_OK;
}

static Err limiter_hold(Build *b, const FilterSettings *from, const LimiterRule *rule,
                        uint32_t *ret)
{
    Part *p = b->part;
    Str key;
    TRY(limiter_key(b->arena, b, from, &key));
    TRY(worker_hold_limiter(b->builder->worker, key, rule, ret));
    CHECK(p->limiter_count < p->limiter_room);
    p->limiters[p->limiter_count++] = *ret;
    return ERR_OK;
}

static Err use_build(Build *b, const FilterSettings *from, FilterStage stage, FilterUse *ret)
{
    FilterValue *values = NULL;
    TRY(values_keep(b->arena, from, &values));
    FilterSetup setup = {.stage = stage, .count = from->value_count, .values = values};
    if (from->kind->limiter) {
        LimiterRule rule = from->kind->limiter(&setup);
        TRY(limiter_hold(b, from, &rule, &setup.limiter));
    }
    FilterMistake mistake = {0};
    *ret = (FilterUse){.kind = from->kind, .state = from->kind->setup(&setup, b->arena, &mistake)};
    for (size_t i = 0; i < from->value_count; i++) {
        values[i].bytes = STR_NONE;
    }
    return ret->state ? ERR_OK : ERR_MEMORY; /* the check has found all mistakes */
}

/* Adds what the chain does not have yet. */
static Err chain_build(Build *b, const ChainSettings *from, FilterStage stage, FilterChain *ret)
{
    FilterUse *uses = arena_array(b->arena, FilterUse, from->count + 1);
    if (!uses) {
        return ERR_MEMORY;
    }
    size_t known = ret->count;
    for (size_t i = 0; i < known; i++) {
        uses[i] = ret->uses[i];
    }
    *ret = (FilterChain){.count = known, .uses = uses};
    for (size_t i = known; i < from->count; i++) {
        TRY(use_build(b, &from->filters[i], stage, &uses[i]));
        *ret = (FilterChain){.count = i + 1, .uses = uses};
    }
    return ERR_OK;
}

/* Rules of the service, and of its routes beyond those. */
static size_t count_limits(const ServiceSettings *from)
{
    size_t common = from->chains[STAGE_LIMIT].count;
    size_t count = common;
    for (size_t i = 0; i < from->route_count; i++) {
        const ServiceSettings *own = from->routes[i].own;
        count += own ? own->chains[STAGE_LIMIT].count - common : 0;
    }
    return count;
}

Err build_more_filters(Build *b, const ServiceSettings *from, Service *ret)
{
    for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
        if (from->chains[stage].count > ret->chains[stage].count) {
            TRY(chain_build(b, &from->chains[stage], (FilterStage)stage, &ret->chains[stage]));
        }
    }
    return ERR_OK;
}

Err build_chains(Build *b, const ServiceSettings *from, Service *ret)
{
    Part *p = b->part;
    size_t room = count_limits(from) + 1;
    p->limiters = arena_array(b->arena, uint32_t, room);
    if (!p->limiters) {
        return ERR_MEMORY;
    }
    p->limiter_room = room;
    return build_more_filters(b, from, ret);
}

/* Drops the filters of a service from the first on that `known` has not. */
static void drop_filters(const Service *s, const Service *known)
{
    for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
        const FilterChain *chain = &s->chains[stage];
        for (size_t i = known ? known->chains[stage].count : 0; i < chain->count; i++) {
            if (chain->uses[i].kind->drop) {
                chain->uses[i].kind->drop(chain->uses[i].state);
            }
        }
    }
}

void drop_chains(Builder *b, Part *p)
{
    for (size_t i = 0; i < p->own_count; i++) {
        drop_filters(p->own[i], &p->service);
    }
    drop_filters(&p->service, NULL);
    for (size_t i = 0; i < p->limiter_count; i++) {
        worker_release_limiter(b->worker, p->limiters[i]);
    }
}
