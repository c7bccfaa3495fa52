/* shares.c - see shares.h. */
#include "balance/shares.h"

static bool are_equal(const EndpointSet *set)
{
    uint16_t first = set->members[set->takers[0]].weight;
    for (size_t i = 1; i < set->taker_count; i++) {
        if (set->members[set->takers[i]].weight != first) {
            return false;
        }
    }
    return true;
}

bool shares_make(const EndpointSet *set, Arena *arena, Shares *ret)
{
    *ret = (Shares){
        .total = set->taker_count, .count = set->taker_count, .places = set->takers};
    if (are_equal(set)) {
        return true;
    }
    uint64_t *ends = arena_array(arena, uint64_t, set->taker_count);
    if (!ends) {
        return false;
    }
    ret->total = 0;
    ret->ends = ends;
    for (size_t i = 0; i < ret->count; i++) {
        ret->total += set->members[set->takers[i]].weight;
        ends[i] = ret->total;
    }
    return true;
}

size_t shares_at(const Shares *s, uint64_t point)
{
    size_t low = 0;
    size_t high = s->count - 1;
    if (!s->ends) {
        return (size_t)point;
    }
    while (low < high) { /* the first share that ends after the point */
        size_t middle = low + (high - low) / 2;
        if (s->ends[middle] > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

size_t shares_pick(const Shares *s, size_t share, const Tried *tried, const Loads *loads)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t place = s->places[share];
        if (pick_may(tried, loads, place)) {
            return place;
        }
        share = share + 1 < s->count ? share + 1 : 0;
    }
    return PICK_NONE;
}
