/* cidr_build.c - from a list of prefixes to a set.
 *
 * The prefixes are sorted, those inside others are dropped, and halves are joined. The result is a
 * sorted list without overlap. A fork covers a range of that list; its entries' ranges follow from
 * it. The list of forks is also the queue: one that is not filled yet holds its range. */
#include "base/cidr_trie.h"

#include "base/number.h"

#define ROOT_BITS_MIN 7u /* the bits after them fit an item and a rest */
#define WIDTH_MAX 20u
#define SKIP_MAX (64u - WIDTH_MAX) /* so that one window holds `common` and what is looked at */
#define ITEMS_AN_ENTRY 3u /* at least, on the average; with more of them most leaves are full */
/* More prefixes than a leaf has room for part before this bit. */
#define FORKS_END (CIDR_KEY_BITS - CIDR_LEAF_STEPS)
#define FILL_MIN 4u /* one entry in so many leads to something */
/* Lines are worth their memory where there are many prefixes, and most of those are in one. */
#define LINE_PREFIXES_MIN 4096u
#define LINE_WIDTH_MIN 11u
#define LINE_WIDTH_MAX 18u
#define ITEMS_A_LINE 2u
/* Two items that stand for all addresses: what is after a prefix that ends in a fork. */
#define ALL_ITEMS 2u

typedef CidrItem Item;

/* A fork that waits: for the prefixes [from, to), whose first `bits` are decided. */
typedef struct Waiting {
    uint32_t from;
    uint32_t to;
    uint32_t bits;
} Waiting;

typedef struct Builder {
    size_t item_count;
    Item *items COUNTED_BY(item_count);
    size_t fork_room;
    Waiting *waiting COUNTED_BY(fork_room);
    size_t fork_count;
    size_t entry_room;
    size_t leaf_room;  /* items that are in leaves */
    size_t leaf_count; /* of them, and ALL_ITEMS */
    CidrTrie trie; /* its lists have room for all that there can be */
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

/* Drops what lies inside of others and joins halves, in place. Sorted, an outer prefix precedes its
 * inner ones, so comparing with the last that was kept is enough. */
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

/* --- forks ----------------------------------------------------------------------------------- */

/* A new fork for the items [from, to), whose first `bits` are decided. It waits to be filled. */
static uint32_t fork_add(Builder *b, size_t from, size_t to, unsigned bits)
{
    CHECK(b->fork_count < b->fork_room);
    b->waiting[b->fork_count] =
        (Waiting){.from = (uint32_t)from, .to = (uint32_t)to, .bits = bits};
    return (uint32_t)b->fork_count++;
}

/* How many bits a fork for the items of `w` looks at after the first `bits`: more for more items,
 * but so few that one entry in FILL_MIN leads to something. That bounds what all forks take,
 * however the prefixes lie. */
static unsigned fork_width(const Builder *b, const Waiting *w, unsigned bits)
{
    size_t parting[WIDTH_MAX + 1] = {0}; /* neighbours whose first difference is at this bit */
    for (size_t i = w->from + 1; i < w->to; i++) {
        unsigned common = common_bits(b->items[i - 1].key, b->items[i].key);
        parting[common < bits + WIDTH_MAX ? common - bits : WIDTH_MAX]++;
    }
    unsigned width = 1;
    size_t distinct = 1 + parting[0];
    unsigned width_max = (unsigned)u64_min(WIDTH_MAX, FORKS_END - bits);
    for (unsigned next = 2; next <= width_max; next++) {
        size_t entries = (size_t)1 << next;
        distinct += parting[next - 1];
        if (entries * ITEMS_AN_ENTRY > w->to - w->from) {
            break;
        }
        width = distinct * FILL_MIN >= entries ? next : width;
    }
    return bits + width < ROOT_BITS_MIN ? ROOT_BITS_MIN - bits : width;
}

/* The item of a prefix whose first `bits` its forks have looked at. */
static void item_write(CidrTrie *t, size_t at, const Item *item, unsigned bits)
{
    uint64_t window = cidr_window(item->key, bits);
    unsigned left = item->bits - bits;
    if (left <= CIDR_ITEM_BITS) {
        t->items[at] = window | (64 - left);
        return;
    }
    left -= CIDR_ITEM_BITS;
    t->items[at] = (window & ~CIDR_ITEM_TAIL) | CIDR_ITEM_LONG;
    t->rests[at] = (CidrRest){.bits = cidr_window(item->key, bits + CIDR_ITEM_BITS),
                              .shift = 64 - left};
}

/* Where the items [from, to) are to be found, whose first `bits` are decided. */
static uint32_t entry_for(Builder *b, size_t from, size_t to, unsigned bits)
{
    if (to - from > CIDR_LEAF_MAX) {
        return fork_add(b, from, to, bits) << CIDR_ENTRY_BITS | CIDR_ENTRY_FORK;
    }
    size_t first = b->leaf_count;
    b->leaf_count += to - from;
    CHECK(b->leaf_count <= b->trie.item_count);
    for (size_t i = from; i < to; i++) {
        item_write(&b->trie, first + i - from, &b->items[i], bits);
    }
    return (uint32_t)(first << CIDR_ENTRY_BITS | (to - from));
}

/* What the first bits of a key up to `bits` choose among the entries of a fork. */
static size_t choice_of(CidrKey key, unsigned bits, unsigned width)
{
    return (size_t)(cidr_window(key, bits - width) >> (64 - width));
}

/* Turns a waiting fork into what it says; the forks after it wait after all others. */
static void fork_fill(Builder *b, size_t index)
{
    Waiting w = b->waiting[index];
    CidrTrie *t = &b->trie;
    unsigned common = common_bits(b->items[w.from].key, b->items[w.to - 1].key);
    unsigned skip = 0; /* a prefix that is alone ends before it shares all with itself */
    if (w.to - w.from > 1) {
        skip = (unsigned)u64_min(common - w.bits, SKIP_MAX);
    }
    unsigned width = fork_width(b, &w, w.bits + skip);
    unsigned end = w.bits + skip + width;
    uint64_t window = cidr_window(b->items[w.from].key, w.bits);
    size_t first = t->entry_count;
    t->forks[index] = (CidrFork){.common = skip ? window & ~(UINT64_MAX >> skip) : 0,
                                 .first = (uint32_t)first,
                                 .skip = (uint8_t)skip,
                                 .width = (uint8_t)width};
    t->entry_count += (size_t)1 << width;
    CHECK(t->entry_count <= b->entry_room);
    for (size_t i = w.from; i < w.to;) {
        const Item *item = &b->items[i];
        size_t choice = choice_of(item->key, end, width);
        size_t next = i + 1;
        if (item->bits <= end) {
            size_t last = choice + ((size_t)1 << (end - item->bits));
            for (; choice < last; choice++) {
                t->entries[first + choice] = ALL_ITEMS; /* that many, from the first on */
            }
        } else {
            while (next < w.to && choice_of(b->items[next].key, end, width) == choice) {
                next++;
            }
            t->entries[first + choice] = entry_for(b, i, next, end);
        }
        i = next;
    }
}

/* --- lines ----------------------------------------------------------------------------------- */

static size_t line_of(const CidrFork *front, CidrKey key)
{
    return (size_t)((key.high << front->skip) >> (64 - front->width));
}

/* The first item after `from` that begins in another line. */
static size_t line_end(const Builder *b, const CidrFork *front, size_t from)
{
    size_t line = line_of(front, b->items[from].key);
    size_t end = from + 1;
    while (end < b->item_count && line_of(front, b->items[end].key) == line) {
        end++;
    }
    return end;
}

/* By which bits lines are chosen, and how many items will not be in lines; false: there should
 * be no lines. */
static bool front_choose(const Builder *b, CidrFork *ret, size_t *ret_others)
{
    *ret_others = b->item_count;
    if (b->item_count < LINE_PREFIXES_MIN) {
        return false;
    }
    CidrFork front = {.width = LINE_WIDTH_MIN};
    unsigned common = common_bits(b->items[0].key, b->items[b->item_count - 1].key);
    while (front.width < LINE_WIDTH_MAX &&
           b->item_count >> front.width >= ITEMS_A_LINE) {
        front.width++;
    }
    front.skip = (uint8_t)u64_min(common, SKIP_MAX);
    front.common = front.skip ? b->items[0].key.high & ~(UINT64_MAX >> front.skip) : 0;
    size_t fitting = 0;
    for (size_t i = 0; i < b->item_count;) {
        size_t end = line_end(b, &front, i);
        fitting += end - i <= CIDR_LINE_ITEMS ? end - i : 0;
        i = end;
    }
    if (fitting < b->item_count / 2) {
        return false;
    }
    *ret = front;
    *ret_others = b->item_count - fitting;
    return true;
}

/* Room for the lines, at the beginning of a line of the cache, and for what is beside them. */
static Err lines_open(Builder *b, Arena *arena)
{
    CidrTrie *t = &b->trie;
    size_t count = (size_t)1 << t->front.width;
    uint8_t *room = arena_array(arena, uint8_t, (count + 1) * sizeof(CidrLine));
    t->full = arena_array(arena, uint64_t, count / 64);
    t->numbers = arena_array(arena, uint32_t, count);
    if (!room || !t->full || !t->numbers) {
        return ERR_MEMORY;
    }
    size_t beside = (size_t)((uintptr_t)room % sizeof(CidrLine));
    t->line_count = count;
    t->lines = (CidrLine *)(void *)(room + (sizeof(CidrLine) - beside) % sizeof(CidrLine));
    t->full_count = count / 64;
    t->number_count = count;
    for (size_t i = 0; i < count * CIDR_LINE_ITEMS; i++) {
        t->lines[i / CIDR_LINE_ITEMS].words[i % CIDR_LINE_ITEMS] = CIDR_WORD_NONE;
    }
    unsigned bits = t->front.skip + t->front.width;
    bool far = false;
    for (size_t i = 0; i < b->item_count; i++) {
        far |= b->items[i].bits >= bits + CIDR_WORD_BITS;
    }
    if (far) {
        t->fars = arena_array(arena, CidrItem, b->item_count);
        t->far_count = t->fars ? b->item_count : 0;
        if (!t->fars) {
            return ERR_MEMORY;
        }
        span_copy(span_of(t->fars, b->item_count * sizeof(CidrItem)),
                  str_of(b->items, b->item_count * sizeof(CidrItem)));
    }
    return ERR_OK;
}

/* The word of a prefix that is longer than the `bits` that the front has looked at. */
static uint32_t word_of(const Item *item, unsigned bits)
{
    uint32_t window = (uint32_t)(cidr_window(item->key, bits) >> 32);
    unsigned left = (unsigned)u64_min(item->bits - bits, CIDR_WORD_BITS);
    uint32_t end = UINT32_C(1) << (CIDR_WORD_BITS - left);
    return (window & ~(end - 1)) | end;
}

/* Puts every prefix into its line, or all of a line into a fork. */
static void lines_fill(Builder *b)
{
    CidrTrie *t = &b->trie;
    unsigned bits = t->front.skip + t->front.width;
    for (size_t i = 0; i < b->item_count;) {
        const Item *item = &b->items[i];
        size_t line = line_of(&t->front, item->key);
        size_t end = i + 1;
        if (item->bits <= bits) {
            size_t last = line + ((size_t)1 << (bits - item->bits));
            for (; line < last; line++) { /* all that begins with 0 or with 1 */
                t->lines[line].words[0] = UINT32_C(1) << 30;
                t->lines[line].words[1] = UINT32_C(3) << 30;
            }
            i = end;
            continue;
        }
        end = line_end(b, &t->front, i);
        t->numbers[line] = (uint32_t)i;
        if (end - i > CIDR_LINE_ITEMS) {
            t->numbers[line] = fork_add(b, i, end, bits);
            t->full[line / 64] |= UINT64_C(1) << line % 64;
        }
        for (size_t k = i; k < end && end - i <= CIDR_LINE_ITEMS; k++) {
            t->lines[line].words[k - i] = word_of(&b->items[k], bits);
        }
        i = end;
    }
}

/* --- a trie ---------------------------------------------------------------------------------- */

/* Whether an item may need a rest: after the fewest bits that forks look at. */
static bool has_long_items(const Builder *b)
{
    for (size_t i = 0; i < b->item_count; i++) {
        if (b->items[i].bits > ROOT_BITS_MIN + CIDR_ITEM_BITS) {
            return true;
        }
    }
    return false;
}

/* Items and rests are in the arena from the start. With lines only few are in leaves: those are
 * numbered one after the other. */
static Err items_open(Builder *b, Arena *arena)
{
    CidrTrie *t = &b->trie;
    size_t count = ALL_ITEMS + b->leaf_room;
    t->items = arena_array(arena, uint64_t, count);
    t->item_count = t->items ? count : 0;
    if (!t->items) {
        return ERR_MEMORY;
    }
    t->items[0] = 63; /* all addresses whose next bit is 0 */
    t->items[1] = UINT64_C(1) << 63 | 63;
    b->leaf_count = ALL_ITEMS;
    if (has_long_items(b)) {
        t->rests = arena_array(arena, CidrRest, count);
        t->rest_count = t->rests ? count : 0;
        return t->rests ? ERR_OK : ERR_MEMORY;
    }
    return ERR_OK;
}

/* Fills lines, then fork after fork, and copies forks and entries to the arena. */
static Err trie_make(Builder *b, Arena *arena, CidrTrie *ret)
{
    bool lines = front_choose(b, &b->trie.front, &b->leaf_room);
    TRY(items_open(b, arena));
    if (lines) {
        TRY(lines_open(b, arena));
        lines_fill(b);
    } else {
        (void)fork_add(b, 0, b->item_count, 0);
    }
    for (size_t i = 0; i < b->fork_count; i++) {
        fork_fill(b, i);
    }
    CidrTrie t = b->trie;
    t.fork_count = b->fork_count;
    t.forks = arena_array(arena, CidrFork, t.fork_count + 1);
    t.entries = arena_array(arena, uint32_t, t.entry_count + 1);
    if (!t.forks || !t.entries) {
        return ERR_MEMORY;
    }
    span_copy(span_of(t.forks, t.fork_count * sizeof(CidrFork)),
              str_of(b->trie.forks, t.fork_count * sizeof(CidrFork)));
    span_copy(span_of(t.entries, t.entry_count * sizeof(uint32_t)),
              str_of(b->trie.entries, t.entry_count * sizeof(uint32_t)));
    *ret = t;
    return ERR_OK;
}

/* There are at most three forks for each prefix: one that parts it from others, and two that only
 * skip what is too long for one. So there are at most four times as many entries that lead to
 * something, and FILL_MIN times as many in all (fork_width). */
static Err trie_build(Builder *b, Arena *arena, CidrTrie *ret)
{
    b->fork_room = 3 * b->item_count + 1;
    b->entry_room = (b->item_count + 1) * 4 * FILL_MIN + ((size_t)1 << ROOT_BITS_MIN);
    size_t waiting_bytes = b->fork_room * sizeof(Waiting);
    size_t fork_bytes = b->fork_room * sizeof(CidrFork);
    size_t entry_bytes = b->entry_room * sizeof(uint32_t);
    b->waiting = (Waiting *)memory_reserve(waiting_bytes);
    b->trie.forks = (CidrFork *)memory_reserve(fork_bytes);
    b->trie.entries = (uint32_t *)memory_reserve(entry_bytes);
    b->trie.fork_count = b->trie.forks ? b->fork_room : 0;
    Err err = b->waiting && b->trie.forks && b->trie.entries ? trie_make(b, arena, ret)
                                                              : ERR_MEMORY;
    memory_release(b->waiting, waiting_bytes);
    memory_release(b->trie.forks, fork_bytes);
    memory_release(b->trie.entries, entry_bytes);
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
                        CidrTrie *ret)
{
    size_t item_bytes = count * sizeof(Item);
    Item *items = (Item *)memory_reserve(2 * item_bytes);
    if (!items) {
        return ERR_MEMORY;
    }
    size_t taken = items_take(list, count, family, items);
    Builder b = {.items = items_sort(items, items + count, taken)};
    b.item_count = items_shrink(b.items, taken);
    Err err = b.item_count > 0 ? trie_build(&b, arena, ret) : ERR_OK;
    memory_release(items, 2 * item_bytes);
    return err;
}

static size_t trie_bytes(const CidrTrie *t)
{
    return t->fork_count * sizeof(CidrFork) + t->entry_count * sizeof(uint32_t) +
           t->line_count * sizeof(CidrLine) + t->full_count * sizeof(uint64_t) +
           t->number_count * sizeof(uint32_t) + t->far_count * sizeof(CidrItem) +
           t->item_count * sizeof(uint64_t) + t->rest_count * sizeof(CidrRest);
}

Err cidr_build(CidrSet *ret, const IpPrefix *list, size_t count, Arena *arena)
{
    CidrSet set = {.prefix_count = count};
    if (count > CIDR_PREFIXES_MAX) {
        return ERR_LIMIT;
    }
    if (count > 0) {
        TRY(family_build(list, count, 4, arena, &set.v4));
        TRY(family_build(list, count, 6, arena, &set.v6));
    }
    set.bytes = trie_bytes(&set.v4) + trie_bytes(&set.v6);
    *ret = set;
    return ERR_OK;
}
