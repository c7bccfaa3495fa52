/* cidr.c - looking an address up in a set of prefixes. */
#include "base/cidr.h"

#include "base/cidr_trie.h"

/* --- IPv4 ------------------------------------------------------------------------------------ */

/* Whether the number of edges at or below `x` is odd. `at` is the first edge that may be above all
 * others that are not; each step halves the rest, with arithmetic instead of a branch. */
static bool edges_hold(const CidrRanges *r, uint32_t x)
{
    size_t at = 0;
    size_t left = r->edge_count;
    while (left > 1) {
        size_t half = left / 2;
        at += UNPREDICTABLE(r->edges[at + half] <= x) ? half : 0;
        left -= half;
    }
    return (at + (r->edges[at] <= x)) & 1;
}

/* The same among the edges that share the first 16 bits with `x`. */
static bool lows_hold(const CidrRanges *r, uint32_t x)
{
    size_t from = r->table[x >> CIDR_TABLE_BITS];
    size_t count = r->table[(x >> CIDR_TABLE_BITS) + 1] - from;
    uint16_t low = (uint16_t)x;
    size_t at = from;
    size_t left = count;
    for (uint32_t i = 0; i < r->steps; i++) {
        size_t half = left / 2;
        at += UNPREDICTABLE(r->lows[at + half] <= low) ? half : 0;
        left -= half;
    }
    return (at - from + (r->lows[at] <= low)) & (count > 0);
}

/* --- IPv6 ------------------------------------------------------------------------------------ */

/* How many bits are set, for processors without an instruction for it. */
ALWAYS_INLINE unsigned count_bits(uint64_t word, bool fast)
{
    if (fast) {
        return (unsigned)__builtin_popcountll(word);
    }
    word -= (word >> 1) & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + ((word >> 2) & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)((word * UINT64_C(0x0101010101010101)) >> 56);
}

/* Each turn uses up six bits or more, so that it ends. */
ALWAYS_INLINE bool trie_holds(const CidrTrie *t, CidrKey key, bool fast)
{
    size_t at = 0;
    unsigned from = 0;
    if (((key.high ^ t->common) >> 1) >> (63 - t->skip)) {
        return false;
    }
    if (t->table_count) {
        uint32_t entry = t->table[(key.high << t->skip) >> (64 - CIDR_TABLE_BITS)];
        if (entry < CIDR_TABLE_NODES) {
            return entry != 0;
        }
        at = entry - CIDR_TABLE_NODES;
        from = t->skip + CIDR_TABLE_BITS;
    } else if (t->node_count == 0) {
        return false;
    }
    while (from < CIDR_KEY_BITS) {
        const CidrNode *n = &t->nodes[at];
        uint64_t window = cidr_window(key, from);
        if (((window ^ n->common) >> 1) >> (63 - n->skip)) {
            return false;
        }
        unsigned slot = (unsigned)((window << n->skip) >> (64 - CIDR_STRIDE));
        if (!(n->inner >> slot & 1)) {
            return n->member >> slot & 1;
        }
        at = n->first + count_bits(n->inner & ((UINT64_C(1) << slot) - 1), fast);
        from += n->skip + CIDR_STRIDE;
    }
    return false;
}

#if defined(__x86_64__)
__attribute__((target("popcnt")))
#endif
static bool trie_holds_fast(const CidrTrie *t, const IpAddress *a)
{
    CidrKey key = cidr_key(a);
    return trie_holds(t, key, true);
}

static bool trie_holds_anywhere(const CidrTrie *t, const IpAddress *a)
{
    CidrKey key = cidr_key(a);
    return trie_holds(t, key, false);
}

bool cidr_holds(const CidrSet *set, const IpAddress *a)
{
    if (a->family == 4) {
        uint32_t x = cidr_address(a);
        return set->v4.table_count ? lows_hold(&set->v4, x)
                                   : set->v4.edge_count && edges_hold(&set->v4, x);
    }
    if (a->family != 6) {
        return false;
    }
    return set->fast_count ? trie_holds_fast(&set->v6, a) : trie_holds_anywhere(&set->v6, a);
}
