/* kdl_tree_test.c - what a document's tree remembers: places, exact numbers, all mistakes; and its
 * bounds, and memory that runs out at every step. */
#include "base/text.h"
#include "kdl_support.h"
#include "test.h"

static Err parse(KdlFixture *f, Str text, int version, KdlDocument *ret)
{
    f->diagnostics = arena_new(&f->arena, Diagnostics);
    if (!f->diagnostics) {
        return ERR_MEMORY;
    }
    diagnostics_init(f->diagnostics, &f->arena, S("test.kdl"), text);
    return kdl_parse(&f->arena, text, version, f->diagnostics, ret);
}

static Str part(Str text, Location at)
{
    return str_slice(text, at.from, (size_t)at.from + at.len);
}

TEST("every name and value of a document knows where it stands")
{
    static const Str text = S_INIT("one\n(t)two \"x y\" (u)12 key=(v)\"z\" {\n  three\n}\n");
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, text, 2, &d) == ERR_OK);
    const KdlNode *two = d.nodes->next;
    EXPECT_STR(part(text, d.nodes->name_at), S("one"));
    EXPECT_STR(part(text, two->name_at), S("two"));
    EXPECT_STR(two->type, S("t"));
    EXPECT_STR(part(text, two->entries->value.location), S("\"x y\""));
    EXPECT_STR(part(text, two->entries->next->value.location), S("(u)12"));
    const KdlEntry *key = two->entries->next->next;
    EXPECT_STR(part(text, key->name_at), S("key"));
    EXPECT_STR(part(text, key->value.location), S("(v)\"z\""));
    EXPECT_STR(part(text, two->children->name_at), S("three"));
    kdl_close(&f);
}

TEST("an integer is exact, and says whether 64 bits hold it")
{
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, S("a 18446744073709551615 18446744073709551616 -1 0xff 1.0"), 2, &d) ==
           ERR_OK);
    const KdlEntry *e = d.nodes->entries;
    EXPECT(e->value.fits && e->value.number == UINT64_MAX);
    e = e->next;
    EXPECT(!e->value.fits);
    EXPECT_STR(e->value.text, S("18446744073709551616"));
    EXPECT(!e->next->value.fits && e->next->value.kind == KDL_INTEGER);
    EXPECT(e->next->next->value.fits && e->next->next->value.number == 255);
    EXPECT(e->next->next->next->value.kind == KDL_FLOAT);
    kdl_close(&f);
}

TEST("an overridden property stays in the tree and is marked")
{
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, S("a x=1 y=2 x=3"), 2, &d) == ERR_OK);
    const KdlEntry *e = d.nodes->entries;
    EXPECT(e->overridden);
    EXPECT(!e->next->overridden);
    EXPECT(!e->next->next->overridden);
    kdl_close(&f);
}

TEST("one run reports the mistakes of all nodes, each at its place")
{
    static const Str text = S_INIT("a 1x\nb \"ok\"\nc {\n  d =\n  e 0x\n}\nf (t\ng\n");
    static const uint32_t lines[] = {1, 4, 5, 7};
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, text, 2, &d) == ERR_SYNTAX);
    EXPECT_U64(f.diagnostics->count, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < f.diagnostics->count && i < sizeof lines / sizeof lines[0]; i++) {
        EXPECT_U64(place_of(text, f.diagnostics->list[i].location.from).line, lines[i]);
    }
    kdl_close(&f);
}

TEST("when both versions fail, the mistakes of the one that got further are reported")
{
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, S("a true\nb r\"x\"\nc 1x\n"), 0, &d) == ERR_SYNTAX);
    EXPECT_U64(place_of(f.diagnostics->text, f.diagnostics->list[0].location.from).line, 3);
    EXPECT(parse(&f, S("a #true\nb #\"x\"#\nc 1x\n"), 0, &d) == ERR_SYNTAX);
    EXPECT_U64(place_of(f.diagnostics->text, f.diagnostics->list[0].location.from).line, 3);
    kdl_close(&f);
}

static Str repeated(KdlFixture *f, Str piece, size_t times, Str tail)
{
    Span room;
    if (!arena_span(&f->arena, piece.len * times + tail.len, &room)) {
        return STR_NONE;
    }
    Text t = text_in(room);
    for (size_t i = 0; i < times; i++) {
        text_add(&t, piece);
    }
    text_add(&t, tail);
    return text_str(&t);
}

TEST("depth, size and lengths are bounded, and the bound is said")
{
    KdlFixture f;
    KdlDocument d;
    kdl_open(&f);
    EXPECT(parse(&f, repeated(&f, S("a {"), KDL_DEPTH_MAX + 1, STR_NONE), 2, &d) == ERR_LIMIT);
    EXPECT_STR(f.diagnostics->list[0].message, S("blocks are nested more than 64 deep"));
    EXPECT(parse(&f, repeated(&f, S("a\n"), KDL_ITEMS_MAX + 1, STR_NONE), 2, &d) == ERR_LIMIT);
    EXPECT(parse(&f, repeated(&f, S("1"), 2000, STR_NONE), 2, &d) == ERR_SYNTAX);
    EXPECT(parse(&f, str_of("", (size_t)KDL_TEXT_BYTES_MAX + 1), 2, &d) == ERR_LIMIT);
    kdl_close(&f);
    kdl_open(&f);
    Str many = repeated(&f, S("!\n"), 5000, STR_NONE);
    EXPECT(parse(&f, many, 1, &d) == ERR_OK);
    many = repeated(&f, S("=\n"), 5000, STR_NONE);
    EXPECT(parse(&f, many, 1, &d) == ERR_SYNTAX);
    EXPECT_U64(f.diagnostics->count, DIAGNOSTICS_MAX);
    EXPECT_U64(f.diagnostics->more, 5000 - DIAGNOSTICS_MAX);
    EXPECT_U64(f.diagnostics->error_count, 5000);
    kdl_close(&f);
}

TEST("a document is read or ERR_MEMORY is returned, whichever allocation fails")
{
    static const Str text = S_INIT("(t)node \"e\\nscape\" 0xffff x=1 x=2 {\n"
                                   "child \"\"\"\n  a\n  b\n  \"\"\"\n}\nc 1x\n");
    bool done = false;
    for (long n = 0; n < 1000 && !done; n++) {
        KdlFixture f;
        KdlDocument d = {0};
        f = (KdlFixture){.budget = {.max_bytes = 0}};
        blocks_init(&f.blocks, &f.budget, 256, 0);
        arena_init(&f.arena, &f.blocks, 1u << 20);
        memory_fail_after(n);
        Err err = parse(&f, text, 0, &d);
        memory_fail_after(-1);
        done = err == ERR_SYNTAX && !f.diagnostics->out_of_memory;
        EXPECT(err == ERR_SYNTAX || err == ERR_MEMORY);
        kdl_close(&f);
    }
    EXPECT(done);
}

TEST("kdl: a block that is never closed is looked for by its indentation")
{
    static const struct {
        Str text;
        uint32_t from;
    } rows[] = {
        {S_INIT("a {\n"), 2},
        {S_INIT("a {\n b {\n  c {\n   d\n }\n e\n}\n"), 13}, /* c's lines end before `}` */
        {S_INIT("a {\n b {\n  c\n d {\n  e\n }\n}\n"), 7},      /* d is beside b */
        {S_INIT("a {\n b {\n  c\n }\n"), 2},                  /* nothing tells: the outermost */
        {S_INIT("a {\n\tb {\n\t\tc\n\td\n}\n"), 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Blocks blocks;
        Arena arena;
        KdlDocument document;
        blocks_init(&blocks, NULL, 4096, 0);
        arena_init(&arena, &blocks, 1 << 20);
        Diagnostics *d = arena_new(&arena, Diagnostics);
        diagnostics_init(d, &arena, S("x"), rows[i].text);
        EXPECT(kdl_parse(&arena, rows[i].text, 2, d, &document) == ERR_SYNTAX);
        EXPECT_STR(d->list[0].message, S("this block is never closed"));
        EXPECT_U64(d->list[0].location.from, rows[i].from);
        arena_reset(&arena);
        blocks_drop(&blocks);
    }
}
