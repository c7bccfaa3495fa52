/* describe_manual.c - the manual's option reference, generated so that it cannot lie. */
#include "config/describe.h"
#include "config/describe_tasks.h"
#include "config/schema.h"

#define PATH_BYTES_MAX 256u
#define DEPTH_MAX 8u
#define SEEN_MAX 64u

/* A section that has its table, and where. */
typedef struct Seen {
    const SchemaNode *node;
    size_t path_len;
    uint8_t path[PATH_BYTES_MAX];
} Seen;

/* A walk over the schema's sections: for a task, or for what is not supported yet. */
typedef struct Walk {
    Text *out;
    const Task *task; /* NULL: what is not supported yet */
    size_t seen_count;
    Seen seen[SEEN_MAX];
} Walk;

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
    text_add(out, S(" |\n"));
}

/* Whether a row with these flags belongs to this walk. */
static bool is_wanted(const Walk *w, unsigned flags)
{
    return ((flags & SCHEMA_LATER) != 0) == (w->task == NULL);
}

/* `later` is SCHEMA_LATER when the whole owner is, else 0. */
static size_t add_property_rows(Walk *w, Str owner, const SchemaNode *from, unsigned later)
{
    size_t count = 0;
    for (size_t i = 0; i < from->property_count; i++) {
        const SchemaItem *item = &from->properties[i];
        if (!is_wanted(w, item->flags | later)) {
            continue;
        }
        text_add(w->out, S("| `"));
        text_add(w->out, owner);
        text_byte(w->out, ' ');
        text_add(w->out, item->name);
        text_byte(w->out, '=');
        add_row_end(w->out, item, item->flags, item->sentence);
        count++;
    }
    return count;
}

static size_t add_variant_rows(Walk *w, const SchemaNode *node, unsigned section)
{
    size_t count = 0;
    for (size_t i = 0; i < node->variant_count; i++) {
        const SchemaNode *variant = schema_variant_at(node, i);
        unsigned later = (section | node->flags | variant->flags) & SCHEMA_LATER;
        if (is_wanted(w, later)) {
            text_add(w->out, S("| `"));
            text_add(w->out, node->name);
            text_byte(w->out, ' ');
            text_add(w->out, node->variant_key);
            text_add(w->out, node->variant_key.len != 0 ? S("=\"") : S("\""));
            text_add(w->out, variant->name);
            text_byte(w->out, '"');
            add_row_end(w->out, NULL, 0, variant->sentence);
            count++;
        }
        count += add_property_rows(w, variant->name, variant, later);
    }
    return count;
}

/* The rows of an option: itself, its properties, its variants. `section`: the section's flags. */
static size_t add_option(Walk *w, const SchemaNode *node, unsigned section)
{
    const SchemaItem *argument = node->argument_count != 0 ? &node->arguments[0] : NULL;
    unsigned later = (section | node->flags) & SCHEMA_LATER;
    unsigned flags = later | node->flags | (argument ? argument->flags : 0);
    size_t count = 0;
    if (node->variant_key.len == 0 && is_wanted(w, flags)) {
        text_add(w->out, S("| `"));
        text_add(w->out, node->name);
        if (argument) {
            text_byte(w->out, ' ');
            text_add(w->out, argument->name);
            text_add(w->out, argument->flags & SCHEMA_REPEATED ? S(" …") : STR_NONE);
        }
        for (size_t i = 1; i < node->argument_count; i++) {
            text_byte(w->out, ' ');
            text_add(w->out, node->arguments[i].name);
        }
        add_row_end(w->out, argument, flags, node->sentence);
        count++;
    }
    if (node->variant_key.len == 0) {
        count += add_property_rows(w, node->name, node, later);
    }
    return count + add_variant_rows(w, node, section);
}

/* In diagnostics a sentence follows a name and begins in lower case; here it stands alone. */
static void add_sentence(Text *out, Str sentence)
{
    if (sentence.len != 0 && sentence.at[0] >= 'a' && sentence.at[0] <= 'z') {
        text_byte(out, (uint8_t)(sentence.at[0] - 'a' + 'A'));
        sentence = str_drop(sentence, 1);
    }
    text_add(out, sentence);
    text_byte(out, '.');
}

/* The word after a section's name. */
static size_t add_argument_row(Walk *w, const SchemaNode *node, unsigned later)
{
    const SchemaItem *argument = node->argument_count != 0 ? &node->arguments[0] : NULL;
    if (!argument || argument->sentence.len == 0 || !is_wanted(w, later | argument->flags)) {
        return 0;
    }
    text_add(w->out, S("| `"));
    text_add(w->out, node->name);
    text_byte(w->out, ' ');
    text_add(w->out, argument->name);
    add_row_end(w->out, argument, argument->flags, argument->sentence);
    return 1;
}

/* Adds the section's table; without rows nothing at all. */
static size_t add_table(Walk *w, const SchemaNode *node, unsigned section)
{
    size_t before = w->out->len;
    text_add(w->out, S("\n| option | takes | default | means |\n|---|---|---|---|\n"));
    size_t count = add_argument_row(w, node, section & SCHEMA_LATER);
    count += add_property_rows(w, node->name, node, section & SCHEMA_LATER);
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        count += child->child_count == 0 ? add_option(w, child, section) : 0;
    }
    w->out->len = count > 0 ? w->out->len : before;
    return count;
}

/* Where the same section has its table already; empty: nowhere. */
static Str seen_at(const Walk *w, const SchemaNode *node)
{
    for (size_t i = 0; i < w->seen_count; i++) {
        if (w->seen[i].node->children == node->children) {
            return str_of(w->seen[i].path, w->seen[i].path_len);
        }
    }
    return STR_NONE;
}

static void remember_section(Walk *w, const SchemaNode *node, Str path)
{
    CHECK(w->seen_count < SEEN_MAX && path.len <= PATH_BYTES_MAX);
    Seen *s = &w->seen[w->seen_count++];
    s->node = node;
    s->path_len = span_copy(span_of(s->path, sizeof s->path), path);
}

/* `path` as an anchor: what GitHub and tools/site make of the heading. */
static void add_link(Text *out, Str path)
{
    text_add(out, S("[`"));
    text_add(out, path);
    text_add(out, S("`](#"));
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.at[i];
        if (c != '/') {
            text_byte(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
        }
    }
    text_byte(out, ')');
}

static void add_section(Walk *w, const SchemaNode *node, Str path, unsigned flags)
{
    size_t before = w->out->len;
    Str same = seen_at(w, node);
    text_add(w->out, S("\n### `"));
    text_add(w->out, path);
    text_add(w->out, w->task ? S("`\n\n") : S("`, later\n\n"));
    add_sentence(w->out, node->sentence);
    text_add(w->out, node->flags & SCHEMA_REQUIRED ? S(" Required.") : STR_NONE);
    if (same.len != 0) {
        text_add(w->out, S(" The same options as in "));
        add_link(w->out, same);
        text_byte(w->out, '.');
    }
    text_byte(w->out, '\n');
    size_t rows = same.len != 0 ? 0 : add_table(w, node, flags);
    bool all_later = w->task && rows == 0 && same.len == 0 && (flags & SCHEMA_LATER);
    if ((rows == 0 && !w->task) || all_later) {
        w->out->len = before;
    } else if (same.len == 0) {
        remember_section(w, node, path);
    }
}

/* Whether some option in it, or below, works. */
static bool is_empty(const SchemaNode *node)
{
    bool any = node->property_count != 0;
    for (size_t i = 0; i < node->child_count; i++) {
        const SchemaNode *child = schema_at(node, i);
        bool option = child->variant_key.len == 0 || child->variant_count != 0;
        any = any || (child->child_count == 0 ? option && !(child->flags & SCHEMA_LATER)
                                              : !is_empty(child));
    }
    return !any;
}

static void walk_below(Walk *w, const SchemaNode *node, Str path, unsigned flags, unsigned depth)
{
    CHECK(depth < DEPTH_MAX);
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
        CHECK(!below.overflow);
        Str here = text_str(&below);
        unsigned later = (flags | child->flags) & SCHEMA_LATER;
        bool mine = w->task == NULL || (task_of(here) == w->task && !is_empty(child));
        if (mine) {
            add_section(w, child, here, later);
        }
        walk_below(w, child, here, later, depth + 1);
    }
}

static void add_task(Walk *w, const Task *task)
{
    Text *out = w->out;
    w->task = task;
    text_add(out, S("\n## "));
    text_add(out, task->title);
    text_add(out, S("\n\n"));
    text_add(out, task->sentence);
    text_add(out, S("\n\n```kdl\n"));
    text_add(out, task->example);
    text_add(out, S("```\n"));
    walk_below(w, &schema_root, STR_NONE, 0, 0);
}

void describe_reference(Text *out)
{
    text_add(out, S(
        "# Options\n\nEvery option of the configuration file, by task; at the end those that are "
        "[not supported yet](#not-supported-yet).\nThis page is written by `river defaults "
        "--markdown`. `river defaults` prints a configuration with all of them,\n`river defaults "
        "SECTION` one section:\n\n```sh\nriver defaults overload\n```\n\n"
        "A heading is a section by its path: `services/NAME/overload` is `overload { … }` in a "
        "service of any\nname. In the tables, `max-headers N` is a line of its own in the section, "
        "such as `max-headers 64`;\n`ADDRESS weight=` belongs on the line of an address, as in "
        "`\"10.0.0.1:9000\" weight=2`.\n"));
    Walk now = {.out = out};
    for (size_t i = 0; i < task_count; i++) {
        add_task(&now, &tasks[i]);
    }
    Walk later = {.out = out};
    text_add(out, S("\n## Not supported yet\n\nThese options are understood and checked, and then "
                    "refused at their line.\n"));
    walk_below(&later, &schema_root, STR_NONE, 0, 0);
}
