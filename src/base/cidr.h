/* cidr.h - an immutable set of IPv4 and IPv6 prefixes: is this address in one of them?
 *
 * One type for every list of addresses (trusted proxies, blocked and allowed clients), whether it
 * has three prefixes or a million. It is built off the request path and shared by all threads.
 *
 * Prefixes inside others vanish when the set is built (they change no answer), so that the others
 * are in a sorted list and at most one of them can hold an address. A fork looks at a few bits
 * after those that all of its prefixes share (path compression, as in Patricia; the number of bits
 * goes by how many prefixes there are, as in the level-compressed tries of Nilsson and Karlsson,
 * JSAC 17(6), 1999) and leads to other forks or to a leaf: a few neighbours in the sorted list.
 * Among those a search of always the same steps finds the one that can hold the address. A set that
 * is spread out has one fork in front of nearly all leaves. So a look-up has no unpredictable
 * branch, and the processor works on the next ones while memory answers this one. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/arena.h"
#include "base/ip.h"

/* So many that the numbers of items and forks never overflow an entry. */
#define CIDR_PREFIXES_MAX (1u << 26)

/* An address as 128 bits from the highest down; IPv4 has the first 32 of them. */
typedef struct CidrKey {
    uint64_t high;
    uint64_t low;
} CidrKey;

/* Looks at `width` bits after `skip` bits that are those of `common`: else the answer is no. */
typedef struct CidrFork {
    uint64_t common; /* from the highest down, zeros after them */
    uint32_t first;  /* of its 2^width entries */
    uint8_t skip;
    uint8_t width;
} CidrFork;

/* What is left of a long prefix after what its item holds. */
typedef struct CidrRest {
    uint64_t bits;  /* from the highest down */
    uint32_t shift; /* 64 less how many they are */
} CidrRest;

#define CIDR_LINE_ITEMS 8u

/* What a large set has for each value of the bits after those that all prefixes share: up to eight
 * prefixes' next bits, from the highest down. The last bit that is set in a word is not of the
 * prefix: it says where that ends, and what is after is free. A word whose very last bit is set
 * may be only the beginning of its prefix. */
typedef struct CidrLine {
    _Alignas(32) uint32_t words[CIDR_LINE_ITEMS];
} CidrLine;

/* A prefix as it is. */
typedef struct CidrItem {
    CidrKey key;
    uint32_t bits;
} CidrItem;

/* All prefixes of one family. An entry is a fork's number, or where a leaf's items begin and how
 * many they are. An item holds a prefix's bits after those that were looked at before, from the
 * highest down, and in its last seven bits how many they are (see cidr_trie.h). */
typedef struct CidrTrie {
    CidrFork front; /* chooses the line; where there are lines */
    size_t line_count;
    CidrLine *lines COUNTED_BY(line_count);
    size_t full_count;
    uint64_t *full COUNTED_BY(full_count); /* a bit for each line: too many, its fork has them */
    size_t number_count; /* 0, or as many as lines */
    uint32_t *numbers COUNTED_BY(number_count); /* of a line's fork, or of its first far */
    size_t far_count; /* 0, or one for each prefix: where any is so long */
    CidrItem *fars COUNTED_BY(far_count);
    size_t fork_count; /* without lines the first one is the root */
    CidrFork *forks COUNTED_BY(fork_count);
    size_t entry_count;
    uint32_t *entries COUNTED_BY(entry_count);
    size_t item_count;
    uint64_t *items COUNTED_BY(item_count);
    size_t rest_count; /* 0, or as many as items: where any prefix is so long */
    CidrRest *rests COUNTED_BY(rest_count);
} CidrTrie;

typedef struct CidrSet {
    CidrTrie v4;
    CidrTrie v6;
    size_t prefix_count; /* as they were given */
    size_t bytes;        /* what the two take */
} CidrSet;

/* Builds the set of `count` prefixes, in any order, with repetitions. What is built lies in the
 * arena; what building needs beside it is given back. ERR_MEMORY: the arena is full; ERR_LIMIT:
 * there are more than CIDR_PREFIXES_MAX. */
MUST_USE Err cidr_build(CidrSet *ret, const IpPrefix *list, size_t count, Arena *arena);

/* Whether the address is in the set. Family 0 (a Unix peer) never is. As ip_prefix_holds: a prefix
 * of mapped addresses is one of IPv4, and a shorter IPv6 prefix holds no IPv4 address. */
bool cidr_holds(const CidrSet *set, const IpAddress *a);

static inline bool cidr_is_empty(const CidrSet *set)
{
    return set->prefix_count == 0;
}

#endif
