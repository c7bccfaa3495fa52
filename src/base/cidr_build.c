/* cidr_build.c - from a list of prefixes to a set: edges of IPv4, a trie of IPv6.
 *
 * The prefixes are sorted, those inside others fall out, and halves are joined. What is left is a
 * sorted list without overlap. A node stands for a range of that list; its children's ranges follow
 * from it. The array of nodes is also the queue: a node that is not filled yet holds its range. */
#include "base/cidr_trie.h"

#include "base/number.h"

#define TABLE_COUNT ((size_t)1 << CIDR_TABLE_BITS)
#define TABLE_PREFIXES_MIN 4096u /* below that the table would be larger than what it saves */
/* Each prefix ends in one slot; ranges of several branch, so there are fewer of those than
 * prefixes; and a long way of common bits takes a second node. */
#define NODES_PER_PREFIX 4u

typedef struct Item {
    CidrKey key;
    uint32_t bits;
} Item;

typedef struct Builder {
    size_t item_count;
    Item *items COUNTED_BY(item_count);
    size_t node_room;
    CidrNode *nodes COUNTED_BY(node_room);
    size_t node_count;
} Builder;

/* --- bits of keys ---------------------------------------------------------------------------- */

/* How many bits two keys have in common, from the highest down. */
static unsigned common_bits(CidrKey a, CidrKey b)
{
    if (a.high != b.high) {
        return (unsigned)__builtin_clzll(a.high ^ b.high);
    }
    return a.low != b.low ? 64 + (unsigned)__builtin_clzll(a.low ^ b.low) : CIDR_KEY_BITS;
}

static unsigned slot_of(CidrKey key, unsigned at)
{
    return (unsigned)(cidr_window(key, at) >> (64 - CIDR_STRIDE));
}

/* --- the list -------------------------------------------------------------------------------- */

static bool item_before(const Item *a, const Item *b)
{
    if (a->key.high != b->key.high) {
        return a->key.high < b->key.high;
    }
    return a->key.low != b->key.low ? a->key.low < b->key.low : a->bits < b->bits;
}

static bool items_sorted(const Item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (item_before(&items[i], &items[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Merges the sorted runs [from, middle) and [middle, to) of `in` into `out`. */
static void items_merge(const Item *in, size_t from, size_t middle, size_t to, Item *out)
{
    size_t a = from;
    size_t b = middle;
    for (size_t i = from; i < to; i++) {
        if (a < middle && (b >= to || !item_before(&in[b], &in[a]))) {
            out[i] = in[a++];
        } else {
            out[i] = in[b++];
        }
    }
}

/* Sorts by merging; returns whichever of the two arrays holds the result. */
static Item *items_sort(Item *items, Item *other, size_t count)
{
    if (items_sorted(items, count)) {
        return items;
    }
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t middle = size_min(from + run, count);
            items_merge(items, from, middle, size_min(from + 2 * run, count), other);
        }
        Item *sorted = other;
        other = items;
        items = sorted;
    }
    return items;
}

/* Whether the two are the halves of one shorter prefix. */
static bool items_are_halves(const Item *a, const Item *b)
{
    return a->bits == b->bits && a->bits > 0 && common_bits(a->key, b->key) == a->bits - 1;
}

/* Drops what lies inside of others and joins halves, in place. Sorted, an outer prefix stands
 * before its inner ones, so looking at the last that was kept is enough. */
static size_t items_shrink(Item *items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Item item = items[i];
        if (kept > 0 && common_bits(items[kept - 1].key, item.key) >= items[kept - 1].bits) {
            continue;
        }
        while (kept > 0 && items_are_halves(&items[kept - 1], &item)) {
            item = items[--kept];
            item.bits--;
        }
        items[kept++] = item;
    }
    return kept;
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* A new node for the items [from, to), whose first `at` bits are decided. It waits to be filled. */
static uint32_t node_add(Builder *b, size_t from, size_t to, unsigned at)
{
    CHECK(b->node_count < b->node_room);
    b->nodes[b->node_count] = (CidrNode){.inner = from, .member = to, .skip = at};
    return (uint32_t)b->node_count++;
}

/* Slots [slot, slot + 2^wide). */
static uint64_t slots_mask(unsigned slot, unsigned wide)
{
    uint64_t ones = wide >= CIDR_STRIDE ? UINT64_MAX : (UINT64_C(1) << (1u << wide)) - 1;
    return ones << slot;
}

/* How many bits from `at` on all items of the range share, as far as a node can carry them. */
static unsigned range_skip(const Builder *b, size_t from, size_t to, unsigned at)
{
    const Item *first = &b->items[from];
    unsigned common = common_bits(first->key, b->items[to - 1].key);
    if (to - from == 1) { /* the last six bits of the prefix are the node's own */
        common = first->bits > CIDR_STRIDE ? first->bits - CIDR_STRIDE : 0;
    }
    return common <= at ? 0 : (unsigned)u64_min(common - at, CIDR_SKIP_MAX);
}

/* Turns a waiting node into what it says; its children wait behind all nodes. */
static void node_fill(Builder *b, size_t index)
{
    CidrNode node = b->nodes[index];
    size_t from = (size_t)node.inner;
    size_t to = (size_t)node.member;
    unsigned start = node.skip;
    unsigned skip = range_skip(b, from, to, start);
    unsigned at = start + skip;
    uint64_t window = cidr_window(b->items[from].key, start);
    node = (CidrNode){.skip = skip, .first = (uint32_t)b->node_count};
    node.common = skip ? window & ~(UINT64_MAX >> skip) : 0;
    for (size_t i = from; i < to;) {
        const Item *item = &b->items[i];
        unsigned slot = slot_of(item->key, at);
        if (item->bits <= at + CIDR_STRIDE) {
            node.member |= slots_mask(slot, at + CIDR_STRIDE - item->bits);
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < to && slot_of(b->items[end].key, at) == slot) {
            end++;
        }
        node.inner |= UINT64_C(1) << slot;
        (void)node_add(b, i, end, at + CIDR_STRIDE);
        i = end;
    }
    b->nodes[index] = node;
}

static size_t table_entry(CidrKey key, unsigned skip)
{
    return (size_t)((key.high << skip) >> (64 - CIDR_TABLE_BITS));
}

/* One entry for each value of the 16 bits behind those that all items share. */
static void table_fill(Builder *b, CidrTrie *t)
{
    unsigned covered = t->skip + CIDR_TABLE_BITS;
    for (size_t i = 0; i < b->item_count;) {
        const Item *item = &b->items[i];
        size_t entry = table_entry(item->key, t->skip);
        if (item->bits <= covered) {
            size_t end = entry + ((size_t)1 << (covered - item->bits));
            for (size_t k = entry; k < end; k++) {
                t->table[k] = 1;
            }
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < b->item_count &&
               table_entry(b->items[end].key, t->skip) == entry) {
            end++;
        }
        t->table[entry] = CIDR_TABLE_NODES + node_add(b, i, end, covered);
        i = end;
    }
}

/* Makes the trie and copies it to the arena. */
static Err trie_make(Builder *b, Arena *arena, CidrTrie *ret)
{
    CidrTrie t = {0};
    if (b->item_count >= TABLE_PREFIXES_MIN) {
        uint32_t *table = arena_array(arena, uint32_t, TABLE_COUNT);
        if (!table) {
            return ERR_MEMORY;
        }
        unsigned common = common_bits(b->items[0].key, b->items[b->item_count - 1].key);
        t = (CidrTrie){.table_count = TABLE_COUNT, .table = table};
        t.skip = (uint32_t)u64_min(common, 64 - CIDR_TABLE_BITS);
        t.common = t.skip ? b->items[0].key.high & ~(UINT64_MAX >> t.skip) : 0;
        table_fill(b, &t);
    } else {
        (void)node_add(b, 0, b->item_count, 0);
    }
    for (size_t i = 0; i < b->node_count; i++) {
        node_fill(b, i);
    }
    CidrNode *nodes = arena_array(arena, CidrNode, b->node_count);
    if (!nodes) {
        return ERR_MEMORY;
    }
    span_copy(span_of(nodes, b->node_count * sizeof(CidrNode)),
              str_of(b->nodes, b->node_count * sizeof(CidrNode)));
    t.node_count = b->node_count;
    t.nodes = nodes;
    *ret = t;
    return ERR_OK;
}

static Err trie_build(Builder *b, Arena *arena, CidrTrie *ret)
{
    b->node_room = b->item_count * NODES_PER_PREFIX;
    b->nodes = (CidrNode *)memory_reserve(b->node_room * sizeof(CidrNode));
    Err err = b->nodes ? trie_make(b, arena, ret) : ERR_MEMORY;
    memory_release(b->nodes, b->node_room * sizeof(CidrNode));
    return err;
}

/* --- edges ----------------------------------------------------------------------------------- */

/* The edges of the items, in order; where one range ends and the next begins there is none. An edge
 * behind the last address is not needed. */
static size_t edges_make(const Builder *b, uint32_t *edges)
{
    size_t count = 0;
    for (size_t i = 0; i < b->item_count; i++) {
        const Item *item = &b->items[i];
        uint64_t from = item->key.high >> 32;
        uint64_t to = from + (UINT64_C(1) << (32 - item->bits));
        if (count > 0 && edges[count - 1] == from) {
            count--;
        } else {
            edges[count++] = (uint32_t)from;
        }
        if (to <= UINT32_MAX) {
            edges[count++] = (uint32_t)to;
        }
    }
    return count;
}

/* How many steps halve `count` down to one. */
static uint32_t steps_for(size_t count)
{
    uint32_t steps = 0;
    for (size_t left = count; left > 1; left -= left / 2) {
        steps++;
    }
    return steps;
}

/* Cuts the edges up by their first 16 bits. A value that begins inside of a range gets an edge at
 * its start, so that each can be searched alone: at most one more for each. */
static Err table_make(const uint32_t *edges, size_t count, Arena *arena, CidrRanges *ret)
{
    size_t room = count + TABLE_COUNT + 1;
    uint32_t *table = arena_array(arena, uint32_t, TABLE_COUNT + 1);
    uint16_t *lows = arena_array(arena, uint16_t, room);
    if (!table || !lows) {
        return ERR_MEMORY;
    }
    CidrRanges r = {.table_count = TABLE_COUNT + 1, .table = table};
    r.low_count = room;
    r.lows = lows;
    size_t at = 0;
    size_t used = 0;
    for (size_t value = 0; value < TABLE_COUNT; value++) {
        size_t before = used;
        r.table[value] = (uint32_t)used;
        if (at % 2 == 1 && (at >= count || edges[at] != value << CIDR_TABLE_BITS)) {
            r.lows[used++] = 0;
        } else if (at % 2 == 1) {
            at++; /* the range ends just here */
        }
        for (; at < count && edges[at] >> CIDR_TABLE_BITS == value; at++) {
            r.lows[used++] = (uint16_t)edges[at];
        }
        r.steps = (uint32_t)u64_max(r.steps, steps_for(used - before));
    }
    r.table[TABLE_COUNT] = (uint32_t)used;
    r.low_count = used + 1; /* a search in an empty part looks at what follows */
    *ret = r;
    return ERR_OK;
}

static Err ranges_make(const Builder *b, Arena *arena, CidrRanges *ret)
{
    size_t room = 2 * b->item_count * sizeof(uint32_t);
    if (b->item_count < TABLE_PREFIXES_MIN) {
        uint32_t *edges = arena_array(arena, uint32_t, 2 * b->item_count);
        if (!edges) {
            return ERR_MEMORY;
        }
        *ret = (CidrRanges){.edge_count = edges_make(b, edges), .edges = edges};
        return ERR_OK;
    }
    uint32_t *edges = (uint32_t *)memory_reserve(room);
    if (!edges) {
        return ERR_MEMORY;
    }
    Err err = table_make(edges, edges_make(b, edges), arena, ret);
    memory_release(edges, room);
    return err;
}

/* --- both families --------------------------------------------------------------------------- */

static size_t items_take(const IpPrefix *list, size_t count, uint8_t family, Item *ret)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].address.family == family) {
            ret[taken++] = (Item){.key = cidr_key(&list[i].address), .bits = list[i].bits};
        }
    }
    return taken;
}

static Err family_build(const IpPrefix *list, size_t count, uint8_t family, Arena *arena,
                        CidrSet *set)
{
    size_t item_bytes = count * sizeof(Item);
    Item *items = (Item *)memory_reserve(2 * item_bytes);
    if (!items) {
        return ERR_MEMORY;
    }
    size_t taken = items_take(list, count, family, items);
    Builder b = {.items = items_sort(items, items + count, taken)};
    b.item_count = items_shrink(b.items, taken);
    Err err = ERR_OK;
    if (b.item_count > 0 && family == 4) {
        err = ranges_make(&b, arena, &set->v4);
    } else if (b.item_count > 0) {
        err = trie_build(&b, arena, &set->v6);
    }
    memory_release(items, 2 * item_bytes);
    return err;
}

static bool processor_counts_bits(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("popcnt") != 0;
#else
    return true;
#endif
}

static size_t set_bytes(const CidrSet *set)
{
    size_t words = set->v4.table_count + set->v4.edge_count + set->v6.table_count;
    return words * sizeof(uint32_t) + set->v4.low_count * sizeof(uint16_t) +
           set->v6.node_count * sizeof(CidrNode);
}

Err cidr_build(CidrSet *ret, const IpPrefix *list, size_t count, Arena *arena)
{
    CidrSet set = {.prefix_count = count, .fast_count = processor_counts_bits()};
    if (count > CIDR_PREFIXES_MAX) {
        return ERR_LIMIT;
    }
    if (count > 0) {
        TRY(family_build(list, count, 4, arena, &set));
        TRY(family_build(list, count, 6, arena, &set));
    }
    set.bytes = set_bytes(&set);
    *ret = set;
    return ERR_OK;
}
