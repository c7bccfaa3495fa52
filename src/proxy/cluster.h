/* cluster.h - the endpoints that requests are balanced over, and how they come and go.
 *
 * A cluster has a name and a number, and outlives each configuration that names it, like counters
 * and pools (registry.c). At any time it has one **endpoint set**: immutable, with its own arena
 * and number, read by all threads. A change derives a new set from the newest one and publishes it:
 * every pick that begins afterwards, on any thread, uses it. Endpoints that stay are shared by both
 * sets, with their pool, counters and state.
 *
 * **Lifetimes.** A thread uses a set only within one turn, so a set is freed once each thread has
 * begun a turn after its replacement (Thread.sets_seen). A request uses its endpoint for longer,
 * and counts it (Thread.endpoint_pins). A removed endpoint is freed once no thread can find it and
 * no request uses it; so a tunnel that lasts for hours keeps its endpoint, but no set.
 *
 * **Costly tables** (Balancer.costly) are built one at a time by a thread of their own
 * (table_builder.h). Until a table is ready, the last one serves: endpoints that were removed, are
 * down or drain are skipped at once; added ones get their share with the next table, at most
 * CLUSTER_STALE_MS later.
 *
 * Only the worker's main thread may do any of this, except reading sets. */
#ifndef PROXY_CLUSTER_H
#define PROXY_CLUSTER_H

#include "base/roster.h"
#include "proxy/table_builder.h"

#define WORKER_CLUSTERS_MAX (1u << 17) /* at once, including those of parts still in use */
#define WORKER_ENDPOINTS_MAX (1u << 20) /* the same, in all clusters together */
#define CLUSTER_STALE_MS 1000u /* maximum age of a costly table that takes half as long to build */
#define CLUSTER_APART_MS 250u  /* between the starts of two builds for a cluster */

typedef struct Worker Worker;

/* A build job. */
typedef struct TableJob {
    bool under_way;
    Cluster *cluster; /* NULL: no longer wanted */
    EndpointSet *set;
    uint64_t retirements; /* at its start; endpoints that left the set since then must stay */
} TableJob;

/* An endpoint of a cluster. */
typedef struct EndpointNode {
    Endpoint endpoint; /* its number is the slot of `self` */
    Handle self;
    bool added;    /* by a change, not by the configuration */
    bool fresh;    /* not in any published set */
    uint64_t draft; /* number of the last draft that contains it */
    uint64_t left; /* the retirement that removed it from its set */
    struct EndpointNode *next;       /* in the list of leaving endpoints */
    struct EndpointNode *next_fresh; /* in the list of a change */
} EndpointNode;

struct Cluster {
    const EndpointSet *_Atomic set; /* NULL: none yet */
    _Alignas(64) _Atomic uint64_t sequence; /* counts picks, for round robin */
    _Alignas(64) uint32_t number;
    EndpointSet *newest; /* same as `set` */
    EndpointSet *draft;  /* set prepared for the configuration being built */
    Cluster *next_draft;
    bool stale; /* its table is older than its set; a new one is queued */
    uint64_t stale_since_ms;
    uint64_t table_begun_ms; /* when its last build began; 0: never */
    Cluster *next_stale;
};

/* The clusters of a worker. */
typedef struct Clusters {
    Roster names;
    Cluster *list; /* by number */
    Pool endpoints; /* of EndpointNode */
    Blocks blocks;  /* for the sets' arenas */
    uint64_t sets_made;
    uint64_t sets_live; /* including drafts */
    uint64_t retirements; /* sets replaced or dropped: ThreadGroup.sets_epoch */
    uint64_t woken;       /* the retirement for which threads were last woken ... */
    uint64_t woken_ms;    /* ... and when */
    EndpointSet *retired;
    EndpointNode *leaving;
    Cluster *drafts;
    Cluster *stale; /* longest waiting first */
    Cluster *stale_last;
    TableBuilder *builder;
    TableJob job;
} Clusters;

/* ERR_MEMORY; ERR_SYSTEM: no thread can be created. */
MUST_USE Err clusters_open(Worker *w);
/* After the data threads have ended. */
void clusters_close(Worker *w);

/* --- by configurations ---------------------------------------------------------------------- */

/* Holds the cluster with that name (not empty). ERR_FULL, ERR_MEMORY. */
MUST_USE Err cluster_hold(Worker *w, Str name, uint32_t *ret);
/* Releases it. The last release ends the cluster; its endpoints finish their requests. */
void cluster_release(Worker *w, uint32_t number);

/* A cluster as the configuration defines it. */
typedef struct ClusterPlan {
    const Balancer *balancer;
    bool hash_source;         /* for a hashing policy: also hash the client's address */
    size_t count;
    const Endpoint *endpoints COUNTED_BY(count); /* copied and numbered; `weight` is the file's */
} ClusterPlan;

/* Prepares the set, with its table, that the cluster gets once the whole configuration is built.
 * Endpoints are identified by name. One that the cluster already has keeps its state, and its
 * current weight unless the file has changed that. Endpoints added by changes stay. Endpoints
 * removed by changes return if the file names them. One draft at a time. ERR_FULL, ERR_MEMORY:
 * nothing has changed. */
MUST_USE Err cluster_prepare(Worker *w, uint32_t number, const ClusterPlan *plan);
/* Whether a set is prepared. */
static inline bool cluster_is_prepared(const Cluster *c)
{
    return c->draft != NULL;
}
/* Publishes all prepared sets. */
void clusters_commit(Worker *w);
/* Drops all prepared sets. */
void clusters_abandon(Worker *w);

/* --- by changes ------------------------------------------------------------------------------ */

typedef enum EndpointChangeKind {
    ENDPOINT_ADD,      /* `endpoint`, with its weight; its state is up */
    ENDPOINT_REMOVE,   /* new requests go elsewhere, current ones finish */
    ENDPOINT_REWEIGHT, /* to `weight`; 0: no new requests */
    ENDPOINT_TURN      /* sets `state` */
} EndpointChangeKind;

typedef struct EndpointChange {
    EndpointChangeKind kind;
    Str name; /* of the endpoint */
    uint16_t weight;
    EndpointState state;
    const Endpoint *endpoint; /* for ENDPOINT_ADD; copied; its name is `name` */
} EndpointChange;

/* Applies the changes in order, in one step: threads see all or none. ERR_MISSING: no such endpoint
 * (or cluster); ERR_EXISTS: it already exists; ERR_FULL, ERR_MEMORY. On failure nothing has
 * changed. `now_ms` is the monotonic clock. */
MUST_USE Err cluster_change(Worker *w, uint32_t number, const EndpointChange *changes, size_t count,
                            uint64_t now_ms);

/* Builds costly tables, and frees what is no longer used, including pools. Returns the milliseconds
 * until the next call; UINT32_MAX: nothing is left to do. */
uint32_t clusters_tidy(Worker *w, uint64_t now_ms);

/* The cluster with that name, or NULL. */
Cluster *cluster_find(Worker *w, Str name);

#endif
