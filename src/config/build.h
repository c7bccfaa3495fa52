/* build.h - from checked settings to the snapshot that the worker runs by. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "base/str_map.h"
#include "config/material.h"
#include "config/settings.h"
#include "proxy/snapshot.h"

/* What the supervisor has opened and read, in the order of the settings' listeners. */
typedef struct BuildInputs {
    size_t count;
    const int *fds COUNTED_BY(count);      /* the bound listeners */
    const int *key_logs COUNTED_BY(count); /* -1: none */
    const Material *material;
    TlsShelf *shelf; /* what was parsed before; NULL: nothing */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* the directories of Settings.roots */
} BuildInputs;

/* Builds the snapshot in `arena`. ERR_MEMORY; ERR_SYSTEM when the TLS library refuses what it took
 * when the configuration was checked. */
MUST_USE Err config_build(Arena *arena, const Settings *settings, const BuildInputs *inputs,
                          const Snapshot **ret);
/* Gives up what does not lie in the arena. */
void config_drop(const Snapshot *s);

/* Puts fresh servers where `material` has a part; sessions go on with those that they began with.
 * All or nothing; errors as of config_build. */
MUST_USE Err config_renew(const Snapshot *s, const Settings *settings, const BuildInputs *inputs,
                          Arena *scratch);

/* ---- within the room ---- */

/* The client of a connector, shared with an equal one of the `count` before it. */
typedef struct BuiltClient {
    const ConnectorSettings *connector;
    TlsClient *client;
} BuiltClient;
typedef struct BuiltClients {
    size_t room;
    BuiltClient *list COUNTED_BY(room);
    size_t count;
    TlsShelf *shelf;
} BuiltClients;

/* What is built, and what it is built of. */
typedef struct Builder {
    Arena *arena;
    const Settings *settings;
    const BuildInputs *inputs;
    Snapshot *snapshot;
    BuiltClients clients;
    StrMap origins; /* the first of each name */
    uint32_t *origin_next; /* the next of the same name; 0: none */
} Builder;

/* Room for the endpoints, and what answers the requests of a service (build_route.c). */
MUST_USE Err build_open(Builder *b);
MUST_USE Err build_routes(Builder *b, const ServiceSettings *from, Service *ret);
/* Gives up what routes hold outside of the arena. */
void drop_routes(const Service *s);
/* The filters of a service (build_filter.c). */
MUST_USE Err build_chains(Arena *a, const ServiceSettings *from, Snapshot *s, Service *ret);
/* Room in the snapshot for the limiters of all services. */
MUST_USE Err build_limiters(Arena *a, const Settings *settings, Snapshot *s);
/* Gives up what the filters hold outside of the arena. */
void drop_chains(const Service *s);
/* TLS of the whole snapshot (build_tls.c). */
MUST_USE Err build_slots(Arena *arena, const Settings *settings, const BuildInputs *inputs,
                         Snapshot *s);
MUST_USE Err build_client(BuiltClients *all, const Settings *settings,
                          const ConnectorSettings *connector, TlsClient **ret);

#endif
