/* describe.c - `river defaults`: the schema written as a configuration that loads.
 *
 * What has a default is written with it. What has none, is not supported yet, or stands instead of
 * something else is there too, but taken out by a slashdash. */
#include "config/describe.h"

#include "config/schema.h"

#define PATH_BYTES_MAX 256u
#define DEPTH_MAX 8u /* the schema is not deeper; see describe_children */

typedef struct Describer {
    Text *out;
} Describer;

static void begin_line(Describer *d, unsigned depth, Str start)
{
    for (unsigned i = 0; i < depth; i++) {
        text_add(d->out, S("    "));
    }
    text_add(d->out, start);
}

static bool is_quoted(SchemaType type)
{
    return type != SCHEMA_BOOL && type != SCHEMA_INTEGER;
}

static void add_value(Describer *d, const SchemaItem *item)
{
    Str value = item->fallback.len != 0 ? item->fallback : item->sample;
    if (value.len == 0) {
        value = str_cut(item->choices, '|').head;
    }
    Str quote = is_quoted(item->type) ? S("\"") : STR_NONE;
    text_add(d->out, quote);
    text_add(d->out, value);
    text_add(d->out, quote);
}

/* Written as is: it has a default, or it or an alternative is required. */
static bool is_written(const SchemaItem *item)
{
    bool needed = (item->flags & (SCHEMA_REQUIRED | SCHEMA_SHOWN)) != 0;
    return (item->fallback.len != 0 || needed) && !(item->flags & SCHEMA_LATER);
}

static void add_sentence(Describer *d, unsigned depth, Str sentence, bool later)
{
    begin_line(d, depth, S("// "));
    text_add(d->out, sentence);
    text_add(d->out, later ? S(" (not supported yet)\n") : S("\n"));
}

/* Each property on a line of its own, the line before it continued; then the unwritten ones. */
static void add_properties(Describer *d, const SchemaNode *from, unsigned depth)
{
    for (size_t i = 0; i < from->property_count; i++) {
        const SchemaItem *item = &from->properties[i];
        if (!is_written(item)) {
            continue;
        }
        text_add(d->out, S(" \\\n"));
        begin_line(d, depth + 1, STR_NONE);
        text_add(d->out, item->name);
        text_byte(d->out, '=');
        add_value(d, item);
    }
}

static void add_other_properties(Describer *d, const SchemaNode *from, unsigned depth)
{
    for (size_t i = 0; i < from->property_count; i++) {
        const SchemaItem *item = &from->properties[i];
        if (is_written(item)) {
            continue;
        }
        begin_line(d, depth + 1, S("// "));
        text_add(d->out, S("also: "));
        text_add(d->out, item->name);
        text_byte(d->out, '=');
        add_value(d, item);
        text_add(d->out, S(", "));
        text_add(d->out, item->sentence);
        text_add(d->out, item->flags & SCHEMA_LATER ? S(" (not supported yet)\n") : S("\n"));
    }
}

static void add_name(Describer *d, const SchemaNode *node)
{
    if (!(node->flags & SCHEMA_ANY_NAME)) {
        text_add(d->out, node->name);
    } else if (node->name_type == SCHEMA_ADDRESS) {
        text_byte(d->out, '"');
        text_add(d->out, node->sample);
        text_byte(d->out, '"');
    } else {
        text_add(d->out, node->sample);
    }
}

static void describe_children(Describer *d, const SchemaNode *node, unsigned depth);

/* A node by one of its variants. */
static void describe_variant(Describer *d, const SchemaNode *node, const SchemaNode *variant,
                             unsigned depth)
{
    bool later = ((node->flags | variant->flags) & SCHEMA_LATER) != 0;
    add_sentence(d, depth, variant->sentence, later);
    begin_line(d, depth, (variant->flags & SCHEMA_LATER) ? S("/- ") : STR_NONE);
    text_add(d->out, node->name);
    text_byte(d->out, ' ');
    text_add(d->out, node->variant_key);
    text_add(d->out, node->variant_key.len != 0 ? S("=\"") : S("\""));
    text_add(d->out, variant->name);
    text_byte(d->out, '"');
    add_properties(d, variant, depth);
    text_byte(d->out, '\n');
    add_other_properties(d, variant, depth);
}

/* Whether the node is written, but taken out. */
static bool is_slashed(const SchemaNode *node)
{
    if (node->flags & (SCHEMA_LATER | SCHEMA_ALTERNATIVE)) {
        return true;
    }
    const SchemaItem *first = node->argument_count != 0 ? &node->arguments[0] : NULL;
    bool bare = first && first->fallback.len == 0 && !(node->flags & SCHEMA_REQUIRED);
    return bare || (first && (first->flags & SCHEMA_LATER));
}

static void describe_node(Describer *d, const SchemaNode *node, unsigned depth)
{
    bool later = (node->flags & SCHEMA_LATER) ||
                 (node->argument_count != 0 && (node->arguments[0].flags & SCHEMA_LATER));
    add_sentence(d, depth, node->sentence, later);
    if (node->variant_key.len == 0) {
        begin_line(d, depth, is_slashed(node) ? S("/- ") : STR_NONE);
        add_name(d, node);
        for (size_t i = 0; i < node->argument_count; i++) {
            text_byte(d->out, ' ');
            add_value(d, &node->arguments[i]);
        }
        add_properties(d, node, depth);
        text_add(d->out, node->child_count != 0 ? S(" {\n") : S("\n"));
        add_other_properties(d, node, depth);
    }
    bool by_argument = node->variant_key.len == 0; /* the first variant is the default above */
    for (size_t i = by_argument ? 1 : 0; i < node->variant_count; i++) {
        describe_variant(d, node, schema_variant_at(node, i), depth);
    }
    if (node->child_count != 0) {
        describe_children(d, node, depth + 1);
        begin_line(d, depth, S("}\n"));
    }
}

static void describe_children(Describer *d, const SchemaNode *node, unsigned depth)
{
    CHECK(depth < DEPTH_MAX);
    for (size_t i = 0; i < node->child_count; i++) {
        describe_node(d, schema_at(node, i), depth);
    }
}

void describe_defaults(Text *out)
{
    Describer d = {.out = out};
    text_add(out, S("// River's options, each with its default. What begins with /- is taken out: "
                    "it has no default,\n// stands in place of something else, or is not "
                    "supported yet.\n"));
    describe_children(&d, &schema_root, 0);
}

/* Whether `path` is `wanted`, or ends with it after a slash. */
static bool path_ends(Str path, Str wanted)
{
    return str_ends(path, wanted) &&
           (path.len == wanted.len || str_at(path, path.len - wanted.len - 1) == '/');
}

static bool describe_below(Describer *d, const SchemaNode *node, Str path, Str wanted,
                           unsigned depth)
{
    bool any = false;
    CHECK(depth < DEPTH_MAX);
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        uint8_t room[PATH_BYTES_MAX];
        Text below = text_in(span_of(room, sizeof room));
        text_add(&below, path);
        text_add(&below, path.len != 0 ? S("/") : STR_NONE);
        text_add(&below, child->name);
        CHECK(!below.overflow);
        if (path_ends(text_str(&below), wanted)) {
            text_add(d->out, d->out->len > 0 ? S("\n// ") : S("// "));
            text_add(d->out, text_str(&below));
            text_add(d->out, S(":\n"));
            describe_node(d, child, 0);
            any = true;
        } else {
            any |= describe_below(d, child, text_str(&below), wanted, depth + 1);
        }
    }
    return any;
}

bool describe_defaults_of(Text *out, Str wanted)
{
    Describer d = {.out = out};
    return describe_below(&d, &schema_root, STR_NONE, wanted, 0);
}
