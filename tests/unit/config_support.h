/* config_support.h - loading a configuration in a test: memory, diagnostics and the outcome. */
#ifndef TESTS_UNIT_CONFIG_SUPPORT_H
#define TESTS_UNIT_CONFIG_SUPPORT_H

#include <stdio.h>

#include "config/load.h"
#include "test.h"

#define FILE_BYTES_MAX (1u << 20)

typedef struct Loaded {
    Budget budget;
    Blocks blocks;
    Arena arena;
    Diagnostics *d;
    const Settings *settings; /* NULL unless `err` is ERR_OK */
    Err err;
} Loaded;

static inline void loaded_open(Loaded *l)
{
    *l = (Loaded){0};
    blocks_init(&l->blocks, &l->budget, 4096, 0);
    arena_init(&l->arena, &l->blocks, CONFIG_ARENA_BYTES_MAX);
    l->d = arena_new(&l->arena, Diagnostics);
}

static inline void loaded_close(Loaded *l)
{
    arena_reset(&l->arena);
    blocks_drop(&l->blocks);
    EXPECT_U64(l->budget.used_bytes, 0);
}

static inline void load_with(Loaded *l, Str text, const ConfigOptions *options)
{
    loaded_open(l);
    l->err = config_load(&l->arena, S("river.kdl"), text, options, l->d, &l->settings);
}

static inline void load(Loaded *l, Str text)
{
    load_with(l, text, NULL);
}

/* The diagnostics as text. */
static inline Str shown(Loaded *l)
{
    Str text = STR_NONE;
    EXPECT(config_show_diagnostics(&l->arena, l->d, false, &text) == ERR_OK);
    return text;
}

/* A file below the source tree; false when it is not there. */
static inline bool source_file(Arena *a, const char *path, Str *ret)
{
    char full[4096];
    Span room;
    snprintf(full, sizeof full, "%s/%s", SOURCE_ROOT, path);
    FILE *file = fopen(full, "rb");
    if (!file || !arena_span(a, FILE_BYTES_MAX, &room)) {
        return false;
    }
    *ret = str_of(room.at, fread(room.at, 1, room.len, file));
    fclose(file);
    return true;
}

/* Shorthands for small documents. */
#define LISTEN "listeners { \"127.0.0.1:80\" }; "
#define CONNECT "connectors { \"127.0.0.1:81\" }; "
#define MINIMAL "services { A { " LISTEN CONNECT "} }"
#define SERVICE(options) "services { A { " LISTEN CONNECT options " } }"
#define SYSTEM(options) "system { " options " }; " MINIMAL
#define LISTENER(text) "services { A { listeners { " text " }; " CONNECT "} }"
#define CONNECTOR(text) "services { A { " LISTEN "connectors { " text " } } }"
#define BALANCE(text) CONNECTOR("load-balance { " text " }; \"127.0.0.1:81\"")
/* Two services of one address, told apart by hosts; open at the end. */
#define HOSTS(one, two)                                                                            \
    "services { A { " LISTEN "hosts \"" one "\"; respond }; B { " LISTEN "hosts \"" two "\"; "     \
    "respond };"
#define ROUTES(text) "services { A { " LISTEN "routes { " text " } } }"

#endif
