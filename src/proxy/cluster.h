/* cluster.h - the endpoints among which requests are balanced, and how they come and go.
 *
 * A cluster has a name and a number, and outlives each configuration that names it, as counters and
 * pools do (registry.c). At any time it has one **endpoint set**: immutable, with an arena and a
 * number of its own, read by all threads. A change makes the next set out of the newest one, and
 * publishes it: it holds for every pick that begins afterwards, on all threads. Endpoints that stay
 * are the same in both, with their pool, counters and state.
 *
 * **Who holds what.** A thread looks at a set only within one turn, so a set is freed when each
 * thread has begun a turn after another one took its place (Thread.sets_seen). A request uses its
 * endpoint for longer, and counts it (Thread.endpoint_pins). An endpoint that was removed is freed
 * when no thread can find it any more and no request has it; so a tunnel of hours keeps its
 * endpoint, and no set.
 *
 * **Tables that cost much** (Balancer.costly) are built by a thread of their own
 * (table_builder.h), one at a time. Until a table is there, the last one serves: what was removed,
 * is down or drains is skipped at once, what was added gets its share with the next table, at most
 * CLUSTER_STALE_MS later.
 *
 * All of this is the worker's main thread's, but for the reading of sets. */
#ifndef PROXY_CLUSTER_H
#define PROXY_CLUSTER_H

#include "base/roster.h"
#include "proxy/table_builder.h"

#define WORKER_CLUSTERS_MAX (1u << 17) /* at once, with those of parts that are still used */
#define WORKER_ENDPOINTS_MAX (1u << 20) /* the same, of all clusters */
#define CLUSTER_STALE_MS 1000u /* how old a costly table may be, where one takes half of that */
#define CLUSTER_APART_MS 250u  /* between the beginnings of two tables of a cluster */

typedef struct Worker Worker;

/* The builder's order. */
typedef struct TableJob {
    bool under_way;
    Cluster *cluster; /* NULL: nobody wants it any more */
    EndpointSet *set;
    uint64_t retirements; /* when it began: what has left its set since then must stay for it */
} TableJob;

/* An endpoint of a cluster. */
typedef struct EndpointNode {
    Endpoint endpoint; /* its number is the slot of `self` */
    Handle self;
    bool added;    /* by a change, not by the configuration */
    bool fresh;    /* no set that was published has it */
    uint64_t draft; /* the number of the last draft that has it */
    uint64_t left; /* the retirement that took it out of its set */
    struct EndpointNode *next;       /* of those that leave */
    struct EndpointNode *next_fresh; /* of a change */
} EndpointNode;

struct Cluster {
    const EndpointSet *_Atomic set; /* NULL: there has been none yet */
    _Alignas(64) _Atomic uint64_t sequence; /* counts picks, for policies that go round */
    _Alignas(64) uint32_t number;
    EndpointSet *newest; /* `set` */
    EndpointSet *draft;  /* what the configuration that is being built would make of it */
    Cluster *next_draft;
    bool stale; /* its table is older than its set, and it waits for another one */
    uint64_t stale_since_ms;
    uint64_t table_begun_ms; /* when its last table was begun; 0: never */
    Cluster *next_stale;
};

/* What a worker has of them. */
typedef struct Clusters {
    Roster names;
    Cluster *list; /* by number */
    Pool endpoints; /* EndpointNode */
    Blocks blocks;  /* of sets' arenas */
    uint64_t sets_made;
    uint64_t sets_live; /* that exist, drafts included */
    uint64_t retirements; /* sets that were replaced, or dropped: ThreadGroup.sets_epoch */
    uint64_t woken;       /* threads were woken to take up that retirement ... */
    uint64_t woken_ms;    /* ... then */
    EndpointSet *retired;
    EndpointNode *leaving;
    Cluster *drafts;
    Cluster *stale; /* the one that has waited for longest is first */
    Cluster *stale_last;
    TableBuilder *builder;
    TableJob job;
} Clusters;

/* ERR_MEMORY; ERR_SYSTEM: no thread can be made. */
MUST_USE Err clusters_open(Worker *w);
/* When the data threads have ended. */
void clusters_close(Worker *w);

/* --- by configurations ---------------------------------------------------------------------- */

/* Holds the cluster of a name (at least one byte). ERR_FULL, ERR_MEMORY. */
MUST_USE Err cluster_hold(Worker *w, Str name, uint32_t *ret);
/* When the last holder has gone, so has the cluster; its endpoints finish what they have. */
void cluster_release(Worker *w, uint32_t number);

/* What a configuration says of a cluster. */
typedef struct ClusterPlan {
    const Balancer *balancer;
    bool hash_source;         /* of a policy that hashes: the client's address, too */
    size_t count;
    const Endpoint *endpoints COUNTED_BY(count); /* copied; `weight` is what the file says, and
                                                  * numbers are given */
} ClusterPlan;

/* Prepares the set that the cluster gets once the whole configuration is built, with its table.
 * Endpoints are known by their names. One that the cluster has already keeps its state, and the
 * weight that it was given since, unless the file has changed that. Those that changes have added
 * stay. What changes have removed is there again if the file names it. One draft at a time.
 * ERR_FULL, ERR_MEMORY: as if nothing had happened. */
MUST_USE Err cluster_prepare(Worker *w, uint32_t number, const ClusterPlan *plan);
/* Whether one is prepared. */
static inline bool cluster_is_prepared(const Cluster *c)
{
    return c->draft != NULL;
}
/* Publishes all that is prepared. */
void clusters_commit(Worker *w);
/* Gives it up. */
void clusters_abandon(Worker *w);

/* --- by changes ------------------------------------------------------------------------------ */

typedef enum EndpointChangeKind {
    ENDPOINT_ADD,      /* `endpoint`, with its weight; it is up */
    ENDPOINT_REMOVE,   /* new requests go elsewhere, those under way finish */
    ENDPOINT_REWEIGHT, /* to `weight`; 0: no new requests */
    ENDPOINT_TURN      /* to `state` */
} EndpointChangeKind;

typedef struct EndpointChange {
    EndpointChangeKind kind;
    Str name; /* of the endpoint */
    uint16_t weight;
    EndpointState state;
    const Endpoint *endpoint; /* of ENDPOINT_ADD; copied, its name is `name` */
} EndpointChange;

/* Makes the changes, one after the other, in one step: threads see all or none. ERR_MISSING: there
 * is no such endpoint (or cluster); ERR_EXISTS: it is there already; ERR_FULL, ERR_MEMORY. On
 * failure nothing has changed. `now_ms` is the monotonic clock. */
MUST_USE Err cluster_change(Worker *w, uint32_t number, const EndpointChange *changes, size_t count,
                            uint64_t now_ms);

/* Builds costly tables, and frees what nobody uses any more, pools included. To be called again
 * after so many milliseconds; UINT32_MAX: there is nothing left to do. */
uint32_t clusters_tidy(Worker *w, uint64_t now_ms);

/* The cluster of a name; NULL: there is none. */
Cluster *cluster_find(Worker *w, Str name);

#endif
