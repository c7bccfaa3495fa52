/* endpoint_set.h - the endpoints of a cluster at one moment: immutable, read by all threads.
 *
 * An endpoint has the same place in all sets that it is in, and another one gets that place only
 * when no table knows it any more. So a table that was built from an older set goes on naming the
 * right endpoints by their places (cluster.h). */
#ifndef PROXY_ENDPOINT_SET_H
#define PROXY_ENDPOINT_SET_H

#include "base/arena.h"
#include "pool/endpoint.h"
#include "proxy/balancer.h"

#define CLUSTER_PLACES_MAX (1u << 17)

typedef enum EndpointState {
    ENDPOINT_UP,
    ENDPOINT_DOWN,    /* skipped while another one is up */
    ENDPOINT_DRAINING /* no new requests; it finishes what it has */
} EndpointState;

typedef struct Member {
    const Endpoint *endpoint; /* NULL: the place is free ... */
    uint32_t hash; /* of its name; ... and then since which set (the lower half of its number) */
    uint16_t weight; /* 0: no new requests */
    uint8_t state;   /* EndpointState */
    bool takes;      /* new requests: it has weight and is up, or none is and it is down */
} Member;

typedef struct CostlyTable CostlyTable;

typedef struct EndpointSet {
    const Endpoint *only; /* the one that takes requests; NULL: none does, or several do */
    const Balancer *balancer;
    const void *table; /* the balancer's; NULL: fewer than two take requests, or it comes later */
    bool hash_source;
    size_t count; /* places */
    Member *members COUNTED_BY(count);
    size_t taker_count;
    uint32_t *takers COUNTED_BY(taker_count); /* places of those that take requests, in order */
    uint64_t number; /* no other set of the worker has it */
    /* Of cluster.c: */
    Arena arena;
    CostlyTable *costly; /* that `table` is of */
    struct EndpointSet *older; /* retired before */
    uint64_t retired; /* the retirement; 0: it is the newest */
    bool in_job;      /* a table is being built from it */
} EndpointSet;

/* Whether the place has an endpoint that gets requests at all, in some state. */
static inline bool member_counts(const Member *m)
{
    return m->endpoint && m->weight > 0;
}

/* Whether there is such a place: else there is nothing to build a table from. */
static inline bool set_has_weight(const EndpointSet *s)
{
    bool some = false;
    for (size_t i = 0; i < s->count && !some; i++) {
        some = member_counts(&s->members[i]);
    }
    return some;
}

#endif
