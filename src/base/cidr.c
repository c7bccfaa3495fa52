/* cidr.c - looking an address up in a set of prefixes. */
#include "base/cidr.h"

#include "base/cidr_trie.h"

/* The leaf's last item that is not after the window; its first one if all are. The steps are the
 * same for every address, and their halves are chosen by arithmetic instead of a branch. */
ALWAYS_INLINE size_t leaf_find(const CidrTrie *t, size_t from, size_t count, uint64_t window)
{
    uint64_t last = window | CIDR_ITEM_TAIL;
    size_t at = from;
    size_t left = count;
    for (unsigned i = 0; i < CIDR_LEAF_STEPS; i++) {
        size_t half = left / 2;
        at += UNPREDICTABLE(t->items[at + half] <= last) ? half : 0;
        left -= half;
    }
    return at;
}

/* Whether one of the long prefixes up to item `at` that begin like the window holds the key. */
static bool rests_hold(const CidrTrie *t, size_t from, size_t at, uint64_t window, uint64_t next)
{
    for (size_t i = at + 1; i > from && ((t->items[i - 1] ^ window) & ~CIDR_ITEM_TAIL) == 0; i--) {
        const CidrRest *rest = &t->rests[i - 1];
        if ((rest->bits ^ next) >> rest->shift == 0) {
            return true;
        }
    }
    return false;
}

/* Goes on from a fork, `bits` of the key being decided. Each turn uses up at least one bit,
 * so that it ends. */
NOINLINE static bool forks_hold(const CidrTrie *t, CidrKey key, uint32_t fork, unsigned bits)
{
    uint32_t entry = fork << CIDR_ENTRY_BITS;
    do {
        const CidrFork *f = &t->forks[entry >> CIDR_ENTRY_BITS];
        uint64_t window = cidr_window(key, bits);
        if (((window ^ f->common) >> 1) >> (63 - f->skip)) {
            return false;
        }
        entry = t->entries[f->first + ((window << f->skip) >> (64 - f->width))];
        bits += f->skip + f->width;
    } while ((entry & CIDR_ENTRY_KIND) == CIDR_ENTRY_FORK && bits < CIDR_KEY_BITS);
    size_t from = entry >> CIDR_ENTRY_BITS;
    size_t count = entry & CIDR_ENTRY_KIND;
    uint64_t window = cidr_window(key, bits);
    size_t at = leaf_find(t, from, count, window);
    uint64_t item = t->items[at];
    if (UNLIKELY(item & CIDR_ITEM_LONG) && ((item ^ window) & ~CIDR_ITEM_TAIL) == 0) {
        uint64_t next = cidr_window(key, bits + CIDR_ITEM_BITS);
        return count > 0 && rests_hold(t, from, at, window, next);
    }
    return ((item ^ window) >> (item & CIDR_ITEM_SHIFT) == 0) & (count > 0);
}

static bool item_holds(const CidrItem *item, CidrKey key)
{
    uint64_t high = key.high ^ item->key.high;
    uint64_t low = key.low ^ item->key.low;
    if (item->bits <= 64) {
        return item->bits == 0 || high >> (64 - item->bits) == 0;
    }
    return high == 0 && low >> (128 - item->bits) == 0;
}

/* What line_like says. */
#define LIKE_LONG 1u /* a long prefix begins like the window */
#define LIKE_HIT 2u  /* some prefix does */

/* Whether the word of a prefix is like the window: in all bits before the word's last one. */
ALWAYS_INLINE bool word_like(uint32_t word, uint32_t window)
{
    return ((window ^ word) & ~(word ^ (word - 1))) == 0;
}

/* Whether a line's fork, or one of its prefixes, holds the key, where long ones begin like it. */
NOINLINE static bool others_hold(const CidrTrie *t, CidrKey key, size_t line, uint32_t window)
{
    if (t->full[line / 64] >> line % 64 & 1) {
        return forks_hold(t, key, t->numbers[line], t->front.skip + t->front.width);
    }
    for (size_t i = 0; i < CIDR_LINE_ITEMS; i++) {
        uint32_t word = t->lines[line].words[i];
        size_t far = t->numbers[line] + i;
        bool is_long = word & LIKE_LONG;
        if (word_like(word, window) &&
            (!is_long || (far < t->far_count && item_holds(&t->fars[far], key)))) {
            return true;
        }
    }
    return false;
}

#if CIDR_HAS_VECTORS
typedef uint32_t Four __attribute__((vector_size(16)));

/* Where a word is like the window: the word, with the bit of LIKE_HIT. */
ALWAYS_INLINE Four four_like(const uint32_t *words, Four window)
{
    Four w;
    __builtin_memcpy(&w, words, sizeof w);
    Four behind = w ^ (w - 1); /* the last bit that is set, and all below */
    return (Four)(((window ^ w) & ~behind) == 0) & (w | LIKE_HIT);
}

/* Looks at all words of a line at once. Compilers make worse of the loop. */
ALWAYS_INLINE uint32_t line_like(const CidrLine *line, uint32_t window)
{
    Four w = {window, window, window, window};
    Four like = four_like(&line->words[0], w) | four_like(&line->words[4], w);
    return like[0] | like[1] | like[2] | like[3];
}
#else
ALWAYS_INLINE uint32_t line_like(const CidrLine *line, uint32_t window)
{
    uint32_t like = 0;
    for (size_t i = 0; i < CIDR_LINE_ITEMS; i++) {
        uint32_t w = line->words[i];
        like |= word_like(w, window) ? w | LIKE_HIT : 0;
    }
    return like;
}
#endif

ALWAYS_INLINE bool lines_hold(const CidrTrie *t, CidrKey key)
{
    const CidrFork *f = &t->front;
    unsigned bits = f->skip + f->width; /* 1 to 63 */
    if (((key.high ^ f->common) >> 1) >> (63 - f->skip)) {
        return false;
    }
    size_t line = (size_t)((key.high << f->skip) >> (64 - f->width));
    uint32_t window = (uint32_t)((key.high << bits | (key.low >> 1) >> (63 - bits)) >> 32);
    bool full = t->full[line / 64] >> line % 64 & 1;
    uint32_t like = line_like(&t->lines[line], window);
    if (UNLIKELY(full) || UNLIKELY(like & LIKE_LONG)) {
        return others_hold(t, key, line, window);
    }
    return like != 0;
}

ALWAYS_INLINE bool trie_holds(const CidrTrie *t, CidrKey key)
{
    return t->line_count ? lines_hold(t, key) : t->fork_count && forks_hold(t, key, 0, 0);
}

bool cidr_holds(const CidrSet *set, const IpAddress *a)
{
    if (a->family == 4) {
        return trie_holds(&set->v4, (CidrKey){.high = (uint64_t)cidr_address(a) << 32});
    }
    return a->family == 6 && trie_holds(&set->v6, cidr_key(a));
}
