/* cidr.c - look-ups a second in sets of prefixes (base/cidr.h), and what building them takes.
 *
 *     cidr [ROUNDS]
 *
 * The sets are made here, from a fixed seed: prefixes of random lengths; prefixes with the lengths
 * that the Internet's tables have; and small lists, beside the loop over all prefixes that they
 * replace. Keys are random addresses, addresses inside of the set, and addresses outside of it. The
 * best of several rounds is printed: what disturbs a measurement only ever adds to it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cidr.h"

#define ROUNDS_DEFAULT 7
#define KEYS (1u << 21)
#define PREFIXES 1000000u
#define SMALL_MAX 16u
#define NETWORKS 1000u

static IpAddress keys[KEYS];
static IpPrefix prefixes[PREFIXES];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* xorshift64*: the same numbers on every machine. */
static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_next(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static void address_cut(IpAddress *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned left = bits > i * 8 ? bits - i * 8 : 0;
        a->bytes[i] = (uint8_t)(a->bytes[i] & (left >= 8 ? 0xffu : 0xffu & ~(0xffu >> left)));
    }
}

/* Random bits behind the first `bits`. Addresses of IPv6 lie in 2000::/3, as given out. */
static IpAddress address_random(uint8_t family, const IpPrefix *in)
{
    IpAddress a = {.family = family};
    unsigned count = family == 4 ? 4 : 16;
    for (unsigned i = 0; i < count; i++) {
        a.bytes[i] = (uint8_t)(random_next() >> 32);
    }
    if (family == 6) {
        a.bytes[0] = (uint8_t)(0x20 | (a.bytes[0] & 0x1f));
    }
    for (unsigned i = 0; in && i < in->bits; i++) {
        unsigned bit = 0x80u >> (i % 8);
        a.bytes[i / 8] =
            (uint8_t)((a.bytes[i / 8] & ~bit) | (in->address.bytes[i / 8] & bit));
    }
    return a;
}

/* How many of a million prefixes have a length. The default-free tables of routers have been like
 * this for years (for example https://bgp.potaroo.net). */
typedef struct Share {
    uint8_t bits;
    uint32_t of_million;
} Share;

static const Share internet_v4[] = {
    {24, 616000}, {23, 101000}, {22, 113000}, {21, 53000}, {20, 45000}, {19, 25500},
    {18, 14200},  {17, 8500},   {16, 14000},  {15, 2000},  {14, 1300},  {13, 600},
    {12, 300},    {11, 100},    {10, 40},     {9, 13},     {8, 16}};
static const Share internet_v6[] = {
    {48, 470000}, {32, 115000}, {44, 95000}, {40, 90000}, {36, 45000}, {47, 35000}, {46, 35000},
    {29, 25000},  {45, 20000},  {33, 20000}, {34, 15000}, {42, 15000}, {38, 10000}, {64, 9000},
    {28, 500},    {24, 100},    {20, 10}};

static uint8_t bits_of(const Share *shares, size_t count)
{
    unsigned at = (unsigned)(random_next() % 1000000);
    for (size_t i = 0; i < count; i++) {
        if (at < shares[i].of_million) {
            return shares[i].bits;
        }
        at -= shares[i].of_million;
    }
    return shares[0].bits;
}

typedef struct Kind {
    const char *name;
    uint8_t family;
    uint8_t low; /* lengths, where there are no shares */
    uint8_t high;
    size_t share_count;
    const Share *shares;
    bool crowded; /* all lie in NETWORKS of the prefixes of 32 bits, as where few hand out */
} Kind;

#define SHARES(list) sizeof(list) / sizeof((list)[0]), (list)

static const Kind kinds[] = {
    {"IPv4, lengths 16 to 32", 4, 16, 32, 0, NULL, false},
    {"IPv4, lengths of the Internet", 4, 0, 0, SHARES(internet_v4), false},
    {"IPv4, hosts", 4, 32, 32, 0, NULL, false},
    {"IPv6, lengths 20 to 64", 6, 20, 64, 0, NULL, false},
    {"IPv6, lengths of the Internet", 6, 0, 0, SHARES(internet_v6), false},
    {"IPv6, hosts", 6, 128, 128, 0, NULL, false},
    {"IPv6, 48 to 64, in 1,000 /32", 6, 48, 64, 0, NULL, true},
};

static IpPrefix networks[NETWORKS];

static void prefixes_make(const Kind *kind, size_t count)
{
    for (size_t i = 0; i < NETWORKS; i++) {
        networks[i] = (IpPrefix){.address = address_random(kind->family, NULL), .bits = 32};
    }
    for (size_t i = 0; i < count; i++) {
        const IpPrefix *in = kind->crowded ? &networks[random_next() % NETWORKS] : NULL;
        IpPrefix p = {.address = address_random(kind->family, in)};
        p.bits = kind->shares
                     ? bits_of(kind->shares, kind->share_count)
                     : (uint8_t)(kind->low + random_next() % (kind->high - kind->low + 1u));
        address_cut(&p.address, p.bits);
        prefixes[i] = p;
    }
}

static bool loop_holds(size_t count, IpAddress a)
{
    for (size_t i = 0; i < count; i++) {
        if (ip_prefix_holds(&prefixes[i], a)) {
            return true;
        }
    }
    return false;
}

typedef enum Keys { KEYS_RANDOM, KEYS_HIT, KEYS_MISS } Keys;

static void keys_make(const CidrSet *set, const Kind *kind, size_t count, Keys which)
{
    for (size_t i = 0; i < KEYS; i++) {
        const IpPrefix *in = which == KEYS_HIT ? &prefixes[random_next() % count] : NULL;
        if (kind->crowded && which != KEYS_HIT) {
            in = &networks[random_next() % NETWORKS];
        }
        do {
            keys[i] = address_random(kind->family, in);
        } while (which == KEYS_MISS && cidr_holds(set, &keys[i]));
    }
}

/* Nanoseconds for one look-up; `set` NULL: by the loop over `count` prefixes. */
static double lookup_ns(const CidrSet *set, size_t count, int rounds)
{
    double best = 0;
    for (int r = 0; r < rounds; r++) {
        size_t hits = 0;
        double start = now_ns();
        for (size_t i = 0; i < KEYS; i++) {
            hits += set ? cidr_holds(set, &keys[i]) : loop_holds(count, keys[i]);
        }
        double ns = (now_ns() - start) / KEYS;
        __asm__ volatile("" : : "r"(hits)); /* nothing is computed in vain */
        best = r == 0 || ns < best ? ns : best;
    }
    return best;
}

static double build_ms(CidrSet *set, size_t count, Blocks *blocks, Arena *arena)
{
    arena_init(arena, blocks, SIZE_MAX / 2);
    double start = now_ns();
    if (cidr_build(set, prefixes, count, arena) != ERR_OK) {
        fprintf(stderr, "cidr: no memory\n");
        exit(1);
    }
    return (now_ns() - start) / 1e6;
}

static void measure_large(const Kind *kind, Blocks *blocks, int rounds)
{
    static const char *const names[] = {"random", "inside", "outside"};
    Arena arena;
    CidrSet set;
    prefixes_make(kind, PREFIXES);
    double ms = build_ms(&set, PREFIXES, blocks, &arena);
    printf("%-30s %4.0f ms %5.1f MiB ", kind->name, ms, (double)set.bytes / 1048576);
    for (unsigned k = 0; k < 3; k++) {
        keys_make(&set, kind, PREFIXES, (Keys)k);
        double ns = lookup_ns(&set, PREFIXES, rounds);
        printf(" %s %5.1f ns %4.0f M/s", names[k], ns, 1e3 / ns);
    }
    printf("\n");
    arena_reset(&arena);
}

static void measure_small(const Kind *kind, size_t count, Blocks *blocks, int rounds)
{
    Arena arena;
    CidrSet set;
    prefixes_make(kind, count);
    (void)build_ms(&set, count, blocks, &arena);
    printf("%-30s %2zu %s %5zu bytes", kind->name, count, count == 1 ? "prefix  " : "prefixes",
           set.bytes);
    for (unsigned k = 1; k < 3; k++) {
        keys_make(&set, kind, count, (Keys)k);
        printf("  %s %4.1f ns (loop %5.1f)", k == 1 ? "inside" : "outside",
               lookup_ns(&set, count, rounds), lookup_ns(NULL, count, rounds));
    }
    printf("\n");
    arena_reset(&arena);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;
    Budget budget = {0};
    Blocks blocks;
    blocks_init(&blocks, &budget, 4064, 4);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u prefixes: to build, memory, and a look-up of an address\n", PREFIXES);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        measure_large(&kinds[i], &blocks, rounds);
    }
    for (size_t count = 1; count <= SMALL_MAX; count *= 4) {
        measure_small(&kinds[1], count, &blocks, rounds);
        measure_small(&kinds[4], count, &blocks, rounds);
    }
    blocks_drop(&blocks);
    return 0;
}
