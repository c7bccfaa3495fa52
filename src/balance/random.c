/* random.c - a random endpoint, with probability proportional to its weight. */
#include "balance/policies.h"
#include "balance/shares.h"

extern const Balancer policy_random;

static const void *random_build(const EndpointSet *set, Arena *arena)
{
    Shares *shares = arena_new(arena, Shares);
    return shares && shares_make(set, arena, shares) ? shares : NULL;
}

static size_t random_share(const Shares *s, const PickKey *key)
{
    return shares_at(s, key->random % s->total);
}

static size_t random_first(const void *table, const PickKey *key)
{
    const Shares *shares = (const Shares *)table;
    return shares->places[random_share(shares, key)];
}

static size_t random_pick(const void *table, const PickKey *key, const Tried *tried,
                          const Loads *loads)
{
    const Shares *shares = (const Shares *)table;
    return shares_pick(shares, random_share(shares, key), tried, loads);
}

const Balancer policy_random = {
    .name = S_INIT("Random"),
    .build = random_build,
    .first = random_first,
    .pick = random_pick,
};
