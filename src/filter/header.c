/* header.c - `remove-header`, `upsert-header` and `append-header`: fields by their name. */
#include "filter/filters.h"

enum { KEY, VALUE };

typedef struct Pair {
    Str key;
    Str value; /* of `remove-header`: empty */
} Pair;

static const SchemaItem properties[] = {
    [KEY] = ITEM_VALUE("key", FILTER_FIELD, SCHEMA_REQUIRED, "x-served-by", "the field's name"),
    [VALUE] = ITEM_VALUE("value", FIELD_VALUE, SCHEMA_REQUIRED, "river", "the field's value"),
};

static const void *pair_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    (void)ret_mistake; /* names and values were checked as such */
    Pair *pair = arena_new(arena, Pair);
    if (pair) {
        *pair = (Pair){.key = setup->values[KEY].text,
                       .value = setup->count > VALUE ? setup->values[VALUE].text : STR_NONE};
    }
    return pair;
}

static Verdict remove_head(FilterCall *call, HeadEdit *edit)
{
    head_edit_remove(edit, ((const Pair *)call_state(call))->key);
    return PASS;
}

static Verdict upsert_head(FilterCall *call, HeadEdit *edit)
{
    const Pair *pair = (const Pair *)call_state(call);
    head_edit_set(edit, pair->key, pair->value);
    return PASS;
}

static Verdict append_head(FilterCall *call, HeadEdit *edit)
{
    const Pair *pair = (const Pair *)call_state(call);
    head_edit_add(edit, pair->key, pair->value);
    return PASS;
}

const FilterKind filter_remove_header = {
    .schema = {.name = S_INIT("remove-header"),
               .sentence = S_INIT("removes a field"),
               .property_count = 1,
               .properties = properties},
    .setup = pair_setup,
    .head = remove_head,
};

const FilterKind filter_upsert_header = {
    .schema = {.name = S_INIT("upsert-header"),
               .sentence = S_INIT("replaces a field, or adds it"),
               .property_count = SCHEMA_COUNT(properties),
               .properties = properties},
    .setup = pair_setup,
    .head = upsert_head,
};

const FilterKind filter_append_header = {
    .schema = {.name = S_INIT("append-header"),
               .sentence = S_INIT("adds a field beside those of its name"),
               .property_count = SCHEMA_COUNT(properties),
               .properties = properties},
    .setup = pair_setup,
    .head = append_head,
};
