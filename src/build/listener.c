/* listener.c - addresses where clients arrive, and draining ones that still have clients. */
#include "build/build.h"

#include "base/number.h"

/* ---- one listener ---- */

/* The place of the accepting listener of that name; LISTENER_PLACES_MAX: none. */
static uint32_t find_place(const StrMap *places, Str name)
{
    uint32_t place = LISTENER_PLACES_MAX;
    (void)str_map_find(places, 0, name, &place);
    return place;
}

/* What the listeners of a generation are built from. */
typedef struct Making {
    StrMap places;  /* of the previous listeners, by name */
    StrMap servers; /* the first listener with each TLS server, by TLS identity */
    Listener *all;
} Making;

static Str identity_of(const ListenerSettings *from)
{
    return str_of(from->tls.identity.words, sizeof from->tls.identity.words);
}

/* Reuses the previous listener's server if its TLS identity has not changed, so that sessions can
 * resume. Listeners with the same identity share a server. */
static Err server_of(const Build *b, Making *m, size_t i, const Listener *was, TlsServer **ret)
{
    const ListenerSettings *from = &b->settings->listeners[i];
    uint32_t first = (uint32_t)i;
    if (from->tls.pair_count == 0) {
        return ERR_OK;
    }
    if (str_map_find(&m->servers, 0, identity_of(from), &first)) {
        *ret = tls_server_ref(m->all[first].tls);
        return ERR_OK;
    }
    if (was && was->tls && fingerprint_equal(&was->tls_identity, &from->tls.identity)) {
        *ret = tls_server_ref(was->tls);
    } else {
        TRY(build_server(from, b->inputs->key_logs[i], b->builder->cache, &b->generation->arena,
                         ret));
    }
    str_map_add(&m->servers, 0, identity_of(from), first);
    return ERR_OK;
}

static Err listener_build(Build *b, Making *m, size_t i, uint32_t place, const Listener *was)
{
    Listener *ret = &m->all[i];
    const ListenerSettings *from = &b->settings->listeners[i];
    uint32_t only = from->services[0];
    int fd = b->inputs->fds[i];
    if (fd < 0 && !was) {
        return ERR_MISSING;
    }
    *ret = (Listener){.fd = fd >= 0 ? fd : was->fd,
                      .name = from->address.text,
                      .service = b->generation->snapshot.services[only],
                      .tls_identity = from->tls.identity,
                      .h2c = from->h2c,
                      .proxy_protocol = from->proxy_protocol};
    TRY(build_keep(&b->generation->arena, &ret->name));
    TRY(server_of(b, m, i, was, &ret->tls));
    bool shared = from->service_count > 1 || b->settings->services[only]->host_count > 0;
    return shared ? build_default_service(b, from, place, was, &ret->service) : ERR_OK;
}

/* ---- all of them ---- */

/* Finds a free place at or after *io_from. */
static Err free_place(const Snapshot *before, const Snapshot *s, uint32_t *io_from)
{
    uint32_t at = *io_from;
    while (at < s->listener_count &&
           (s->listeners[at] || (at < before->listener_count && before->listeners[at] &&
                                 !before->listeners[at]->leaving))) {
        at++;
    }
    *io_from = at;
    return at < s->listener_count ? ERR_OK : ERR_FULL;
}

static Err add_draining(Build *b, const Listener *was, DrainingListener listener)
{
    Generation *g = b->generation;
    Listener *l = arena_new(&g->arena, Listener);
    if (!l) {
        return ERR_MEMORY;
    }
    *l = *was;
    l->leaving = true;
    l->tls = was->tls ? tls_server_ref(was->tls) : NULL;
    CHECK(g->draining_count < g->draining_room);
    g->draining[g->draining_count++] = listener;
    listener.home->holders++;
    g->snapshot.listeners[listener.place] = l;
    return ERR_OK;
}

/* Keeps listeners that were draining before and still have clients. */
static Err keep_draining(Build *b, const Generation *before)
{
    for (size_t i = 0; i < before->draining_count; i++) {
        const DrainingListener *listener = &before->draining[i];
        if (listener->home && worker_listener_clients(b->builder->worker, listener->place) > 0) {
            TRY(add_draining(b, before->snapshot.listeners[listener->place], *listener));
        }
    }
    return ERR_OK;
}

/* Drains the listeners that the settings no longer name. */
static Err find_draining(Build *b, Generation *before, const bool *stays)
{
    for (uint32_t i = 0; i < before->snapshot.listener_count; i++) {
        const Listener *was = before->snapshot.listeners[i];
        if (was && !was->leaving && !stays[i]) {
            TRY(add_draining(b, was, (DrainingListener){.place = i, .home = before}));
        }
    }
    return ERR_OK;
}

static Err name_places(Arena *a, const Snapshot *before, StrMap *ret)
{
    TRY(str_map_open(a, before->listener_count, ret));
    for (uint32_t i = 0; i < before->listener_count; i++) {
        const Listener *l = before->listeners[i];
        if (l && !l->leaving) {
            str_map_add(ret, 0, l->name, i);
        }
    }
    return ERR_OK;
}

static Err lists_open(Build *b, const Generation *before)
{
    Generation *g = b->generation;
    size_t old = before->snapshot.listener_count;
    size_t places = size_min(old + b->settings->listener_count, LISTENER_PLACES_MAX);
    const Listener **listeners =
        (const Listener **)arena_alloc_array(&g->arena, places, sizeof(Listener *));
    NameTable **tables = (NameTable **)arena_alloc_array(&g->arena, places, sizeof(NameTable *));
    g->draining = arena_array(&g->arena, DrainingListener, old + 1);
    if (!listeners || !tables || !g->draining) {
        return ERR_MEMORY;
    }
    g->draining_room = old + 1;
    g->table_count = places;
    g->tables = tables;
    g->snapshot.listener_count = places;
    g->snapshot.listeners = listeners;
    return ERR_OK;
}

/* Chooses a listener's place, and builds it. */
static Err make_listener(Build *b, Making *m, const Snapshot *before, size_t i, uint32_t *io_free,
                         bool *stays)
{
    Snapshot *s = &b->generation->snapshot;
    bool fresh = b->inputs->fds[i] >= 0;
    uint32_t place = fresh ? LISTENER_PLACES_MAX
                           : find_place(&m->places, b->settings->listeners[i].address.text);
    const Listener *was = place < LISTENER_PLACES_MAX ? before->listeners[place] : NULL;
    if (was) {
        stays[place] = true;
    } else {
        TRY(free_place(before, s, io_free));
        place = *io_free;
    }
    s->listeners[place] = &m->all[i]; /* before building: on failure its server is dropped too */
    return listener_build(b, m, i, place, was);
}

Err build_listeners(Build *b)
{
    static Generation none;
    Generation *g = b->generation;
    Generation *before = b->builder->newest ? b->builder->newest : &none;
    Arena *a = &g->arena;
    size_t count = b->settings->listener_count;
    Making m = {.all = arena_array(a, Listener, count)};
    TRY(lists_open(b, before));
    TRY(name_places(a, &before->snapshot, &m.places));
    TRY(str_map_open(a, count, &m.servers));
    bool *stays = arena_array(a, bool, before->snapshot.listener_count + 1);
    if (!stays || !m.all) {
        return ERR_MEMORY;
    }
    TRY(keep_draining(b, before));
    uint32_t next = 0;
    for (size_t i = 0; i < count; i++) {
        TRY(make_listener(b, &m, &before->snapshot, i, &next, stays));
    }
    TRY(find_draining(b, before, stays));
    Snapshot *s = &g->snapshot;
    while (s->listener_count > 0 && !s->listeners[s->listener_count - 1]) {
        s->listener_count--;
    }
    return ERR_OK;
}

void drop_listeners(Generation *g)
{
    for (size_t i = 0; i < g->snapshot.listener_count; i++) {
        if (g->snapshot.listeners[i]) {
            tls_server_unref(g->snapshot.listeners[i]->tls);
        }
    }
    drop_name_tables(g);
}
