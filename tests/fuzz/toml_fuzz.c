/* toml_fuzz.c - configurations in TOML: loading ends in settings or in mistakes that can be shown,
 * every place lies within the text, and what is printed as KDL is read again as the same. */
#include "config/load.h"
#include "config/toml.h"

#include "fuzz.h"

static void within(Str text, Location at)
{
    MUST((size_t)at.from + at.len <= text.len);
}

static void check_places(Str text, const KdlNode *nodes)
{
    for (const KdlNode *n = nodes; n; n = n->next) {
        within(text, n->name_at);
        for (const KdlEntry *e = n->entries; e; e = e->next) {
            within(text, e->name_at);
            within(text, e->value.location);
            MUST(e->value.kind == KDL_STRING || e->value.text.len > 0);
        }
        check_places(text, n->children);
    }
}

/* The KDL of a document prints as itself. */
static void check_print(Arena *arena, Str text)
{
    Diagnostics *d = arena_new(arena, Diagnostics);
    Str once = STR_NONE;
    Str twice = STR_NONE;
    MUST(d != NULL);
    if (config_print_kdl(arena, S("fuzz.toml"), text, CONFIG_TOML, 1, d, &once) == ERR_OK) {
        MUST(config_print_kdl(arena, S("fuzz.kdl"), once, CONFIG_KDL, 1, d, &twice) == ERR_OK);
        MUST(str_equal(once, twice));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span copy = fuzz_copy(str_of(data, size));
    Str text = span_str(copy);
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    Str shown;
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&arena, &blocks, CONFIG_ARENA_BYTES_MAX);
    Diagnostics *d = arena_new(&arena, Diagnostics);
    MUST(d != NULL);
    KdlDocument document = {0};
    diagnostics_init(d, &arena, S("fuzz.toml"), text);
    Err err = toml_parse(&arena, text, 1, COMPAT_NONE, d, &document);
    MUST(err == ERR_OK || (err == ERR_SYNTAX && d->error_count > 0));
    check_places(text, document.nodes);
    check_print(&arena, text);

    const Settings *settings = NULL;
    ConfigOptions options = {.format = CONFIG_TOML};
    err = config_load(&arena, S("fuzz.toml"), text, &options, d, &settings);
    MUST(err == ERR_OK || err == ERR_SYNTAX);
    MUST((err == ERR_OK) == (d->error_count == 0));
    MUST(config_show_diagnostics(&arena, d, true, &shown) == ERR_OK);
    arena_reset(&arena);
    blocks_drop(&blocks);
    free(copy.at);
    return 0;
}
