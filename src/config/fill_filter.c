/* fill_filter.c - filters as the file writes them: each kind's values in its own order, and a
 * trial of its set-up, so that what only the filter can tell (a wrong pattern) is a mistake at its
 * place. */
#include "config/fill.h"

#include "filter/filters.h"

/* Where the filters of a stage are written; the name is of a section of `path-control`, or
 * empty. */
static const struct StagePlace {
    Str section;
    FilterStage stage;
} places[] = {
    {S_INIT("request-filters"), STAGE_REQUEST},
    {S_INIT("peer-selection"), STAGE_PEER},
    {S_INIT("upstream-request"), STAGE_UPSTREAM_REQUEST},
    {S_INIT("upstream-response"), STAGE_UPSTREAM_RESPONSE},
    {S_INIT("response-filters"), STAGE_RESPONSE},
    {S_INIT("request-body"), STAGE_REQUEST_BODY},
    {S_INIT("response-body"), STAGE_RESPONSE_BODY},
};

/* *io_good becomes false when a file that it names cannot be read. */
static Err fill_value(Filler *f, Section one, const SchemaItem *item, FilterValue *ret,
                      bool *io_good)
{
    Option o = section_property(one, item->name);
    FilterValue value = {.set = o.entry != NULL};
    if (item->type == SCHEMA_INTEGER) {
        value.number = option_number(o);
    } else if (item->type == SCHEMA_BOOL) {
        value.truth = option_bool(o);
    } else {
        value.text = option_text(o);
    }
    if (item->type == SCHEMA_CIDRS_FILE) {
        FileSettings file = {0};
        TRY(fill_file_named(f, o.entry, &file, io_good));
        value.bytes = file.bytes;
    }
    *ret = value;
    return ERR_OK;
}

/* Half of the worker's budget is left for what the rules are there to let through. Says so at the
 * first rule that needs too much, and at each after it. */
static void count_limiter(Filler *f, Section one, const LimiterRule *rule)
{
    f->limiter_bytes += limiter_bytes(rule);
    if (f->memory_bytes_max == 0 || f->limiter_bytes <= f->memory_bytes_max / 2) {
        return;
    }
    const KdlEntry *e = node_property(one.node, S("max-buckets"));
    check_report(f->checker, SEVERITY_ERROR,
                 where_at(e ? e->value.location : one.node->name_at),
                 S("a bucket takes 32 bytes; lower `max-buckets`, or raise "
                   "`system { buffer-memory-bytes … }`"),
                 "up to this rule, buckets need %llu bytes, more than half of the worker's %llu",
                 (unsigned long long)f->limiter_bytes, (unsigned long long)f->memory_bytes_max);
}

/* Tries the set-up, and notes what it finds wrong. */
static Err try_setup(Filler *f, Section one, const FilterSettings *s, FilterStage stage)
{
    FilterMistake mistake = {0};
    FilterSetup setup = {.stage = stage, .count = s->value_count, .values = s->values};
    const void *state = s->kind->setup(&setup, f->arena, &mistake);
    if (state) {
        if (s->kind->limiter) {
            LimiterRule rule = s->kind->limiter(&setup);
            count_limiter(f, one, &rule);
        }
        if (s->kind->drop) {
            s->kind->drop(state);
        }
        return ERR_OK;
    }
    if (mistake.sentence.len == 0) {
        return ERR_MEMORY;
    }
    CHECK(mistake.value < s->value_count);
    const KdlEntry *e = node_property(one.node, s->kind->schema.properties[mistake.value].name);
    check_report(f->checker, SEVERITY_ERROR,
                 where_at(e ? e->value.location : one.node->name_at), STR_NONE, "%.*s",
                 STR_ARG(mistake.sentence));
    return ERR_OK;
}

static Err fill_filter(Filler *f, const KdlNode *node, FilterStage stage, FilterSettings *ret)
{
    const FilterKind *kind = filter_find(entry_text(node_property(node, S("kind"))));
    CHECK(kind != NULL);
    size_t count = kind->schema.property_count;
    FilterValue *values = arena_array(f->arena, FilterValue, count + 1);
    if (!values) {
        return ERR_MEMORY;
    }
    Section one = {.schema = &kind->schema, .node = node};
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        TRY(fill_value(f, one, &kind->schema.properties[i], &values[i], &good));
    }
    *ret = (FilterSettings){.kind = kind, .value_count = count, .values = values};
    return good ? try_setup(f, one, ret, stage) : ERR_OK;
}

/* Adds the filters of a section. */
static Err fill_chain(Filler *f, Section section, FilterStage stage, ChainSettings *ret)
{
    size_t more = 0;
    const KdlNode *first = section.node ? section.node->children : NULL;
    for (const KdlNode *n = first; n; n = n->next) {
        more++;
    }
    if (more == 0) {
        return ERR_OK;
    }
    size_t at = ret->count;
    size_t count = at + more;
    FilterSettings *filters = arena_array(f->arena, FilterSettings, count);
    if (!filters) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < at; i++) {
        filters[i] = ret->filters[i];
    }
    for (const KdlNode *n = first; n; n = n->next, at++) {
        TRY(fill_filter(f, n, stage, &filters[at]));
    }
    *ret = (ChainSettings){.count = count, .filters = filters};
    return ERR_OK;
}

Err fill_filters(Filler *f, Section place, ServiceSettings *ret)
{
    Section control = section_child(place, S("path-control"));
    for (size_t i = 0; i < SCHEMA_COUNT(places); i++) {
        Section stage = section_child(control, places[i].section);
        TRY(fill_chain(f, stage, places[i].stage, &ret->chains[places[i].stage]));
    }
    Section rules = section_child(place, S("rate-limiting"));
    return fill_chain(f, rules, STAGE_LIMIT, &ret->chains[STAGE_LIMIT]);
}
