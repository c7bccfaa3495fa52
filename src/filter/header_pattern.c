/* header_pattern.c - `remove-header-key-regex` and `remove-header-key-glob`: fields whose name
 * matches a pattern. The case of names means nothing (RFC 9110 §5.1), so it is ignored. */
#include "filter/filters.h"
#include "filter/patterns.h"

enum { PATTERN };

static const SchemaItem regex_properties[] = {
    [PATTERN] = ITEM_VALUE("pattern", PATTERN, SCHEMA_REQUIRED, "^x-internal-",
                           "a regular expression for the field's name; case is ignored, and a part "
                           "of the name is enough"),
};
static const SchemaItem glob_properties[] = {
    [PATTERN] = ITEM_VALUE("pattern", NAME, SCHEMA_REQUIRED, "x-internal-*",
                           "the field's name, * for any characters and ? for one; case is ignored"),
};

static const void *regex_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    return filter_pattern(setup, PATTERN, PATTERN_NOCASE, arena, ret_mistake);
}

static void regex_drop(const void *state)
{
    pattern_close((Pattern *)(uintptr_t)state);
}

static Verdict regex_head(FilterCall *call, HeadEdit *edit)
{
    const Pattern *pattern = (const Pattern *)call_state(call);
    for (size_t i = 0; i < edit->count; i++) {
        EditField *f = &edit->fields[i];
        f->removed = f->removed || pattern_matches(pattern, f->name);
    }
    return PASS;
}

static const void *glob_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    Glob *glob = arena_new(arena, Glob);
    if (glob && glob_make(setup->values[PATTERN].text, true, glob) != ERR_OK) {
        *ret_mistake = (FilterMistake){
            .value = PATTERN,
            .sentence = S("this pattern is too long: it may hold 63 characters beside its stars")};
        return NULL;
    }
    return glob;
}

static Verdict glob_head(FilterCall *call, HeadEdit *edit)
{
    const Glob *glob = (const Glob *)call_state(call);
    for (size_t i = 0; i < edit->count; i++) {
        EditField *f = &edit->fields[i];
        f->removed = f->removed || glob_matches(glob, f->name);
    }
    return PASS;
}

const FilterKind filter_remove_header_key_regex = {
    .schema = {.name = S_INIT("remove-header-key-regex"),
               .sentence = S_INIT("removes fields whose name matches a regular expression"),
               .property_count = SCHEMA_COUNT(regex_properties),
               .properties = regex_properties},
    .setup = regex_setup,
    .drop = regex_drop,
    .head = regex_head,
};

const FilterKind filter_remove_header_key_glob = {
    .schema = {.name = S_INIT("remove-header-key-glob"),
               .sentence = S_INIT("removes fields whose name matches a pattern with * and ?"),
               .property_count = SCHEMA_COUNT(glob_properties),
               .properties = glob_properties},
    .setup = glob_setup,
    .head = glob_head,
};
