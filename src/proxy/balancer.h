/* balancer.h - the interface of balancing policies (room balance): pure choice, no state.
 *
 * A policy builds an immutable table from an endpoint set once, and then picks a place of it for
 * each key. All per-pick input is in the key, the places already tried, and the loads. */
#ifndef PROXY_BALANCER_H
#define PROXY_BALANCER_H

#include "base/arena.h"

typedef struct Cluster Cluster;
typedef struct EndpointSet EndpointSet;

typedef struct PickKey {
    uint64_t sequence; /* counts the cluster's picks on all threads */
    uint64_t random;
    Str hashed;        /* for hashing policies: the bytes to hash; else empty */
} PickKey;

/* The current state of endpoints, by place in the set. */
typedef struct Loads {
    const void *owner;
    /* Requests that it is serving, on all threads. */
    uint32_t (*busy)(const void *owner, size_t place);
    /* Whether it may get this request. A true answer commits: the policy must then pick that place,
     * so it asks last, and takes the first usable one. False for a place that is free by now. */
    bool (*usable)(const void *owner, size_t place);
} Loads;

/* The endpoints already tried for this request, in vain. */
typedef struct Tried {
    size_t count;
    const void *owner;
    bool (*has)(const void *owner, size_t place);
} Tried;

#define PICK_NONE SIZE_MAX

typedef struct Balancer {
    Str name;    /* as the configuration writes it */
    bool hashes; /* needs `key=` */
    /* The table takes long to build: it is built in the background from all places with a weight,
     * in whatever state, and used with later sets until the next one is ready. Other tables are
     * built with each set, from the places that take requests. */
    bool costly;
    /* The table for a set with at least one such place; NULL: no memory. */
    const void *(*build)(const EndpointSet *set, Arena *arena);
    /* The place where `pick` would start, in any state: most requests need no more. NULL: this
     * depends on the loads. */
    size_t (*first)(const void *table, const PickKey *key);
    /* The place for the key: the first, in the policy's order, that was not tried and is usable.
     * PICK_NONE: there is none, or the search gave up. */
    size_t (*pick)(const void *table, const PickKey *key, const Tried *tried, const Loads *loads);
} Balancer;

/* Whether the request may go to this place. */
static inline bool pick_may(const Tried *tried, const Loads *loads, size_t place)
{
    bool again = tried->count > 0 && tried->has(tried->owner, place);
    return !again && loads->usable(loads->owner, place);
}

#endif
