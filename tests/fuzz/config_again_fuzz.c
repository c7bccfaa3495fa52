/* config_again_fuzz.c - a configuration, edited: what is made of it over the one before is what is
 * made of it when all of it is read. The input is a text, a byte 0xff, and edits: where (two
 * bytes), how many bytes go (one), how many come (one), and those. */
#include "config/load.h"

#include "again.h"
#include "fuzz.h"

#define TEXT_BYTES_MAX 65536u
#define EDIT_HEAD_BYTES 4u

static size_t byte_of(Str s, size_t i)
{
    return (size_t)str_peek(s, i);
}

/* The text after all edits; those that lie behind its end are at its end. */
static Str edited(Str text, Str edits, Span one, Span other)
{
    Str now = str_take(text, one.len / 2);
    while (edits.len >= EDIT_HEAD_BYTES) {
        size_t at = byte_of(edits, 0) << 8 | byte_of(edits, 1);
        size_t gone = byte_of(edits, 2);
        size_t come = byte_of(edits, 3);
        Text t = text_in(other);
        edits = str_drop(edits, EDIT_HEAD_BYTES);
        text_add(&t, str_take(now, at));
        text_add(&t, str_take(edits, come));
        text_add(&t, str_drop(str_drop(now, at), gone));
        edits = str_drop(edits, come);
        if (t.overflow) {
            break;
        }
        now = text_str(&t);
        Span swap = one;
        one = other;
        other = swap;
    }
    return now;
}

/* Every file that is asked for holds its own name. */
static Err read_file(void *context, Arena *a, FileSettings *file)
{
    (void)context;
    file->mark = 1;
    file->settled = true;
    return arena_copy(a, file->path, &file->bytes) ? ERR_OK : ERR_MEMORY;
}

static void look_at_files(void *context, const FileSettings *files, size_t count, uint64_t *ret)
{
    (void)context;
    (void)files;
    for (size_t i = 0; i < count; i++) {
        ret[i] = 1;
    }
}

static Err load(Arena *a, Str text, const Settings *base, Diagnostics **ret_d, const Settings **ret)
{
    static const ConfigFiles files = {.read = read_file, .marks = look_at_files};
    ConfigOptions options = {.files = &files, .base = base};
    *ret_d = arena_new(a, Diagnostics);
    MUST(*ret_d != NULL);
    return config_load(a, S("fuzz.kdl"), text, &options, *ret_d, ret);
}

static void compare(Arena *a, Str text, const Settings *base)
{
    Diagnostics *d;
    const Settings *over = NULL;
    const Settings *whole = NULL;
    Err err = load(a, text, base, &d, &over);
    MUST(err == ERR_OK || err == ERR_AGAIN);
    if (err == ERR_AGAIN) {
        return;
    }
    MUST(load(a, text, NULL, &d, &whole) == ERR_OK && d->count == 0);
    const char *difference = again_difference(a, whole, over);
    if (difference) {
        fprintf(stderr, "not the same: %s\n", difference);
    }
    MUST(!difference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span copy = fuzz_copy(str_of(data, size));
    StrCut parts = str_cut(span_str(copy), 0xff);
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    Diagnostics *d;
    const Settings *base = NULL;
    Span one = {0};
    Span other = {0};
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&arena, &blocks, 2 * CONFIG_ARENA_BYTES_MAX);
    MUST(arena_span(&arena, TEXT_BYTES_MAX, &one) && arena_span(&arena, TEXT_BYTES_MAX, &other));
    if (load(&arena, parts.head, NULL, &d, &base) == ERR_OK) {
        compare(&arena, edited(parts.head, parts.tail, one, other), base);
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
    free(copy.at);
    return 0;
}
