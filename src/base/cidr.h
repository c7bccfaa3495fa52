/* cidr.h - an immutable set of IPv4 and IPv6 prefixes: is this address in one of them?
 *
 * One type for every list of addresses (trusted proxies, blocked and allowed clients), whether it
 * has three prefixes or a million. It is built off the request path and shared by all threads.
 *
 * IPv4: where the addresses are lined up, the set is a list of edges, at each of which "in" and
 * "out" change places; an address is in the set when the number of edges at or below it is odd. A
 * large list is cut up by the first 16 bits, so that an edge takes two bytes and the part to search
 * is mostly one cache line, as in DXR (Zec, Rizzo and Mikuc, CCR 42(5), 2012). The search takes the
 * same steps for every address: no branch depends on it.
 *
 * IPv6: a multibit trie after Poptrie (Asai and Ohara, SIGCOMM 2015). A node looks at six bits of
 * the address, and one 64-bit word says which of the 64 answers are subtrees, so that a node's
 * children stand side by side and a population count finds them. Because only membership is asked,
 * all other answers are one bit each, in a second word. Two things are ours: prefixes inside others
 * vanish before the trie is built (they change no answer), so outside of a subtree's common bits
 * the answer is always no; and a node carries those common bits (path compression, as in Patricia),
 * so that a lone /128 costs two nodes and not twenty. A large trie begins with a table over the
 * first 16 bits that are not the same for all. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/arena.h"
#include "base/ip.h"

/* So many that indices of nodes never overflow 31 bits. */
#define CIDR_PREFIXES_MAX (1u << 26)

/* IPv4. Either all edges in one list, or a table and the lower halves of the edges. */
typedef struct CidrRanges {
    size_t edge_count;
    uint32_t *edges COUNTED_BY(edge_count);
    size_t table_count; /* 0, or one for each value of the first 16 bits and one for the end */
    uint32_t *table COUNTED_BY(table_count); /* where the edges of a value begin in `lows` */
    size_t low_count; /* one more than there are edges */
    uint16_t *lows COUNTED_BY(low_count);
    uint32_t steps; /* of the search among the most edges that one value has */
} CidrRanges;

typedef struct CidrNode {
    uint64_t inner;  /* slots that are subtrees */
    uint64_t member; /* slots that are in the set; of a subtree's slot: 0 */
    uint64_t common; /* the bits in front of the six, from the highest down */
    uint32_t first;  /* node of the first subtree */
    uint32_t skip;   /* how many bits `common` has: at most CIDR_SKIP_MAX */
} CidrNode;

/* IPv6. The table's entries are 0 (no), 1 (yes) or a node's index + 2. */
typedef struct CidrTrie {
    uint64_t common; /* the bits that all prefixes share, from the highest down ... */
    uint32_t skip;   /* ... this many: what differs there is in none */
    size_t table_count; /* 0, or one for each value of the 16 bits behind those */
    uint32_t *table COUNTED_BY(table_count);
    size_t node_count; /* without a table the first node is the root */
    CidrNode *nodes COUNTED_BY(node_count);
} CidrTrie;

typedef struct CidrSet {
    CidrRanges v4;
    CidrTrie v6;
    size_t prefix_count; /* as they were given */
    size_t bytes;        /* what the two take */
    bool fast_count; /* the processor counts bits in one instruction */
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
