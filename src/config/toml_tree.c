/* toml_tree.c - builds the tree from what the library says of each part of the document. */
#include "config/toml_tree.h"

#include <river_toml.h>

typedef struct Builder {
    Arena *arena;
    Diagnostics *diagnostics;
    Str text;
    Err err; /* the worst so far */
    size_t depth;
    size_t beyond; /* how deep we are in what is nested too deeply */
    TomlItem **end[TOML_DEPTH_MAX]; /* of each open table and array: where its next item goes */
} Builder;

static Location location_of(const Builder *b, size_t from, size_t to)
{
    size_t first = from < b->text.len ? from : b->text.len;
    size_t behind = to < first ? first : to < b->text.len ? to : b->text.len;
    Location at = {(uint32_t)first, (uint32_t)(behind - first)};
    return at;
}

static Str copy_text(Builder *b, const char *text, size_t bytes)
{
    Str copied = STR_NONE;
    if (!arena_copy(b->arena, str_of(text, bytes), &copied)) {
        b->err = ERR_MEMORY;
    }
    return copied;
}

static void add_item(Builder *b, const river_toml_event *event, TomlKind kind)
{
    TomlItem *item = arena_new(b->arena, TomlItem);
    if (!item) {
        b->err = ERR_MEMORY;
        return;
    }
    item->kind = kind;
    item->place = location_of(b, event->from, event->to);
    item->key = copy_text(b, event->key, event->key_bytes);
    item->key_at =
        event->key_to > 0 ? location_of(b, event->key_from, event->key_to) : item->place;
    item->text = copy_text(b, event->text, event->text_bytes);
    *b->end[b->depth] = item;
    b->end[b->depth] = &item->next;
    if (kind == TOML_TABLE || kind == TOML_ARRAY) {
        b->depth++;
        b->end[b->depth] = &item->items;
    }
}

static void tree_fail(Builder *b, const river_toml_event *event, Str what)
{
    diagnostics_add(b->diagnostics, SEVERITY_ERROR, location_of(b, event->from, event->to),
                    STR_NONE, "%.*s", STR_ARG(what));
    b->err = b->err == ERR_OK ? ERR_SYNTAX : b->err;
}

/* Tables and arrays below the bound are reported once, at the outermost, and skipped. */
static bool is_beyond(Builder *b, const river_toml_event *event, bool opens, bool closes)
{
    if (b->beyond == 0 && opens && b->depth + 1 == TOML_DEPTH_MAX) {
        tree_fail(b, event, S("tables and arrays are nested too deeply here"));
    } else if (b->beyond == 0) {
        return false;
    }
    b->beyond += opens ? 1 : 0;
    b->beyond -= closes ? 1 : 0;
    return true;
}

static void on_event(void *context, const river_toml_event *event)
{
    Builder *b = context;
    bool opens = event->kind == RIVER_TOML_TABLE_OPEN || event->kind == RIVER_TOML_ARRAY_OPEN;
    bool closes = event->kind == RIVER_TOML_TABLE_CLOSE || event->kind == RIVER_TOML_ARRAY_CLOSE;
    if (b->err == ERR_MEMORY || is_beyond(b, event, opens, closes)) {
        return;
    }
    static const TomlKind kinds[] = {
        [RIVER_TOML_TABLE_OPEN] = TOML_TABLE, [RIVER_TOML_ARRAY_OPEN] = TOML_ARRAY,
        [RIVER_TOML_STRING] = TOML_STRING,    [RIVER_TOML_INTEGER] = TOML_INTEGER,
        [RIVER_TOML_FLOAT] = TOML_FLOAT,      [RIVER_TOML_BOOLEAN] = TOML_BOOL,
        [RIVER_TOML_DATE_TIME] = TOML_DATE,
    };
    if (event->kind == RIVER_TOML_MISTAKE) {
        tree_fail(b, event, str_of(event->text, event->text_bytes));
    } else if (closes) {
        b->depth--;
    } else {
        add_item(b, event, kinds[event->kind]);
    }
}

Err toml_read(Arena *a, Str text, Diagnostics *d, const TomlItem **ret)
{
    if (text.len > TOML_TEXT_BYTES_MAX) {
        Location start = {0, 0};
        diagnostics_add(d, SEVERITY_ERROR, start, STR_NONE, "the file is longer than %u bytes",
                        TOML_TEXT_BYTES_MAX);
        return ERR_LIMIT;
    }
    TomlItem *root = arena_new(a, TomlItem);
    if (!root) {
        return ERR_MEMORY;
    }
    Builder b = {.arena = a, .diagnostics = d, .text = text, .end = {&root->items}};
    bool fine = river_toml_walk((const char *)text.at, text.len, on_event, &b); /* foreign call */
    if (!fine && b.err == ERR_OK) {
        b.err = ERR_SYNTAX;
        diagnostics_add_from(d, SEVERITY_ERROR, d->file_name, STR_NONE, "this cannot be read");
    }
    *ret = root;
    return b.err;
}
