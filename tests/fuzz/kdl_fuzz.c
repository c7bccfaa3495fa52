/* kdl_fuzz.c - KDL documents: what is printed reads as the same and prints as itself, every place
 * lies within the text, and mistakes can always be shown. The first byte chooses the version. */
#include "kdl/kdl.h"
#include "kdl/lex.h"

#include "fuzz.h"

#define PRINTED_BYTES_MAX (1u << 20)

typedef struct Memory {
    Budget budget;
    Blocks blocks;
    Arena arena;
} Memory;

static void within(Str text, Location at)
{
    MUST((size_t)at.from + at.len <= text.len);
}

static void check_value_places(Str text, const KdlValue *value)
{
    within(text, value->location);
    MUST(value->kind == KDL_STRING || value->text.len > 0);
    if (value->kind == KDL_STRING) {
        KdlFault fault = KDL_FAULT_NONE;
        MUST(kdl_find_banned(value->text, 1, &fault) == value->text.len);
    }
}

static void check_places(Str text, const KdlNode *nodes)
{
    for (const KdlNode *n = nodes; n; n = n->next) {
        within(text, n->name_at);
        for (const KdlEntry *e = n->entries; e; e = e->next) {
            within(text, e->name_at);
            check_value_places(text, &e->value);
        }
        check_places(text, n->children);
    }
}

/* The tokens of a text follow each other without a gap and end at its end. Only a fault may begin
 * later than its token: behind the white space that an open comment follows. */
static void check_tokens(Str text, int version)
{
    KdlToken token = kdl_token(text, 0, version);
    while (token.kind != KDL_TOKEN_END) {
        MUST(token.to > token.from && token.to <= text.len);
        MUST(token.body_from >= token.from && token.body_to <= token.to);
        KdlToken next = kdl_token(text, token.to, version);
        MUST(next.from == token.to || (next.kind == KDL_TOKEN_BAD && next.from > token.to));
        token = next;
    }
    MUST(token.from == text.len);
}

static bool print(Memory *m, Str text, int version, Span room, Str *ret)
{
    Diagnostics *d = arena_new(&m->arena, Diagnostics);
    KdlDocument document;
    MUST(d != NULL);
    diagnostics_init(d, &m->arena, S("fuzz.kdl"), text);
    Err err = kdl_parse(&m->arena, text, version, d, &document);
    MUST(err == ERR_OK || err == ERR_SYNTAX || err == ERR_LIMIT);
    MUST((err == ERR_OK) == (d->error_count == 0));
    if (err != ERR_OK) {
        Span shown;
        MUST(arena_span(&m->arena, diagnostics_print_bytes(d), &shown));
        Text out = text_in(shown);
        diagnostics_print(d, &out, true);
        MUST(!out.overflow);
        return false;
    }
    check_places(text, document.nodes);
    Text out = text_in(room);
    MUST(kdl_print(&m->arena, &document, &out) == ERR_OK);
    *ret = text_str(&out);
    return !out.overflow;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    int version = data[0] % 3;
    Span copy = fuzz_copy(str_drop(str_of(data, size), 1));
    Memory m = {.budget = {.max_bytes = 0}};
    Span once_room;
    Span twice_room;
    Str once;
    Str twice;
    blocks_init(&m.blocks, &m.budget, 65536, 4);
    arena_init(&m.arena, &m.blocks, 64u << 20);
    MUST(arena_span(&m.arena, PRINTED_BYTES_MAX, &once_room));
    MUST(arena_span(&m.arena, PRINTED_BYTES_MAX, &twice_room));
    check_tokens(span_str(copy), version == 0 ? 2 : version);
    if (print(&m, span_str(copy), version, once_room, &once) && version != 0) {
        MUST(print(&m, once, version, twice_room, &twice));
        MUST(str_equal(once, twice));
    }
    arena_reset(&m.arena);
    blocks_drop(&m.blocks);
    free(copy.at);
    return 0;
}
