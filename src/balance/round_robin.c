/* round_robin.c - endpoints in turn, smoothly by weight: with weights 2 and 1 the turns are A B A,
 * not A A B (the order that nginx's smooth weighted round robin gives). The turns are laid out
 * once; a pick is one look-up. */
#include "balance/policies.h"

#include "proxy/snapshot.h"

#define TURNS_MAX 65536u

typedef struct Turns {
    size_t endpoints;
    size_t count;
    uint32_t *order COUNTED_BY(count);
} Turns;

extern const Balancer policy_round_robin;

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Lays out the turns: each time the endpoint with the largest claim goes, and pays the total. */
static void lay_out(const Cluster *c, uint64_t divisor, uint64_t total, int64_t *claims,
                    Turns *turns)
{
    for (size_t turn = 0; turn < turns->count; turn++) {
        uint32_t best = 0;
        for (uint32_t i = 0; i < c->endpoint_count; i++) {
            claims[i] += (int64_t)(c->endpoints[i].weight / divisor);
            best = claims[i] > claims[best] ? i : best;
        }
        claims[best] -= (int64_t)total;
        turns->order[turn] = best;
    }
}

static const void *round_robin_build(const Cluster *c, Arena *arena)
{
    uint64_t divisor = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < c->endpoint_count; i++) {
        divisor = common_divisor(c->endpoints[i].weight, divisor);
        total += c->endpoints[i].weight;
    }
    total /= divisor;
    size_t count = total > TURNS_MAX ? TURNS_MAX : (size_t)total;
    Turns *turns = arena_new(arena, Turns);
    uint32_t *order = arena_array(arena, uint32_t, count);
    int64_t *claims = arena_array(arena, int64_t, c->endpoint_count);
    if (!turns || !order || !claims) {
        return NULL;
    }
    *turns = (Turns){.endpoints = c->endpoint_count, .count = count, .order = order};
    lay_out(c, divisor, total, claims, turns);
    return turns;
}

/* Another attempt goes to the endpoint that is written next. */
static size_t round_robin_pick(const void *table, const PickKey *key, unsigned attempt,
                               const Loads *loads)
{
    (void)loads;
    const Turns *turns = (const Turns *)table;
    size_t at = (size_t)(key->sequence % turns->count);
    size_t first = turns->order[at];
    return (first + attempt) % turns->endpoints;
}

const Balancer policy_round_robin = {
    .name = S_INIT("RoundRobin"),
    .build = round_robin_build,
    .pick = round_robin_pick,
};
