/* print.c - the canonical form of a document: one way to write whatever was read.
 *
 * It is the form which the kdl-org test suites compare against: version 1 keeps the base of a
 * number and an empty block, version 2 does not. Printing what was printed changes nothing. */
#include "kdl/kdl.h"

#include "kdl/lex.h"

#define INDENT_SPACES 4u

typedef struct Printer {
    Arena *arena;
    Text *out;
    int version;
} Printer;

/* The letter of a one-letter escape, or 0. */
static uint8_t escape_letter(uint32_t c)
{
    switch (c) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '"':
    case '\\':
        return (uint8_t)c;
    default:
        return 0;
    }
}

static void print_quoted(Printer *p, Str s)
{
    size_t at = 0;
    text_byte(p->out, '"');
    while (at < s.len) {
        uint32_t c = 0;
        size_t len = kdl_code_point(s, at, &c);
        CHECK(len != 0);
        uint8_t letter = escape_letter(c);
        if (letter != 0) {
            text_byte(p->out, '\\');
            text_byte(p->out, letter);
        } else if (p->version == 2 && (kdl_is_banned(c) || kdl_newline(s, at, 2) != 0)) {
            text_add(p->out, S("\\u{"));
            text_hex(p->out, c, 1);
            text_byte(p->out, '}');
        } else {
            text_add(p->out, str_slice(s, at, at + len));
        }
        at += len;
    }
    text_byte(p->out, '"');
}

static void print_name(Printer *p, Str name)
{
    if (kdl_is_identifier(name, p->version)) {
        text_add(p->out, name);
    } else {
        print_quoted(p, name);
    }
}

static void print_type(Printer *p, bool has_type, Str type)
{
    if (has_type) {
        text_byte(p->out, '(');
        print_name(p, type);
        text_byte(p->out, ')');
    }
}

static void print_value(Printer *p, const KdlValue *value)
{
    print_type(p, value->has_type, value->type);
    if (value->kind != KDL_STRING) {
        text_add(p->out, value->based.len > 0 && p->version == 1 ? value->based : value->text);
    } else if (p->version == 2) {
        print_name(p, value->text);
    } else {
        print_quoted(p, value->text);
    }
}

static bool is_printed_property(const KdlEntry *e)
{
    return e->is_property && !e->overridden;
}

/* The node's properties by name, merged from two halves; names are unique here. */
static void sort_properties(const KdlEntry **list, const KdlEntry **room, size_t count)
{
    if (count < 2) {
        return;
    }
    size_t half = count / 2;
    sort_properties(list, room, half);
    sort_properties(&list[half], room, count - half);
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; i < count; i++) {
        bool take_left = right == count || (left < half && str_compare(list[left]->name,
                                                                       list[right]->name) <= 0);
        room[i] = take_left ? list[left++] : list[right++];
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = room[i];
    }
}

static Err print_properties(Printer *p, const KdlNode *node)
{
    size_t count = 0;
    for (const KdlEntry *e = node->entries; e; e = e->next) {
        count += is_printed_property(e) ? 1 : 0;
    }
    if (count == 0) {
        return ERR_OK;
    }
    const KdlEntry **list = arena_array(p->arena, const KdlEntry *, 2 * count);
    if (!list) {
        return ERR_MEMORY;
    }
    size_t i = 0;
    for (const KdlEntry *e = node->entries; e; e = e->next) {
        if (is_printed_property(e)) {
            list[i++] = e;
        }
    }
    sort_properties(list, &list[count], count);
    for (i = 0; i < count; i++) {
        text_byte(p->out, ' ');
        print_name(p, list[i]->name);
        text_byte(p->out, '=');
        print_value(p, &list[i]->value);
    }
    return ERR_OK;
}

static void print_indent(Printer *p, size_t depth)
{
    for (size_t i = 0; i < depth * INDENT_SPACES; i++) {
        text_byte(p->out, ' ');
    }
}

/* Depth is bounded by the parser (KDL_DEPTH_MAX). */
static Err print_nodes(Printer *p, const KdlNode *nodes, size_t depth)
{
    for (const KdlNode *node = nodes; node; node = node->next) {
        print_indent(p, depth);
        print_type(p, node->has_type, node->type);
        print_name(p, node->name);
        for (const KdlEntry *e = node->entries; e; e = e->next) {
            if (!e->is_property) {
                text_byte(p->out, ' ');
                print_value(p, &e->value);
            }
        }
        TRY(print_properties(p, node));
        if (node->children || (node->has_children && p->version == 1)) {
            text_add(p->out, S(" {\n"));
            TRY(print_nodes(p, node->children, depth + 1));
            print_indent(p, depth);
            text_byte(p->out, '}');
        }
        text_byte(p->out, '\n');
    }
    return ERR_OK;
}

Err kdl_print(Arena *a, const KdlDocument *document, Text *out)
{
    Printer p = {.arena = a, .out = out, .version = document->version};
    if (!document->nodes) {
        text_byte(out, '\n');
        return ERR_OK;
    }
    return print_nodes(&p, document->nodes, 0);
}
