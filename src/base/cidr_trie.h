/* cidr_trie.h - what building a set of prefixes and looking into it must agree on. */
#ifndef BASE_CIDR_TRIE_H
#define BASE_CIDR_TRIE_H

#include "base/cidr.h"

/* An entry: the low bits say how many items the leaf has, or that it is a fork. */
#define CIDR_ENTRY_BITS 4u
#define CIDR_ENTRY_KIND ((1u << CIDR_ENTRY_BITS) - 1)
#define CIDR_ENTRY_FORK CIDR_ENTRY_KIND
#define CIDR_LEAF_STEPS 3u /* of the search among ... */
#define CIDR_LEAF_MAX (1u << CIDR_LEAF_STEPS) /* ... so many items */

/* An item: its last bits are CIDR_ITEM_LONG and a number, by which the item and the window of an
 * address are shifted before they are compared. A long one is compared whole, without these bits,
 * and goes on in the rests. */
#define CIDR_ITEM_BITS 57u
#define CIDR_ITEM_TAIL UINT64_C(0x7f)
#define CIDR_ITEM_LONG UINT64_C(0x40)
#define CIDR_ITEM_SHIFT UINT64_C(0x3f)

/* A line's word: so many bits of a long prefix, and a last bit. Where there is no prefix, a word is
 * that of a long one that has no far. */
#define CIDR_WORD_BITS 31u
#define CIDR_WORD_NONE 1u

/* Frama-C knows no vectors. */
#if defined(__FRAMAC__)
#define CIDR_HAS_VECTORS 0
#else
#define CIDR_HAS_VECTORS 1
#endif

#define CIDR_KEY_BITS 128u

/* Eight bytes as a number, the highest first. */
static inline uint64_t cidr_word(const uint8_t *eight)
{
    uint64_t word;
    __builtin_memcpy(&word, eight, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static inline CidrKey cidr_key(const IpAddress *a)
{
    CidrKey key = {.high = cidr_word(a->bytes), .low = cidr_word(a->bytes + 8)};
    return key;
}

/* An IPv4 address as a number. */
static inline uint32_t cidr_address(const IpAddress *a)
{
    return (uint32_t)(cidr_word(a->bytes) >> 32);
}

/* The 64 bits of a key from bit `from` (below 128) on, zeros past its end. */
ALWAYS_INLINE uint64_t cidr_window(CidrKey key, unsigned from)
{
    if (from < 64) {
        return key.high << from | (key.low >> 1) >> (63 - from);
    }
    return key.low << (from & 63);
}

#endif
