/* random.c - any endpoint, as likely as its weight says. */
#include "balance/policies.h"

#include "proxy/snapshot.h"

typedef struct Shares {
    uint64_t total;
    size_t count;
    uint64_t *ends COUNTED_BY(count); /* running sums of the weights */
} Shares;

extern const Balancer policy_random;

static const void *random_build(const Cluster *c, Arena *arena)
{
    Shares *shares = arena_new(arena, Shares);
    uint64_t *ends = arena_array(arena, uint64_t, c->endpoint_count);
    if (!shares || !ends) {
        return NULL;
    }
    *shares = (Shares){.count = c->endpoint_count, .ends = ends};
    for (size_t i = 0; i < c->endpoint_count; i++) {
        shares->total += c->endpoints[i].weight;
        shares->ends[i] = shares->total;
    }
    return shares;
}

static size_t random_pick(const void *table, const PickKey *key, unsigned attempt,
                          const Loads *loads)
{
    (void)loads;
    const Shares *shares = (const Shares *)table;
    uint64_t point = key->random % shares->total;
    size_t low = 0;
    size_t high = shares->count - 1;
    while (low < high) { /* the first share that ends behind the point */
        size_t middle = low + (high - low) / 2;
        if (shares->ends[middle] > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (low + attempt) % shares->count;
}

const Balancer policy_random = {
    .name = S_INIT("Random"),
    .build = random_build,
    .pick = random_pick,
};
