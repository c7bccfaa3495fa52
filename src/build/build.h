/* build.h - builds the worker's snapshot from checked settings, again and again: what has not
 * changed is shared with the previous snapshot.
 *
 * A built service is a `Part`: it lies in an arena of its own and keeps no pointer into the
 * settings, so that those can be freed at once. Snapshots share equal parts (by the identity of
 * their settings); a part is freed when no snapshot and no exchange uses it. Everything here runs
 * on the worker's main thread, in parallel to the traffic. */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include "base/str_map.h"
#include "config/settings.h"
#include "proxy/worker.h"

/* What the supervisor has opened, in the order of the settings' listeners. */
typedef struct BuildInputs {
    size_t count;
    const int *fds COUNTED_BY(count); /* bound listeners; -1: the worker already has it */
    const int *key_logs COUNTED_BY(count); /* -1: none */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* directories of Settings.roots */
} BuildInputs;

/* A built service. */
typedef struct Part {
    struct Part *next;
    Fingerprint identity;
    Fingerprint hosts; /* of its own host names */
    bool has_hosts;
    uint32_t holders; /* number of generations that use it */
    Arena arena;
    Service service;
    size_t cluster_room;
    uint32_t *clusters COUNTED_BY(cluster_room); /* held on its behalf */
    size_t cluster_count;
    size_t client_room;
    uint32_t *clients COUNTED_BY(client_room); /* of endpoints that are reached over TLS */
    size_t client_count;
    size_t limiter_room;
    uint32_t *limiters COUNTED_BY(limiter_room);
    size_t limiter_count;
    size_t own_room;
    Service **own COUNTED_BY(own_room); /* the service as some of its routes have it */
    size_t own_count;
} Part;

/* The part that a service belongs to. */
static inline const Part *part_of(const Service *s)
{
    return (const Part *)(const void *)((const char *)s - offsetof(Part, service));
}

/* The host names of all services at an address, kept while they do not change. */
typedef struct NameTable {
    uint32_t holders; /* number of generations that use it */
    Arena arena;
    HostNames names;
} NameTable;

/* A draining listener, and the snapshot in which it accepted clients. */
typedef struct DrainingListener {
    uint32_t place;
    struct Generation *home; /* NULL: all its clients are gone */
    bool closed; /* its socket is closed (maintained by the owner) */
} DrainingListener;

/* A snapshot and all that it holds. */
typedef struct Generation {
    struct Generation *next; /* the next older one */
    Arena arena;
    Snapshot snapshot;
    uint32_t part;    /* the part number under which exchanges are counted that use this arena */
    uint32_t holders; /* number of generations with draining listeners from this one */
    size_t part_count;
    Part **parts COUNTED_BY(part_count);
    size_t draining_room;
    DrainingListener *draining COUNTED_BY(draining_room);
    size_t draining_count;
    size_t table_count;
    NameTable **tables COUNTED_BY(table_count); /* indexed by listener place; NULL: none */
} Generation;

typedef struct Builder {
    Worker *worker;
    Blocks blocks;
    Generation *newest; /* published or about to be; older ones follow it */
    Part *parts;        /* list of all parts */
    CertificateCache *cache;      /* parsed files, reused; NULL: none */
    Roster client_names;  /* of connectors that speak TLS */
    TlsClient **clients;  /* indexed by their numbers */
    uint64_t number;
} Builder;

/* ERR_MEMORY. The worker and the cache (NULL: none) must outlive the builder, which sweeps the
 * cache when replaced parts are gone. */
MUST_USE Err builder_open(Builder *b, Worker *w, CertificateCache *cache);
/* Call after the worker's threads have ended. */
void builder_close(Builder *b);

/* Builds the next snapshot as `newest`; the caller passes it to the worker. On failure nothing has
 * changed. ERR_MEMORY, ERR_FULL; ERR_SYSTEM: the TLS library rejects what it accepted when the
 * configuration was checked; ERR_MISSING: a listener has neither a descriptor nor a predecessor. */
MUST_USE Err builder_build(Builder *b, const Settings *settings, const BuildInputs *inputs);

/* Frees what is no longer used. True: something is still in use that no new request will use, so
 * call again. */
bool builder_tidy(Builder *b);

/* ---- internal to this room ---- */

/* The state of one build. */
typedef struct Build {
    Builder *builder;
    const Settings *settings;
    const BuildInputs *inputs;
    Generation *generation;
    Part *part;    /* the service being built ... */
    const ServiceSettings *service; /* ... from this */
    Arena *arena;  /* of the part */
} Build;

/* Copies a slice's bytes into the arena. */
MUST_USE static inline Err build_keep(Arena *a, Str *s)
{
    return arena_copy(a, *s, s) ? ERR_OK : ERR_MEMORY;
}

/* Builds a service that has no part yet (part.c). */
MUST_USE Err build_part(Build *b, const ServiceSettings *from, Part **ret);
/* Releases all that an unused part holds. */
void part_drop(Builder *b, Part *p);
/* Rules for paths; their body is still the settings' (part.c). */
Normalization build_normalization(const NormalizationSettings *from);
/* The routes of a service (route.c). */
MUST_USE Err build_routes(Build *b, const ServiceSettings *from, Service *ret);
/* A redirect as a handler; its texts are kept in the arena. */
MUST_USE Err build_redirect(Arena *a, const Redirect *from, FilterUse *ret);
/* The service as a route has it, from a copy of its settings that the route has changed: filters
 * that both have are the service's own (part.c). */
MUST_USE Err build_own(Build *b, const ServiceSettings *from, const Service *service,
                       const Service **ret);
/* Releases what routes hold outside the arena, and what the part holds at the worker. */
void drop_routes(Builder *b, Part *p);
/* The filters of a service (filter.c). */
MUST_USE Err build_chains(Build *b, const ServiceSettings *from, Service *ret);
/* The same for a route: what `ret` has, a copy of the service, and then the rest. */
MUST_USE Err build_more_filters(Build *b, const ServiceSettings *from, Service *ret);
void drop_chains(Builder *b, Part *p);
/* The service that receives requests for all services at an address, the listener's place: the one
 * for all other hosts, else the first, with the strictest limits of all. `was` is the previous
 * listener, or NULL (hosts.c). */
MUST_USE Err build_default_service(Build *b, const ListenerSettings *from, uint32_t place,
                                   const Listener *was, const Service **ret);
void drop_name_tables(Generation *g);
/* The listeners (listener.c): those of the settings, and draining ones. */
MUST_USE Err build_listeners(Build *b);
void drop_listeners(Generation *g);
/* TLS (tls.c). Parts hold clients by number. */
MUST_USE Err build_server(const ListenerSettings *from, int key_log_fd, CertificateCache *cache,
                          Arena *scratch, TlsServer **ret);
MUST_USE Err hold_client(Build *b, const ConnectorSettings *from, uint32_t *ret);
void release_client(Builder *b, uint32_t client);

#endif
