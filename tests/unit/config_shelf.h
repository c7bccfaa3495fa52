/* config_shelf.h - files and an environment in memory, for tests of configurations. */
#ifndef TESTS_UNIT_CONFIG_SHELF_H
#define TESTS_UNIT_CONFIG_SHELF_H

#include "config_support.h"
#include "tls_support.h"

#define NOW_S INT64_C(1800000000)
#define SHELF_FILES 40u
#define SHELF_TEXT_BYTES 2000u

typedef struct ShelfFile {
    Str path;
    Str text;
    uint64_t mark;
} ShelfFile;

typedef struct Shelf {
    ShelfFile files[SHELF_FILES];
    size_t count;
    unsigned reads;
} Shelf;

static inline ShelfFile *shelf_find(Shelf *s, Str path)
{
    for (size_t i = 0; i < s->count; i++) {
        if (str_equal(s->files[i].path, path)) {
            return &s->files[i];
        }
    }
    return NULL;
}

static inline void shelf_put(Shelf *s, Str path, Str text)
{
    ShelfFile *file = shelf_find(s, path);
    if (!file) {
        CHECK(s->count < SHELF_FILES);
        file = &s->files[s->count++];
    }
    *file = (ShelfFile){.path = path, .text = text, .mark = file->mark + 1};
}

static inline void shelf_remove(Shelf *s, Str path)
{
    ShelfFile *file = shelf_find(s, path);
    if (file) {
        *file = s->files[--s->count];
    }
}

static inline uint64_t shelf_mark(void *context, Str path)
{
    const ShelfFile *file = shelf_find((Shelf *)context, path);
    return file ? file->mark : 0;
}

static inline Err shelf_text(void *context, Arena *a, Str path, size_t bytes_max, WatchedPath *ret)
{
    Shelf *s = (Shelf *)context;
    const ShelfFile *file = shelf_find(s, path);
    s->reads++;
    ret->mark = file ? file->mark : 0;
    ret->settled = true;
    if (!file) {
        return ERR_MISSING;
    }
    if (file->text.len > bytes_max) {
        return ERR_LIMIT;
    }
    return arena_copy(a, file->text, &ret->text) ? ERR_OK : ERR_MEMORY;
}

static inline Err shelf_list(void *context, Arena *a, Str path, Str **ret, size_t *ret_count,
                      uint64_t *ret_mark)
{
    const Shelf *s = (const Shelf *)context;
    Str *list = arena_array(a, Str, SHELF_FILES);
    path = str_equal(path, S("./")) ? S("") : path;
    *ret_count = 0;
    *ret_mark = s->count;
    *ret = list;
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < s->count; i++) {
        Str rest = str_drop(s->files[i].path, path.len);
        bool here = str_starts(s->files[i].path, path) && str_find(rest, '/', 0) == rest.len;
        if (here && !str_starts(rest, S("."))) {
            list[(*ret_count)++] = rest;
        }
    }
    return str_equal(path, S("none/")) ? ERR_MISSING : ERR_OK;
}

static inline bool shelf_environment(void *context, Str name, Str *ret)
{
    (void)context;
    *ret = str_equal(name, S("PORT"))     ? S("8099")
           : str_equal(name, S("EMPTY"))  ? S("")
           : str_equal(name, S("SECRET")) ? S("x-very-secret")
                                          : S("host.example");
    return str_equal(name, S("PORT")) || str_equal(name, S("EMPTY")) ||
           str_equal(name, S("SECRET")) || str_equal(name, S("HOST"));
}

static inline Err shelf_read(void *context, Arena *a, FileSettings *file)
{
    Shelf *s = (Shelf *)context;
    const ShelfFile *there = shelf_find(s, file->path);
    file->mark = there ? there->mark : 0;
    file->settled = true;
    return there && arena_copy(a, there->text, &file->bytes) ? ERR_OK : ERR_MISSING;
}

static inline ConfigFiles shelf_files(Shelf *s)
{
    return (ConfigFiles){.context = s,
                         .read = shelf_read,
                         .read_text = shelf_text,
                         .text_mark = shelf_mark,
                         .list = shelf_list,
                         .environment = shelf_environment,
                         .now_s = NOW_S};
}

/* What loading says, or "" with settings. */
static inline Str load_from(Loaded *l, Shelf *s, ConfigFiles *files, Str text)
{
    *files = shelf_files(s);
    ConfigOptions options = {.files = files};
    load_with(l, text, &options);
    return l->err == ERR_OK && l->d->count == 0 ? S("") : shown(l);
}

static inline void tls_shelf(Shelf *s)
{
    static const char *const names[] = {"a.pem", "a.key", "wild.pem", "wild.key"};
    for (size_t i = 0; i < 4; i++) {
        shelf_put(s, str_from_c(names[i]), fixture(names[i]));
    }
}

#define SHARED "127.0.0.1:443"
#define ANSWER(name, port) name " { listeners { \"127.0.0.1:" port "\" }; respond }\n"
#define AROUND(services) "services {\n" services "}\n"

#endif
