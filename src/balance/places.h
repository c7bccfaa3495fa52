/* places.h - the endpoints of a set that have a weight, sorted by address, independent of their
 * order in the file. */
#ifndef BALANCE_PLACES_H
#define BALANCE_PLACES_H

#include "proxy/endpoint_set.h"

typedef struct EndpointPlace {
    uint32_t place; /* in the set */
    uint64_t end;      /* running sum of the weights, including this one */
} EndpointPlace;

typedef struct Places {
    uint64_t total;
    size_t count;
    EndpointPlace *list COUNTED_BY(count);
} Places;

/* NULL if the arena is full. */
const Places *places_new(const EndpointSet *set, Arena *arena);

#endif
