/* endpoint_set.h - the endpoints of a cluster at one moment: immutable, read by all threads.
 *
 * An endpoint has the same place in every set that contains it, and its place is reused only when
 * no table refers to it any more. So a table built from an older set still names the right
 * endpoints by their places (cluster.h). */
#ifndef PROXY_ENDPOINT_SET_H
#define PROXY_ENDPOINT_SET_H

#include "base/arena.h"
#include "pool/endpoint.h"
#include "proxy/balancer.h"

#define CLUSTER_PLACES_MAX (1u << 17)

typedef enum EndpointState {
    ENDPOINT_UP,
    ENDPOINT_DOWN,    /* skipped while another is up */
    ENDPOINT_DRAINING /* no new requests; current ones finish */
} EndpointState;

typedef struct Member {
    const Endpoint *endpoint; /* NULL: the place is free */
    uint32_t hash; /* of its name; for a free place: since which set (lower half of its number) */
    uint16_t weight; /* 0: no new requests */
    uint8_t state;   /* EndpointState */
    bool takes;      /* new requests: has weight and is up, or is down and none is up */
} Member;

typedef struct CostlyTable CostlyTable;

typedef struct EndpointSet {
    const Endpoint *only; /* the only one that takes requests; NULL: none does, or several do */
    const Balancer *balancer;
    const void *table; /* the balancer's; NULL: fewer than two takers, or it is not built yet */
    bool hash_source;
    size_t count; /* places */
    Member *members COUNTED_BY(count);
    size_t taker_count;
    uint32_t *takers COUNTED_BY(taker_count); /* places that take requests, in order */
    uint64_t number; /* unique in the worker */
    /* Used by cluster.c: */
    Arena arena;
    CostlyTable *costly; /* owner of `table` */
    struct EndpointSet *older; /* retired before this one */
    uint64_t retired; /* the retirement; 0: not retired */
    bool in_job;      /* a table is being built from it */
} EndpointSet;

/* Whether the place has an endpoint with a weight, in any state. */
static inline bool member_counts(const Member *m)
{
    return m->endpoint && m->weight > 0;
}

/* Whether any place has; otherwise there is nothing to build a table from. */
static inline bool set_has_weight(const EndpointSet *s)
{
    bool some = false;
    for (size_t i = 0; i < s->count && !some; i++) {
        some = member_counts(&s->members[i]);
    }
    return some;
}

#endif
