/* configuration.c - loads a configuration, and opens and closes what it names. */
#include "app/configuration.h"

#include "cage/cage.h"
#include "loop/log.h"

#define LISTS_BLOCK_BYTES 16384u
#define SHELF_SLACK 32u
#define LISTS_BYTES_MAX (64u << 20)

void configuration_none(Configuration *c)
{
    *c = (Configuration){0};
    blocks_init(&c->blocks, NULL, LISTS_BLOCK_BYTES, 0);
    arena_init(&c->arena, &c->blocks, LISTS_BYTES_MAX);
}

/* ---- memory ---- */

static Err memory_open(SettingsMemory **ret)
{
    SettingsMemory *m = (SettingsMemory *)memory_new(NULL, sizeof *m);
    Err err = m ? region_open(&m->region) : ERR_MEMORY;
    if (err != ERR_OK) {
        memory_drop(NULL, m, sizeof *m);
        return err;
    }
    m->holders = 1;
    *ret = m;
    return ERR_OK;
}

static void memory_let_go(SettingsMemory *m)
{
    if (m && --m->holders == 0) {
        region_close(&m->region);
        memory_drop(NULL, m, sizeof *m);
    }
}

/* ---- loading ---- */

/* `old`: its text is used; NULL: the file is read. */
static Err load_settings(Configuration *c, const Source *source, const Configuration *old,
                         const SourceBefore *before, ConfigurationReport *report)
{
    Arena *a = &c->own->region.arena;
    Diagnostics *d = arena_new(a, Diagnostics);
    if (!d) {
        return ERR_MEMORY;
    }
    if (old) {
        c->text_mark = old->text_mark;
        TRY(arena_copy(a, old->text, &c->text) ? ERR_OK : ERR_MEMORY);
    } else {
        TRY(source_read(source, a, &c->text, &c->text_mark, &report->why));
    }
    Err err = source_load(source, &c->own->region, c->text, before, d, &c->settings);
    report->mistakes = d->error_count;
    if (d->count > 0 && config_show_diagnostics(report->arena, d, report->colour,
                                                &report->shown) != ERR_OK) {
        report->shown = STR_NONE;
    }
    return err;
}

/* Loads over the base of the previous settings, or over those themselves if they have none, so that
 * settings never depend on more than one other. */
static Err load_over(Configuration *c, const Source *source, const ConfigurationOrigin *origin,
                     ConfigurationReport *report)
{
    const Configuration *old = origin->before;
    const Settings *base = old->settings->base ? old->settings->base : old->settings;
    SourceBefore before = {.base = base, .latest = old->settings};
    before.renew = origin->renew ? old->settings : NULL;
    TRY(memory_open(&c->own));
    c->base = old->base ? old->base : old->own;
    c->base->holders++;
    files_look_begin(source->files, base->files, base->file_count);
    Err err = load_settings(c, source, origin->renew ? old : NULL, &before, report);
    files_look_end(source->files);
    return err;
}

static Err load_whole(Configuration *c, const Source *source, const ConfigurationOrigin *origin,
                      ConfigurationReport *report)
{
    const Configuration *old = origin && origin->renew ? origin->before : NULL;
    SourceBefore before = {.renew = old ? old->settings : NULL};
    configuration_drop(c);
    report->why.len = 0;
    report->shown = STR_NONE;
    report->mistakes = 0;
    TRY(memory_open(&c->own));
    certificate_cache_turn(source->cache);
    TRY(load_settings(c, source, old, &before, report));
    certificate_cache_sweep(source->cache); /* entries that this one does not use */
    c->own->cache_count = certificate_cache_count(source->cache);
    return ERR_OK;
}

/* With a base it is unknown which cache entries are still used, so the cache only grows: it keeps
 * renewed certificates and their keys. */
static bool is_cache_full(const Source *source, const Configuration *before)
{
    const SettingsMemory *base = before->base ? before->base : before->own;
    return certificate_cache_count(source->cache) > 2 * base->cache_count + SHELF_SLACK;
}

Err configuration_load(Configuration *c, const Source *source, const ConfigurationOrigin *origin,
                       ConfigurationReport *report)
{
    configuration_none(c);
    bool over = origin && !is_cache_full(source, origin->before);
    Err err = over ? load_over(c, source, origin, report) : ERR_AGAIN;
    err = err == ERR_AGAIN ? load_whole(c, source, origin, report) : err;
    err = err == ERR_OK ? region_seal(&c->own->region) : err;
    if (err != ERR_OK) {
        configuration_drop(c);
    }
    return err;
}

void configuration_drop(Configuration *c)
{
    arena_reset(&c->arena);
    memory_let_go(c->own);
    memory_let_go(c->base);
    configuration_none(c);
}

/* ---- opening ---- */

static void close_roots(Configuration *c)
{
    for (size_t i = 0; i < c->root_count; i++) {
        root_close(&c->roots[i]);
    }
    c->root_count = 0;
}

Err configuration_open(Configuration *c, const Files *files, const ListenSet *before, Text *why)
{
    Err err = listen_open(&c->arena, c->settings, before, &c->listeners, why);
    if (err == ERR_OK) {
        err = key_logs_open(&c->arena, c->settings, &c->key_logs, why);
    }
    if (err == ERR_OK) {
        err = roots_open(files, c->settings, &c->arena, &c->roots, &c->root_count, why);
    }
    if (err != ERR_OK) {
        configuration_close(c, before);
    }
    return err;
}

void configuration_close(Configuration *c, const ListenSet *stays)
{
    key_logs_close(&c->key_logs);
    close_roots(c);
    listen_close(&c->listeners, stays, true);
    arena_reset(&c->arena);
    c->listeners = (ListenSet){0};
}

/* ---- comparing ---- */

/* The worker refers to its copies of directories by index, so each path must be at the same
 * index. */
static bool same_roots(const Configuration *a, const Configuration *b)
{
    bool same = a->root_count == b->root_count;
    for (size_t i = 0; same && i < a->root_count; i++) {
        same = str_equal(a->settings->roots[i], b->settings->roots[i]);
    }
    return same;
}

void configuration_keep_roots(Configuration *c, Configuration *old)
{
    CHECK(c->root_count == old->root_count);
    for (size_t i = 0; i < c->root_count; i++) {
        Root fresh = c->roots[i];
        c->roots[i] = old->roots[i];
        old->roots[i] = fresh;
    }
}

bool configuration_same_worker(const Configuration *a, const Configuration *b)
{
    return str_equal(a->settings->system_source, b->settings->system_source) &&
           cage_mark(a->settings) == cage_mark(b->settings) && same_roots(a, b) &&
           a->key_logs.count + b->key_logs.count == 0;
}
