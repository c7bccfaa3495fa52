/* shares.h - the places of a set that take requests, and the share of each by weight. */
#ifndef BALANCE_SHARES_H
#define BALANCE_SHARES_H

#include "proxy/endpoint_set.h"

typedef struct Shares {
    uint64_t total; /* sum of the weights; all equal: the number of places */
    size_t count;
    const uint32_t *places COUNTED_BY(count); /* places of the set, in order */
    uint64_t *ends COUNTED_BY(count); /* running sums of the weights; NULL: all equal */
} Shares;

/* Builds the table in the set's arena; at least one place must take requests. False: the arena is
 * full. */
bool shares_make(const EndpointSet *set, Arena *arena, Shares *ret);

/* The share that contains a point (less than the total). */
size_t shares_at(const Shares *s, uint64_t point);

/* The place of that share, or the next one in order that the request may go to. */
size_t shares_pick(const Shares *s, size_t share, const Tried *tried, const Loads *loads);

#endif
