/* build.h - from checked settings to the snapshot that the worker runs by, again and again: what
 * has not changed is shared with the snapshot before.
 *
 * A service as it was built is a `Part`: it lies in an arena of its own and keeps nothing of the
 * settings, so that those can go at once. Snapshots share parts that are the same (by the identity
 * of their settings); a part is freed when no snapshot has it and no exchange uses it. Everything
 * here runs on the worker's main thread, beside the traffic. */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include "base/str_map.h"
#include "config/settings.h"
#include "proxy/worker.h"

/* What the supervisor has opened, in the order of the settings' listeners. */
typedef struct BuildInputs {
    size_t count;
    const int *fds COUNTED_BY(count); /* the bound listeners; -1: the one that is there already */
    const int *key_logs COUNTED_BY(count); /* -1: none */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* the directories of Settings.roots */
} BuildInputs;

/* A service, as it was built. */
typedef struct Part {
    struct Part *next;
    Fingerprint identity;
    Fingerprint hosts; /* of the names that are its own */
    bool has_hosts;
    uint32_t holders; /* generations that have it */
    Arena arena;
    Service service;
    size_t cluster_room;
    uint32_t *clusters COUNTED_BY(cluster_room); /* held for it */
    size_t cluster_count;
    size_t client_room;
    uint32_t *clients COUNTED_BY(client_room); /* of endpoints that are spoken to with TLS */
    size_t client_count;
    size_t limiter_room;
    uint32_t *limiters COUNTED_BY(limiter_room);
    size_t limiter_count;
} Part;

/* The part of a service that it was built as. */
static inline const Part *part_of(const Service *s)
{
    return (const Part *)(const void *)((const char *)s - offsetof(Part, service));
}

/* The names of the services at an address, kept while they stay the same. */
typedef struct NameTable {
    uint32_t holders; /* generations that have it */
    Arena arena;
    HostNames names;
} NameTable;

/* A listener that leaves, and the snapshot in which it took clients. */
typedef struct DrainingListener {
    uint32_t place;
    struct Generation *home; /* NULL: all of its clients have gone */
    bool closed; /* its socket (the owner's to know) */
} DrainingListener;

/* A snapshot, and what it holds. */
typedef struct Generation {
    struct Generation *next; /* an older one */
    Arena arena;
    Snapshot snapshot;
    uint32_t part;    /* where exchanges are counted that use what lies in this arena */
    uint32_t holders; /* generations that have draining listeners from here */
    size_t part_count;
    Part **parts COUNTED_BY(part_count);
    size_t draining_room;
    DrainingListener *draining COUNTED_BY(draining_room);
    size_t draining_count;
    size_t table_count;
    NameTable **tables COUNTED_BY(table_count); /* by listeners' places; NULL: there is none */
} Generation;

typedef struct Builder {
    Worker *worker;
    Blocks blocks;
    Generation *newest; /* published, or about to be; older ones behind it */
    Part *parts;        /* all that there are */
    CertificateCache *cache;      /* what was parsed before; NULL: nothing */
    Roster client_names;  /* of connectors that speak TLS */
    TlsClient **clients;  /* by their numbers */
    uint64_t number;
} Builder;

/* ERR_MEMORY. The worker must outlive it, and so must the cache (NULL: none), which it sweeps when
 * what it replaced has gone. */
MUST_USE Err builder_open(Builder *b, Worker *w, CertificateCache *cache);
/* When the worker's threads have ended. */
void builder_close(Builder *b);

/* Builds the next snapshot; it is `newest` then, and the caller gives it to the worker. On failure
 * nothing has changed. ERR_MEMORY, ERR_FULL; ERR_SYSTEM when the TLS library refuses what it took
 * when the configuration was checked; ERR_MISSING: a listener has neither a descriptor nor a
 * predecessor. */
MUST_USE Err builder_build(Builder *b, const Settings *settings, const BuildInputs *inputs);

/* Frees what nobody uses any more. True: something is still used that no new request will use, so
 * it should be called again. */
bool builder_tidy(Builder *b);

/* ---- within the room ---- */

/* What is built now, and of what. */
typedef struct Build {
    Builder *builder;
    const Settings *settings;
    const BuildInputs *inputs;
    Generation *generation;
    Part *part;    /* the service that is being built ... */
    const ServiceSettings *service; /* ... from this */
    Arena *arena;  /* its */
} Build;

/* Makes a slice's bytes the part's own. */
MUST_USE static inline Err build_keep(Arena *a, Str *s)
{
    return arena_copy(a, *s, s) ? ERR_OK : ERR_MEMORY;
}

/* A service that has not been built yet (part.c). */
MUST_USE Err build_part(Build *b, const ServiceSettings *from, Part **ret);
/* Gives up all that a part holds; nobody uses it. */
void part_drop(Builder *b, Part *p);
/* What answers the requests of a service (route.c). */
MUST_USE Err build_routes(Build *b, const ServiceSettings *from, Service *ret);
/* Gives up what routes hold outside of the arena, and what the part holds of the worker's. */
void drop_routes(Builder *b, Part *p);
/* The filters of a service (filter.c). */
MUST_USE Err build_chains(Build *b, const ServiceSettings *from, Service *ret);
void drop_chains(Builder *b, Part *p);
/* What receives requests for all services at an address, the listener's place: it stands for the
 * one for all other hosts, or else the first, with the strictest limits of all. `was` is the
 * listener before, or NULL (hosts.c). */
MUST_USE Err build_default_service(Build *b, const ListenerSettings *from, uint32_t place,
                                   const Listener *was, const Service **ret);
void drop_name_tables(Generation *g);
/* The listeners (listener.c): those of the settings, and those that leave. */
MUST_USE Err build_listeners(Build *b);
void drop_listeners(Generation *g);
/* TLS (tls.c). Parts hold clients by their numbers. */
MUST_USE Err build_server(const ListenerSettings *from, int key_log_fd, CertificateCache *cache,
                          Arena *scratch, TlsServer **ret);
MUST_USE Err hold_client(Build *b, const ConnectorSettings *from, uint32_t *ret);
void release_client(Builder *b, uint32_t client);

#endif
