/* build.c - generations of the snapshot: what is shared, built and freed. */
#include "build/build.h"

#include "base/clock.h"
#include "base/number.h"

#define PART_BLOCK_BYTES 4000u
#define GENERATION_BYTES_MAX (256u << 20)

/* ---- life ---- */

Err builder_open(Builder *b, Worker *w, CertificateCache *cache)
{
    *b = (Builder){.worker = w, .cache = cache};
    blocks_init(&b->blocks, NULL, PART_BLOCK_BYTES, 64);
    b->clients = (TlsClient **)memory_reserve(sizeof(TlsClient *) * POOL_ORIGINS_MAX);
    Err err = roster_open(&b->client_names, POOL_ORIGINS_MAX);
    if (err == ERR_OK && !b->clients) {
        err = ERR_MEMORY;
    }
    if (err != ERR_OK) {
        builder_close(b);
    }
    return err;
}

/* Frees parts that no generation and no exchange uses. */
static bool tidy_parts(Builder *b)
{
    bool more = false;
    for (Part **link = &b->parts; *link;) {
        Part *p = *link;
        if (p->holders > 0) {
            link = &p->next;
        } else if (worker_pins(b->worker, p->service.part) > 0) {
            more = true;
            link = &p->next;
        } else {
            *link = p->next;
            part_drop(b, p);
        }
    }
    return more;
}

static void generation_drop(Builder *b, Generation *g)
{
    drop_listeners(g);
    for (size_t i = 0; i < g->draining_count; i++) {
        if (g->draining[i].home) {
            g->draining[i].home->holders--;
        }
    }
    for (size_t i = 0; i < g->part_count; i++) {
        if (g->parts[i]) {
            g->parts[i]->holders--;
        }
    }
    worker_give_part(b->worker, g->part);
    arena_reset(&g->arena);
    memory_drop(NULL, g, sizeof *g);
}

/* Releases the home generations of draining listeners whose last client has gone. */
static bool tidy_draining(Builder *b, Generation *g)
{
    bool more = false;
    for (size_t i = 0; i < g->draining_count; i++) {
        DrainingListener *listener = &g->draining[i];
        if (listener->home && worker_listener_clients(b->worker, listener->place) == 0) {
            listener->home->holders--;
            listener->home = NULL;
        }
        more = more || listener->home;
    }
    return more;
}

/* Frees older generations once all threads use the newest. */
static bool tidy_generations(Builder *b)
{
    if (!worker_has_adopted(b->worker, b->newest->snapshot.number)) {
        return true;
    }
    bool more = tidy_draining(b, b->newest);
    for (Generation **link = &b->newest->next; *link;) {
        Generation *g = *link;
        if (g->holders > 0 || worker_pins(b->worker, g->part) > 0) {
            more = true;
            link = &g->next;
        } else {
            *link = g->next;
            generation_drop(b, g);
        }
    }
    return more;
}

bool builder_tidy(Builder *b)
{
    bool generations = b->newest && tidy_generations(b);
    bool parts = tidy_parts(b);
    bool clusters = clusters_tidy(b->worker, clock_ms()) != UINT32_MAX;
    bool more = generations || parts || clusters;
    if (!more && b->cache) {
        certificate_cache_sweep(b->cache);
    }
    return more;
}

void builder_close(Builder *b)
{
    while (b->newest) {
        Generation *g = b->newest;
        b->newest = g->next;
        generation_drop(b, g);
    }
    (void)tidy_parts(b);
    for (uint32_t i = 0; b->clients && i < b->client_names.touched; i++) {
        tls_client_unref(b->clients[i]);
    }
    roster_close(&b->client_names);
    memory_release(b->clients, sizeof(TlsClient *) * POOL_ORIGINS_MAX);
    blocks_drop(&b->blocks);
}

/* ---- a generation ---- */

/* The parts of the previous generation. Services mostly keep their index; a table of their names is
 * made only when one does not. */
typedef struct PartsBefore {
    const Generation *generation; /* NULL: none */
    Arena *arena;
    bool named;
    StrMap names;
} PartsBefore;

static Err name_parts(Arena *a, const Generation *before, StrMap *ret)
{
    size_t count = before ? before->part_count : 0;
    TRY(str_map_open(a, count, ret));
    for (uint32_t i = 0; i < count; i++) {
        str_map_add(ret, 0, before->parts[i]->service.name, i);
    }
    return ERR_OK;
}

/* Finds the part with these settings, first at index `at`; *ret is NULL if there is none. */
static Err find_part(PartsBefore *before, const ServiceSettings *from, uint32_t at, Part **ret)
{
    const Generation *g = before->generation;
    *ret = g && at < g->part_count ? g->parts[at] : NULL;
    if (!g || (*ret && fingerprint_equal(&(*ret)->identity, &from->identity))) {
        return ERR_OK;
    }
    if (*ret && str_equal((*ret)->service.name, from->name)) {
        *ret = NULL; /* names are unique */
        return ERR_OK;
    }
    if (!before->named) {
        TRY(name_parts(before->arena, g, &before->names));
        before->named = true;
    }
    bool found = str_map_find(&before->names, 0, from->name, &at);
    *ret = found && fingerprint_equal(&g->parts[at]->identity, &from->identity) ? g->parts[at]
                                                                                : NULL;
    return ERR_OK;
}

static Err build_services(Build *b, Arena *scratch)
{
    Generation *g = b->generation;
    PartsBefore before = {.generation = b->builder->newest, .arena = scratch};
    for (uint32_t i = 0; i < g->part_count; i++) {
        const ServiceSettings *from = b->settings->services[i];
        Part *p = NULL;
        TRY(find_part(&before, from, i, &p));
        if (!p) {
            TRY(build_part(b, from, &p));
        }
        p->holders++;
        g->parts[i] = p;
        g->snapshot.services[i] = &p->service;
    }
    return ERR_OK;
}

static Err generation_open(Build *b)
{
    Generation *g = b->generation;
    size_t count = b->settings->service_count;
    arena_init(&g->arena, &b->builder->blocks, GENERATION_BYTES_MAX);
    Part **parts = (Part **)arena_alloc_array(&g->arena, count, sizeof(Part *));
    const Service **services =
        (const Service **)arena_alloc_array(&g->arena, count, sizeof(Service *));
    if (!parts || !services) {
        return ERR_MEMORY;
    }
    g->part_count = count;
    g->parts = parts;
    g->snapshot.service_count = count;
    g->snapshot.services = services;
    return ERR_OK;
}

/* Frees a failed build at once: no thread has seen it. */
static void build_undo(Build *b)
{
    clusters_abandon(b->builder->worker);
    generation_drop(b->builder, b->generation);
    (void)tidy_parts(b->builder);
}

Err builder_build(Builder *b, const Settings *settings, const BuildInputs *inputs)
{
    CHECK(settings->listener_count == inputs->count);
    Generation *g = (Generation *)memory_new(NULL, sizeof *g);
    Err err = g ? worker_take_part(b->worker, &g->part) : ERR_MEMORY;
    if (err != ERR_OK) {
        memory_drop(NULL, g, sizeof *g);
        return err;
    }
    Build build = {.builder = b, .settings = settings, .inputs = inputs, .generation = g};
    Arena scratch;
    arena_init(&scratch, &b->blocks, GENERATION_BYTES_MAX);
    err = generation_open(&build);
    err = err == ERR_OK ? build_services(&build, &scratch) : err;
    err = err == ERR_OK ? build_listeners(&build) : err;
    arena_reset(&scratch);
    if (err != ERR_OK) {
        build_undo(&build);
        return err;
    }
    clusters_commit(b->worker);
    g->snapshot.number = ++b->number;
    g->next = b->newest;
    b->newest = g;
    return ERR_OK;
}
