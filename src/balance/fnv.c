/* fnv.c - `FNV`: the key's 64-bit FNV-1a hash modulo the total weight, each endpoint as often as it
 * weighs, in the order of their addresses: any proxy with the same list chooses the same. */
#include "balance/policies.h"

#include "balance/places.h"

extern const Balancer policy_fnv;

static const void *fnv_build(const Cluster *c, Arena *arena)
{
    return places_new(c, arena);
}

/* Another attempt goes to the endpoint with the next address. */
static size_t fnv_pick(const void *table, const PickKey *key, unsigned attempt, const Loads *loads)
{
    (void)loads;
    const Places *places = (const Places *)table;
    uint64_t point = str_fnv(key->hashed, FNV_START) % places->total;
    size_t low = 0;
    size_t high = places->count - 1;
    while (low < high) { /* the first share that ends behind the point */
        size_t middle = low + (high - low) / 2;
        if (places->list[middle].end > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return places->list[(low + attempt) % places->count].endpoint;
}

const Balancer policy_fnv = {
    .name = S_INIT("FNV"),
    .hashes = true,
    .build = fnv_build,
    .pick = fnv_pick,
};
