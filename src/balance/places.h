/* places.h - a cluster's endpoints in the order of their addresses, which does not depend on how
 * the file lists them. */
#ifndef BALANCE_PLACES_H
#define BALANCE_PLACES_H

#include "proxy/snapshot.h"

typedef struct EndpointPlace {
    uint32_t endpoint; /* index in the cluster */
    uint64_t end;      /* running sum of the weights, this one's included */
} EndpointPlace;

typedef struct Places {
    uint64_t total;
    size_t count;
    EndpointPlace *list COUNTED_BY(count);
} Places;

/* NULL when the arena is full. */
const Places *places_new(const Cluster *c, Arena *arena);

#endif
