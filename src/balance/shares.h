/* shares.h - the places of a set that take requests, and the share that each has by its weight. */
#ifndef BALANCE_SHARES_H
#define BALANCE_SHARES_H

#include "proxy/endpoint_set.h"

typedef struct Shares {
    uint64_t total; /* of the weights; all are equal: the number of places */
    size_t count;
    const uint32_t *places COUNTED_BY(count); /* the set's, in order */
    uint64_t *ends COUNTED_BY(count); /* running sums of the weights; NULL: all are equal */
} Shares;

/* The table lies in the set's arena; at least one place takes requests. False: it is full. */
bool shares_make(const EndpointSet *set, Arena *arena, Shares *ret);

/* The share in which a point (less than the total) lies. */
size_t shares_at(const Shares *s, uint64_t point);

/* The place of that share, or else the next one in order that the request may go to. */
size_t shares_pick(const Shares *s, size_t share, const Tried *tried, const Loads *loads);

#endif
