/* balancer.h - the interface of balancing policies (room balance): pure choice, no state.
 *
 * A policy turns an endpoint set into an immutable table once, and then picks a place of it for a
 * key. What differs from pick to pick comes in with the key, with what was tried before, and with
 * the loads. */
#ifndef PROXY_BALANCER_H
#define PROXY_BALANCER_H

#include "base/arena.h"

typedef struct Cluster Cluster;
typedef struct EndpointSet EndpointSet;

typedef struct PickKey {
    uint64_t sequence; /* counts the cluster's picks, all threads together */
    uint64_t random;
    Str hashed;        /* for policies that hash: the bytes, else empty */
} PickKey;

/* How endpoints are now, by their places in the set. */
typedef struct Loads {
    const void *owner;
    /* Requests that it is working on, all threads together. */
    uint32_t (*busy)(const void *owner, size_t place);
    /* Whether it may get this request. Who is told so is picked: a policy asks last, and takes the
     * first that may. False for a place that is free by now. */
    bool (*usable)(const void *owner, size_t place);
} Loads;

/* The endpoints that this request has been to, in vain. */
typedef struct Tried {
    size_t count;
    const void *owner;
    bool (*has)(const void *owner, size_t place);
} Tried;

#define PICK_NONE SIZE_MAX

typedef struct Balancer {
    Str name;    /* as the configuration writes it */
    bool hashes; /* it needs `key=` */
    /* Its table takes long to build: it is built beside the traffic, from all places with a weight,
     * whatever their state is, and used with later sets until the next one is there. Other tables
     * are built with each set, from those that take requests. */
    bool costly;
    /* The table for a set with at least one such place; NULL when there is no memory. */
    const void *(*build)(const EndpointSet *set, Arena *arena);
    /* The place that `pick` would begin with, in any state: most requests need no more. NULL: that
     * depends on the loads. */
    size_t (*first)(const void *table, const PickKey *key);
    /* The place for the key: the first, in the policy's order, that was not tried and is usable.
     * PICK_NONE: there is none, or it is too far to look for. */
    size_t (*pick)(const void *table, const PickKey *key, const Tried *tried, const Loads *loads);
} Balancer;

/* Whether the request may go there. */
static inline bool pick_may(const Tried *tried, const Loads *loads, size_t place)
{
    bool again = tried->count > 0 && tried->has(tried->owner, place);
    return !again && loads->usable(loads->owner, place);
}

#endif
