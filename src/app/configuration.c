/* configuration.c - loading, opening and closing what a configuration names. */
#include "app/configuration.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/cage.h"
#include "loop/log.h"

#define LISTS_BLOCK_BYTES 16384u
#define LISTS_BYTES_MAX (64u << 20)

void configuration_none(Configuration *c)
{
    *c = (Configuration){.region = REGION_NONE};
    blocks_init(&c->blocks, NULL, LISTS_BLOCK_BYTES, 0);
    arena_init(&c->arena, &c->blocks, LISTS_BYTES_MAX);
}

/* ---- loading ---- */

static Err load(Configuration *c, const Source *source, const Str *text, const Settings *renew,
                ConfigurationReport *report)
{
    Arena *a = &c->region.arena;
    Diagnostics *d = arena_new(a, Diagnostics);
    if (!d) {
        return ERR_MEMORY;
    }
    Str from = STR_NONE;
    if (!text) {
        TRY(source_read(source, report->arena, &from, &report->why));
    }
    TRY(arena_copy(a, text ? *text : from, &c->text) ? ERR_OK : ERR_MEMORY);
    Err err = source_load(source, a, c->text, renew, d, &c->settings);
    report->mistakes = d->error_count;
    if (d->count > 0 && config_show_diagnostics(report->arena, d, report->colour,
                                                &report->shown) != ERR_OK) {
        report->shown = STR_NONE;
    }
    return err;
}

Err configuration_load(Configuration *c, const Source *source, const Str *text,
                       const Settings *renew, ConfigurationReport *report)
{
    configuration_none(c);
    TRY(region_open(&c->region));
    Err err = load(c, source, text, renew, report);
    err = err == ERR_OK ? region_seal(&c->region) : err;
    if (err != ERR_OK) {
        configuration_drop(c);
    } else {
        tls_shelf_sweep(source->shelf); /* what no configuration has wanted since the last one */
    }
    return err;
}

void configuration_drop(Configuration *c)
{
    arena_reset(&c->arena);
    region_close(&c->region);
    configuration_none(c);
}

/* ---- opening ---- */

/* Opens the key logs; listeners that name one file share it. */
static Err open_key_logs(Configuration *c, Text *why)
{
    size_t count = c->settings->listener_count;
    StrMap paths;
    int *fds = arena_array(&c->arena, int, count);
    if (!fds || str_map_open(&c->arena, count, &paths) != ERR_OK) {
        return ERR_MEMORY;
    }
    c->key_logs = fds;
    c->key_log_count = count;
    for (size_t i = 0; i < count; i++) {
        c->key_logs[i] = -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        Str path = c->settings->listeners[i].tls.key_log_path;
        uint32_t first = i;
        if (path.len == 0) {
            continue;
        }
        if (str_map_find(&paths, 0, path, &first)) {
            c->key_logs[i] = c->key_logs[first];
            continue;
        }
        Err err = files_append(path, &c->key_logs[i]);
        if (err != ERR_OK) {
            text_format(why, "cannot write %.*s: %s", STR_ARG(path), err_sentence(err));
            return err;
        }
        str_map_add(&paths, 0, path, i);
        LOG(WARN, "the secrets of TLS sessions are written to a file", LOG_STR("path", path));
    }
    return ERR_OK;
}

static void close_key_logs(Configuration *c)
{
    for (size_t i = 0; i < c->key_log_count; i++) {
        bool first = true;
        for (size_t k = 0; k < i && first && c->key_logs[i] >= 0; k++) {
            first = c->key_logs[k] != c->key_logs[i];
        }
        if (first && c->key_logs[i] >= 0) {
            (void)close(c->key_logs[i]);
        }
    }
    c->key_log_count = 0;
}

static void close_roots(Configuration *c)
{
    for (size_t i = 0; i < c->root_count; i++) {
        (void)close(c->roots[i]);
    }
    c->root_count = 0;
}

Err configuration_open(Configuration *c, const Files *files, const ListenSet *before, Text *why)
{
    Err err = listen_open(&c->arena, c->settings, before, &c->listeners, why);
    if (err == ERR_OK) {
        err = open_key_logs(c, why);
    }
    if (err == ERR_OK) {
        err = files_roots(files, c->settings, &c->arena, &c->roots, &c->root_count, why);
    }
    if (err != ERR_OK) {
        configuration_close(c, before);
    }
    return err;
}

void configuration_close(Configuration *c, const ListenSet *stays)
{
    close_key_logs(c);
    close_roots(c);
    listen_close(&c->listeners, stays, true);
    arena_reset(&c->arena);
    c->listeners = (ListenSet){0};
}

/* ---- comparing ---- */

static bool same_directory(int a, int b)
{
    struct stat one;
    struct stat other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* The worker's copies of directories have numbers: the same ones must stand at the same places. */
static bool same_roots(const Configuration *a, const Configuration *b)
{
    bool same = a->root_count == b->root_count;
    for (size_t i = 0; same && i < a->root_count; i++) {
        same = str_equal(a->settings->roots[i], b->settings->roots[i]) &&
               same_directory(a->roots[i], b->roots[i]);
    }
    return same;
}

static bool same_key_logs(const Configuration *a, const Configuration *b)
{
    bool none = true;
    for (size_t i = 0; i < a->key_log_count; i++) {
        none = none && a->key_logs[i] < 0;
    }
    for (size_t i = 0; i < b->key_log_count; i++) {
        none = none && b->key_logs[i] < 0;
    }
    return none;
}

bool configuration_same_worker(const Configuration *a, const Configuration *b)
{
    return str_equal(a->settings->system_source, b->settings->system_source) &&
           cage_mark(a->settings) == cage_mark(b->settings) && same_roots(a, b) &&
           same_key_logs(a, b);
}
