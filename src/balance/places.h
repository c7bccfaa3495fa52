/* places.h - the endpoints of a set that have a weight, in the order of their addresses, which does
 * not depend on how the file lists them. */
#ifndef BALANCE_PLACES_H
#define BALANCE_PLACES_H

#include "proxy/endpoint_set.h"

typedef struct EndpointPlace {
    uint32_t place; /* in the set */
    uint64_t end;      /* running sum of the weights, this one's included */
} EndpointPlace;

typedef struct Places {
    uint64_t total;
    size_t count;
    EndpointPlace *list COUNTED_BY(count);
} Places;

/* NULL when the arena is full. */
const Places *places_new(const EndpointSet *set, Arena *arena);

#endif
