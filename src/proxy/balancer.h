/* balancer.h - the interface of balancing policies (room balance): pure choice, no state.
 *
 * A policy turns a cluster into an immutable table once, and then picks an endpoint from it for a
 * key. What must differ from pick to pick comes in with the key. */
#ifndef PROXY_BALANCER_H
#define PROXY_BALANCER_H

#include "base/arena.h"

typedef struct Cluster Cluster;

typedef struct PickKey {
    uint64_t sequence; /* counts the cluster's picks, all threads together */
    uint64_t random;
} PickKey;

typedef struct Balancer {
    Str name; /* as the configuration writes it */
    /* The table for a cluster of at least one endpoint; NULL when the arena is full. */
    const void *(*build)(const Cluster *cluster, Arena *arena);
    /* Index of the endpoint for the key; `attempt` (0, 1, ...) asks for another one each time while
     * there are others. */
    size_t (*pick)(const void *table, const PickKey *key, unsigned attempt);
} Balancer;

#endif
