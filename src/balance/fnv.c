/* fnv.c - `FNV`: the key's 64-bit FNV-1a hash modulo the total weight, each endpoint repeated by
 * its weight, sorted by address: any proxy with the same list chooses the same endpoint. */
#include "balance/policies.h"

#include "balance/places.h"

extern const Balancer policy_fnv;

#define STEPS_MAX 4096u /* places searched for one that the request may go to */

static const void *fnv_build(const EndpointSet *set, Arena *arena)
{
    return places_new(set, arena);
}

/* The share that the key falls into, in address order. */
static size_t share_of(const Places *places, const PickKey *key)
{
    uint64_t point = str_fnv(key->hashed, FNV_START) % places->total;
    size_t low = 0;
    size_t high = places->count - 1;
    while (low < high) { /* the first share that ends after the point */
        size_t middle = low + (high - low) / 2;
        if (places->list[middle].end > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static size_t fnv_first(const void *table, const PickKey *key)
{
    const Places *places = (const Places *)table;
    return places->list[share_of(places, key)].place;
}

/* A retry goes to the endpoint with the next address. */
static size_t fnv_pick(const void *table, const PickKey *key, const Tried *tried,
                       const Loads *loads)
{
    const Places *places = (const Places *)table;
    size_t from = share_of(places, key);
    for (size_t i = 0; i < places->count && i < STEPS_MAX; i++) {
        size_t place = places->list[(from + i) % places->count].place;
        if (pick_may(tried, loads, place)) {
            return place;
        }
    }
    return PICK_NONE;
}

const Balancer policy_fnv = {
    .name = S_INIT("FNV"),
    .hashes = true,
    .costly = true,
    .build = fnv_build,
    .first = fnv_first,
    .pick = fnv_pick,
};
