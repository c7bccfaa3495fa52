/* kdl_support.c - reading and printing KDL documents in tests. */
#include "kdl_support.h"

#include "test.h"

#define PRINTED_BYTES_MAX 65536u

void kdl_open(KdlFixture *f)
{
    *f = (KdlFixture){.budget = {.max_bytes = 0}};
    blocks_init(&f->blocks, &f->budget, 65536, 4);
    arena_init(&f->arena, &f->blocks, 256u << 20);
    f->diagnostics = NULL;
}

void kdl_close(KdlFixture *f)
{
    arena_reset(&f->arena);
    blocks_drop(&f->blocks);
}

Err kdl_canonical(KdlFixture *f, Str text, int version, Str *ret)
{
    KdlDocument document;
    Span room;
    f->diagnostics = arena_new(&f->arena, Diagnostics);
    if (!f->diagnostics || !arena_span(&f->arena, PRINTED_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    diagnostics_init(f->diagnostics, &f->arena, S("test.kdl"), text);
    TRY(kdl_parse(&f->arena, text, version, f->diagnostics, &document));
    Text out = text_in(room);
    TRY(kdl_print(&f->arena, &document, &out));
    *ret = text_str(&out);
    return out.overflow ? ERR_LIMIT : ERR_OK;
}

/* A copy of exactly the text's length, so that AddressSanitizer sees a read past its end. */
static Str exact_copy(KdlFixture *f, const char *text)
{
    Str from = str_from_c(text);
    void *at = memory_new(&f->budget, from.len + 1);
    Span room = span_of(at, from.len);
    span_copy(room, from);
    memory_poison((uint8_t *)at + from.len, 1);
    return span_str(room);
}

static void drop_copy(KdlFixture *f, Str copy)
{
    void *at = (void *)(uintptr_t)copy.at;
    memory_unpoison(at, copy.len + 1);
    memory_drop(&f->budget, at, copy.len + 1);
}

static void check_case(const KdlCase *one, int version)
{
    KdlFixture f;
    Str printed = STR_NONE;
    Str again = STR_NONE;
    kdl_open(&f);
    Str text = exact_copy(&f, one->text);
    Err err = kdl_canonical(&f, text, version, &printed);
    if (!one->printed) {
        test_expect(err == ERR_SYNTAX, one->text, "refused", version);
        test_expect(f.diagnostics->error_count > 0, one->text, "explained", version);
    } else {
        test_expect(err == ERR_OK, one->text, "accepted", version);
        test_expect_str(printed, str_from_c(one->printed), one->text, "printed", version);
        err = kdl_canonical(&f, printed, version, &again);
        test_expect(err == ERR_OK, one->text, "accepted again", version);
        test_expect_str(again, printed, one->text, "printed again", version);
    }
    drop_copy(&f, text);
    kdl_close(&f);
}

void kdl_check_cases(const KdlCase *cases, size_t count, int version)
{
    for (size_t i = 0; i < count; i++) {
        check_case(&cases[i], version);
    }
}
