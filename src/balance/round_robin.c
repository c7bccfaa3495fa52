/* round_robin.c - endpoints in turn, smoothly by weight.
 *
 * With equal weights they take turns in configuration order. Otherwise, for a few endpoints, the
 * turns are laid out once: weights 2 and 1 give A B A, not A A B (the order of nginx's smooth
 * weighted round robin), and a pick is one look-up. Laying out turns costs turns times endpoints,
 * too much for a large set that changes often. Large sets use the golden ratio: its multiples,
 * modulo 1, are as evenly spaced as points can be, however many there are, so each endpoint's share
 * of the line is hit at nearly equal intervals. */
#include "balance/policies.h"
#include "balance/shares.h"

#define LAY_OUT_MAX (1u << 17) /* turns times endpoints: a tenth of a millisecond */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* 2^64 divided by the golden ratio */

typedef struct Turns {
    Shares shares;
    size_t count;
    uint32_t *order COUNTED_BY(count); /* shares; NULL: weights are equal, or there are too many */
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

static uint64_t weight_of(const Shares *s, size_t share)
{
    return s->ends[share] - (share > 0 ? s->ends[share - 1] : 0);
}

/* Lays out the turns: each time the endpoint with the largest claim goes and pays the total. */
static void lay_out(const Shares *s, uint64_t divisor, int64_t *claims, Turns *turns)
{
    for (size_t turn = 0; turn < turns->count; turn++) {
        uint32_t best = 0;
        for (uint32_t i = 0; i < s->count; i++) {
            claims[i] += (int64_t)(weight_of(s, i) / divisor);
            best = claims[i] > claims[best] ? i : best;
        }
        claims[best] -= (int64_t)turns->count;
        turns->order[turn] = best;
    }
}

static const void *round_robin_build(const EndpointSet *set, Arena *arena)
{
    Turns *turns = arena_new(arena, Turns);
    if (!turns || !shares_make(set, arena, &turns->shares)) {
        return NULL;
    }
    const Shares *s = &turns->shares;
    uint64_t divisor = 0;
    for (size_t i = 0; i < s->count && s->ends; i++) {
        divisor = common_divisor(weight_of(s, i), divisor);
    }
    if (!s->ends || s->total / divisor > LAY_OUT_MAX / s->count) {
        return turns;
    }
    turns->count = (size_t)(s->total / divisor);
    turns->order = arena_array(arena, uint32_t, turns->count);
    int64_t *claims = arena_array(arena, int64_t, s->count);
    if (!turns->order || !claims) {
        return NULL;
    }
    lay_out(s, divisor, claims, turns);
    return turns;
}

/* The sequence number's multiple of the golden ratio, as a point on the line of shares. */
static uint64_t golden_point(uint64_t sequence, uint64_t total)
{
    return (uint64_t)((unsigned __int128)(sequence * GOLDEN) * total >> 64);
}

static size_t share_in_turn(const Turns *turns, const PickKey *key)
{
    const Shares *s = &turns->shares;
    if (turns->order) {
        return turns->order[key->sequence % turns->count];
    }
    return s->ends ? shares_at(s, golden_point(key->sequence, s->total))
                   : (size_t)(key->sequence % s->count);
}

static size_t round_robin_first(const void *table, const PickKey *key)
{
    const Turns *turns = (const Turns *)table;
    return turns->shares.places[share_in_turn(turns, key)];
}

/* A retry goes to the next endpoint in configuration order. */
static size_t round_robin_pick(const void *table, const PickKey *key, const Tried *tried,
                               const Loads *loads)
{
    const Turns *turns = (const Turns *)table;
    return shares_pick(&turns->shares, share_in_turn(turns, key), tried, loads);
}

const Balancer policy_round_robin = {
    .name = S_INIT("RoundRobin"),
    .build = round_robin_build,
    .first = round_robin_first,
    .pick = round_robin_pick,
};
