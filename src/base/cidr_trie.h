/* cidr_trie.h - what building a set of prefixes and looking into it must agree on. */
#ifndef BASE_CIDR_TRIE_H
#define BASE_CIDR_TRIE_H

#include "base/cidr.h"

#define CIDR_STRIDE 6u /* bits that a node looks at */
#define CIDR_SKIP_MAX (64u - CIDR_STRIDE) /* so that one window holds `common` and the six */
#define CIDR_TABLE_BITS 16u
#define CIDR_TABLE_NODES 2u /* entries from here on are nodes */

#define CIDR_KEY_BITS 128u

/* An address as 128 bits from the highest down; IPv4 has the first 32 of them. */
typedef struct CidrKey {
    uint64_t high;
    uint64_t low;
} CidrKey;

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

/* The 64 bits of a key from bit `from` (below 128) on, zeros behind its end. */
ALWAYS_INLINE uint64_t cidr_window(CidrKey key, unsigned from)
{
    if (from < 64) {
        return key.high << from | (key.low >> 1) >> (63 - from);
    }
    return key.low << (from - 64);
}

#endif
