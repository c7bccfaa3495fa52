/* assemble_fuzz.c - a configuration of several files, with snippets and variables. The input is the
 * main text and those of the files "0", "1" and so on, each followed by a byte 0xff. What is
 * assembled consists of pieces of the files, and reading it over itself says the same. */
#include "config/load.h"

#include "again.h"
#include "fuzz.h"

#define FILES_MAX 10u

typedef struct Texts {
    Str list[FILES_MAX];
    size_t count;
} Texts;

static const Str names[FILES_MAX] = {S_INIT("0"), S_INIT("1"), S_INIT("2"), S_INIT("3"),
                                     S_INIT("4"), S_INIT("5"), S_INIT("6"), S_INIT("7"),
                                     S_INIT("8"), S_INIT("9")};

static uint64_t same_mark(void *context, Str path)
{
    (void)context;
    (void)path;
    return 1;
}

static Err read_text(void *context, Arena *a, Str path, size_t bytes_max, WatchedPath *ret)
{
    const Texts *texts = (const Texts *)context;
    ret->mark = 1;
    ret->settled = true;
    for (size_t i = 0; i < texts->count; i++) {
        if (str_equal(path, names[i])) {
            return texts->list[i].len > bytes_max ? ERR_LIMIT
                   : arena_copy(a, texts->list[i], &ret->text) ? ERR_OK
                                                        : ERR_MEMORY;
        }
    }
    return ERR_MISSING;
}

static Err list_names(void *context, Arena *a, Str path, Str **ret, size_t *ret_count,
                uint64_t *ret_mark)
{
    const Texts *texts = (const Texts *)context;
    *ret = arena_array(a, Str, FILES_MAX);
    *ret_count = 0;
    *ret_mark = 1;
    for (size_t i = 0; *ret && i < texts->count && str_equal(path, S("./")); i++) {
        (*ret)[(*ret_count)++] = names[texts->count - 1 - i];
    }
    return *ret ? ERR_OK : ERR_MEMORY;
}

static bool look_up(void *context, Str name, Str *ret)
{
    (void)context;
    *ret = name;
    return name.len % 2 == 0;
}

static Err read_file(void *context, Arena *a, FileSettings *file)
{
    (void)context;
    file->mark = 1;
    file->settled = true;
    return arena_copy(a, file->path, &file->bytes) ? ERR_OK : ERR_MEMORY;
}

/* Each piece is what its file says there, or a newline that was put in. */
static void check_map(const Assembly *assembly)
{
    const SourceMap *map = &assembly->map;
    for (size_t i = 0; i < map->piece_count; i++) {
        const SourcePiece *piece = &map->pieces[i];
        size_t to = i + 1 < map->piece_count ? map->pieces[i + 1].from : assembly->text.len;
        Str is = str_slice(assembly->text, piece->from, to);
        MUST(piece->from < to && piece->file < map->file_count);
        Str there = str_drop(map->files[piece->file].text, piece->offset);
        MUST(str_equal(is, S("\n")) || str_starts(there, is));
    }
}

static Err load(Arena *a, const ConfigFiles *files, Str text, const Settings *base,
                const Settings **ret)
{
    Str said = STR_NONE;
    ConfigOptions options = {.files = files, .base = base};
    Diagnostics *d = arena_new(a, Diagnostics);
    MUST(d != NULL);
    Err err = config_load(a, S("main"), text, &options, d, ret);
    MUST(config_show_diagnostics(a, d, false, &said) == ERR_OK);
    return err == ERR_OK && d->count > 0 ? ERR_SYNTAX : err; /* warnings: nothing is read over it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span copy = fuzz_copy(str_of(data, size));
    StrCut parts = str_cut(span_str(copy), 0xff);
    Texts texts = {.count = 0};
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    const Settings *whole = NULL;
    const Settings *over = NULL;
    for (Str rest = parts.tail; rest.len > 0 && texts.count < FILES_MAX;) {
        StrCut cut = str_cut(rest, 0xff);
        texts.list[texts.count++] = cut.head;
        rest = cut.tail;
    }
    ConfigFiles files = {.context = &texts,
                         .read = read_file,
                         .read_text = read_text,
                         .text_mark = same_mark,
                         .list = list_names,
                         .environment = look_up};
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&arena, &blocks, 2 * CONFIG_ARENA_BYTES_MAX);
    if (load(&arena, &files, parts.head, NULL, &whole) == ERR_OK) {
        check_map(whole->assembly);
        Err err = load(&arena, &files, parts.head, whole, &over);
        MUST(err == ERR_OK || err == ERR_AGAIN);
        MUST(err == ERR_AGAIN || !again_difference(&arena, whole, over));
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
    free(copy.at);
    return 0;
}
