/* describe_manual.c - the manual's option reference, generated so that it cannot lie. */
#include "config/describe.h"
#include "config/schema.h"

#define PATH_BYTES_MAX 256u
#define DEPTH_MAX 8u

static void add_type(Text *out, const SchemaItem *item)
{
    if (item->type != SCHEMA_CHOICE) {
        text_add(out, schema_type_name(item->type));
        if (item->type == SCHEMA_INTEGER) {
            text_format(out, " %llu to %llu", (unsigned long long)item->min,
                        (unsigned long long)item->max);
        }
        return;
    }
    Str lists[] = {item->choices, item->later_choices};
    bool first = true;
    for (size_t i = 0; i < 2; i++) {
        Str word;
        while (schema_next_choice(&lists[i], &word)) {
            text_add(out, first ? STR_NONE : S(", "));
            text_byte(out, '`');
            text_add(out, word);
            text_byte(out, '`');
            first = false;
        }
    }
}

/* The columns after the name. `flags` are those of the option as a whole. */
static void add_row_end(Text *out, const SchemaItem *item, unsigned flags, Str sentence)
{
    text_add(out, S("` | "));
    if (item) {
        add_type(out, item);
    }
    text_add(out, S(" | "));
    if (item && item->fallback.len != 0) {
        text_byte(out, '`');
        text_add(out, item->fallback);
        text_byte(out, '`');
    } else if (flags & SCHEMA_REQUIRED) {
        text_add(out, S("required"));
    }
    text_add(out, S(" | "));
    text_add(out, sentence);
    if (item && item->later_choices.len != 0) {
        Str words = item->later_choices;
        Str word;
        bool first = true;
        text_add(out, S(" (not supported yet: "));
        while (schema_next_choice(&words, &word)) {
            text_add(out, first ? STR_NONE : S(", "));
            text_add(out, word);
            first = false;
        }
        text_byte(out, ')');
    }
    text_add(out, flags & SCHEMA_LATER ? S(". *Not supported yet.*") : STR_NONE);
    text_add(out, S(" |\n"));
}

/* `later` is SCHEMA_LATER when the whole owner is, else 0. */
static void add_property_rows(Text *out, Str owner, const SchemaNode *from, unsigned later)
{
    for (size_t i = 0; i < from->property_count; i++) {
        const SchemaItem *item = &from->properties[i];
        text_add(out, S("| `"));
        text_add(out, owner);
        text_byte(out, ' ');
        text_add(out, item->name);
        text_byte(out, '=');
        add_row_end(out, item, item->flags | later, item->sentence);
    }
}

static void add_variant_rows(Text *out, const SchemaNode *node)
{
    for (size_t i = 0; i < node->variant_count; i++) {
        const SchemaNode *variant = schema_variant_at(node, i);
        unsigned later = (node->flags | variant->flags) & SCHEMA_LATER;
        text_add(out, S("| `"));
        text_add(out, node->name);
        text_byte(out, ' ');
        text_add(out, node->variant_key);
        text_add(out, node->variant_key.len != 0 ? S("=\"") : S("\""));
        text_add(out, variant->name);
        text_byte(out, '"');
        add_row_end(out, NULL, later, variant->sentence);
        add_property_rows(out, variant->name, variant, later);
    }
}

/* The rows of an option: itself, its properties, its variants. */
static void add_option(Text *out, const SchemaNode *node)
{
    const SchemaItem *argument = node->argument_count != 0 ? &node->arguments[0] : NULL;
    if (node->variant_key.len == 0) {
        text_add(out, S("| `"));
        text_add(out, node->name);
        if (argument) {
            text_byte(out, ' ');
            text_add(out, argument->name);
            text_add(out, argument->flags & SCHEMA_REPEATED ? S(" …") : STR_NONE);
        }
        add_row_end(out, argument, node->flags | (argument ? argument->flags : 0), node->sentence);
        add_property_rows(out, node->name, node, node->flags & SCHEMA_LATER);
    }
    add_variant_rows(out, node);
}

static void add_section(Text *out, const SchemaNode *node, Str path, unsigned depth);

static void add_sections_below(Text *out, const SchemaNode *node, Str path, unsigned depth)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        uint8_t room[PATH_BYTES_MAX];
        Text below = text_in(span_of(room, sizeof room));
        if (child->child_count == 0) {
            continue;
        }
        text_add(&below, path);
        text_add(&below, path.len != 0 ? S("/") : STR_NONE);
        text_add(&below, child->name);
        CHECK(!below.overflow && depth < DEPTH_MAX);
        add_section(out, child, text_str(&below), depth + 1);
    }
}

/* Whether an option has a row at all: `filter` has none where no kind of filter belongs. */
static bool has_rows(const SchemaNode *node)
{
    bool any = node->property_count != 0;
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        bool is_option = child->child_count == 0;
        any = any || (is_option && (child->variant_key.len == 0 || child->variant_count != 0));
    }
    return any;
}

static bool has_sections(const SchemaNode *node)
{
    bool any = false;
    for (size_t i = 0; i < node->child_count; i++) {
        any = any || schema_at(node, i)->child_count != 0;
    }
    return any;
}

/* In diagnostics a sentence follows a name and begins in lower case; here it stands alone. */
static void add_sentence(Text *out, Str sentence)
{
    if (sentence.len != 0 && sentence.at[0] >= 'a' && sentence.at[0] <= 'z') {
        text_byte(out, (uint8_t)(sentence.at[0] - 'a' + 'A'));
        sentence = str_drop(sentence, 1);
    }
    text_add(out, sentence);
}

static void add_section(Text *out, const SchemaNode *node, Str path, unsigned depth)
{
    text_add(out, S("\n## `"));
    text_add(out, path);
    text_add(out, S("`\n\n"));
    add_sentence(out, node->sentence);
    text_add(out, node->flags & SCHEMA_REQUIRED ? S(". Required.") : S("."));
    text_add(out, node->flags & SCHEMA_LATER ? S(" *Not supported yet.*\n") : S("\n"));
    if (has_rows(node)) {
        text_add(out, S("\n| option | takes | default | means |\n|---|---|---|---|\n"));
        add_property_rows(out, node->name, node, 0);
        for (size_t i = 0; i < node->child_count; i++) {
            const SchemaNode *child = schema_at(node, i);
            if (child->child_count == 0) {
                add_option(out, child);
            }
        }
    }
    if (!has_rows(node) && !has_sections(node)) {
        text_add(out, S("\nNothing can be written here yet.\n"));
    }
    add_sections_below(out, node, path, depth);
}

void describe_reference(Text *out)
{
    text_add(out, S("# Options\n\nEvery option of the configuration file. This page is written by "
                    "`river defaults --markdown`;\n`river defaults` prints a configuration with "
                    "all of them.\n\n"
                    "A heading is a section by its path: `services/NAME/overload` is "
                    "`overload { … }` in a service of any\nname. In the tables, `max-headers N` "
                    "is a line of its own in the section, such as `max-headers 64`;\n"
                    "`ADDRESS weight=` belongs on the line of an address, as in "
                    "`\"10.0.0.1:9000\" weight=2`.\n"));
    add_sections_below(out, &schema_root, STR_NONE, 0);
}
