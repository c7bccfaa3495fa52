/* section.c - an option's value: the one that is written, or else the schema's default. */
#include "config/section.h"

#include "base/number.h"
#include "config/check.h"

Section section_child(Section s, Str name)
{
    const SchemaNode *schema = schema_child(s.schema, name);
    CHECK(schema != NULL);
    Section child = {.schema = schema,
                     .node = node_find(s.node ? s.node->children : NULL, name)};
    return child;
}

Option section_value(Section s)
{
    CHECK(s.schema->argument_count != 0);
    Option o = {.item = &s.schema->arguments[0], .entry = node_argument(s.node)};
    return o;
}

Option section_property(Section s, Str name)
{
    Option o = {.item = schema_property(s.schema, name), .entry = node_property(s.node, name)};
    CHECK(o.item != NULL);
    return o;
}

Str option_text(Option o)
{
    return o.entry ? o.entry->value.text : o.item->fallback;
}

uint64_t option_number(Option o)
{
    uint64_t number = 0;
    if (o.entry) {
        CHECK(o.entry->value.fits);
        return o.entry->value.number;
    }
    if (o.item->fallback.len != 0) {
        CHECK(number_decimal(o.item->fallback, UINT64_MAX, &number) == ERR_OK);
    }
    return number;
}

bool option_bool(Option o)
{
    return o.entry ? o.entry->value.truth : str_equal(o.item->fallback, S("true"));
}

unsigned option_choice(Option o)
{
    Str choices = o.item->choices;
    Str word;
    unsigned i = 0;
    while (schema_next_choice(&choices, &word) && !str_equal(word, option_text(o))) {
        i++;
    }
    return i;
}
