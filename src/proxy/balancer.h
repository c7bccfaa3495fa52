/* balancer.h - the interface of balancing policies (room balance): pure choice, no state.
 *
 * A policy turns a cluster into an immutable table once, and then picks an endpoint from it for a
 * key. What differs from pick to pick comes in with the key and the loads. */
#ifndef PROXY_BALANCER_H
#define PROXY_BALANCER_H

#include "base/arena.h"

typedef struct Cluster Cluster;

typedef struct PickKey {
    uint64_t sequence; /* counts the cluster's picks, all threads together */
    uint64_t random;
    Str hashed;        /* for policies that hash: the bytes, else empty */
} PickKey;

/* How busy endpoints are now, for policies that look at it. */
typedef struct Loads {
    const void *owner;
    /* Requests that the endpoint at `index` is working on, all threads together. */
    uint32_t (*busy)(const void *owner, size_t index);
} Loads;

typedef struct Balancer {
    Str name;    /* as the configuration writes it */
    bool hashes; /* it needs `key=` */
    /* The table for a cluster of at least one endpoint, each of a weight of at least one; NULL when
     * the arena is full. */
    const void *(*build)(const Cluster *cluster, Arena *arena);
    /* Index of the endpoint for the key; `attempt` (0, 1, ...) asks for another one each time while
     * there are others. */
    size_t (*pick)(const void *table, const PickKey *key, unsigned attempt, const Loads *loads);
} Balancer;

#endif
