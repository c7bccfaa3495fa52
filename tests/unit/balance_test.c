/* balance_test.c - balancing policies: who is picked for a key, and how few keys move. */
#include "balance/policies.h"
#include "base/crc32.h"
#include "base/number.h"
#include "base/text.h"
#include "loop/random.h"
#include "proxy/endpoint_set.h"
#include "test.h"

#define ENDPOINTS_MAX 8u

typedef struct Site {
    Budget budget;
    Blocks blocks;
    Arena arena;
    EndpointSet set;
    Member members[ENDPOINTS_MAX];
    uint32_t takers[ENDPOINTS_MAX];
    Endpoint endpoints[ENDPOINTS_MAX];
    const void *table;
    unsigned tried;  /* bits of places */
    unsigned barred; /* not usable */
} Site;

typedef struct Given {
    Str name;
    uint16_t weight;
} Given;

static Endpoint endpoint_of(const Given *m)
{
    Endpoint e = {.name = m->name};
    StrCut cut = str_cut(m->name, ':');
    uint64_t port = 0;
    IpAddress ip;
    if (str_starts(m->name, S("/"))) {
        EXPECT(address_unix(m->name, &e.address) == ERR_OK);
    } else {
        EXPECT(ip_parse(cut.head, &ip) == ERR_OK);
        EXPECT(number_decimal(cut.tail, 65535, &port) == ERR_OK);
        e.address = address_ip(ip, (uint16_t)port);
    }
    return e;
}

static void site_open(Site *s, const Balancer *b, const Given *members, size_t count)
{
    *s = (Site){0};
    blocks_init(&s->blocks, &s->budget, 4096, 0);
    arena_init(&s->arena, &s->blocks, 64u << 20);
    s->set = (EndpointSet){.balancer = b, .count = count};
    s->set.members = s->members;
    s->set.takers = s->takers;
    for (size_t i = 0; i < count; i++) {
        s->endpoints[i] = endpoint_of(&members[i]);
        bool takes = members[i].weight > 0;
        s->members[i] = (Member){
            .endpoint = &s->endpoints[i], .weight = members[i].weight, .takes = takes};
        s->takers[s->set.taker_count] = (uint32_t)i;
        s->set.taker_count += takes;
    }
    s->table = b->build(&s->set, &s->arena);
    EXPECT(s->table != NULL);
}

static void site_close(Site *s)
{
    arena_reset(&s->arena);
    blocks_drop(&s->blocks);
}

static bool is_usable(const void *owner, size_t place)
{
    return !(((const Site *)owner)->barred >> place & 1);
}

static bool is_tried(const void *owner, size_t place)
{
    return ((const Site *)owner)->tried >> place & 1;
}

static size_t site_pick_key(const Site *s, const PickKey *key)
{
    Loads loads = {.owner = s, .usable = is_usable};
    Tried tried = {.count = s->tried != 0, .owner = s, .has = is_tried};
    size_t place = s->set.balancer->pick(s->table, key, &tried, &loads);
    if (!s->tried && !s->barred) {
        EXPECT_U64(s->set.balancer->first(s->table, key), place);
    }
    return place;
}

static size_t site_pick(const Site *s, Str key)
{
    PickKey k = {.hashed = key};
    return site_pick_key(s, &k);
}

static Str key_at(Span room, unsigned i)
{
    Text t = text_in(room);
    text_add(&t, S("/item/"));
    text_u64(&t, i);
    return text_str(&t);
}

static const Given three[] = {
    {S_INIT("10.0.0.1:80"), 1}, {S_INIT("10.0.0.2:80"), 1}, {S_INIT("10.0.0.3:80"), 1}};

TEST("hashes agree with their published values")
{
    EXPECT_U64(crc32_end(crc32_add(CRC32_START, S("123456789"))), 0xcbf43926);
    EXPECT_U64(crc32_end(CRC32_START), 0);
    EXPECT_U64(str_fnv(S(""), FNV_START), UINT64_C(0xcbf29ce484222325));
    EXPECT_U64(str_fnv(S("a"), FNV_START), UINT64_C(0xaf63dc4c8601ec8c));
    EXPECT_U64(str_fnv(S("foobar"), FNV_START), UINT64_C(0x85944171f73967e8));
}

TEST("FNV picks by the hash modulo the weights, in address order whatever the file's order is")
{
    static const Given shuffled[] = {
        {S_INIT("/run/a.sock"), 1}, {S_INIT("10.0.0.2:80"), 2}, {S_INIT("10.0.0.10:9"), 1},
        {S_INIT("10.0.0.2:79"), 1}};
    static const size_t by_point[] = {3, 1, 1, 2, 0}; /* 2:79, 2:80, 2:80, 10:9, the path */
    Site s;
    site_open(&s, policy_find(S("FNV")), shuffled, 4);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t room[32];
        Str key = key_at(span_of(room, sizeof room), i);
        EXPECT_U64(site_pick(&s, key), by_point[str_fnv(key, FNV_START) % 5]);
    }
    site_close(&s);
}

static const Str names[] = {S_INIT("RoundRobin"), S_INIT("Random"), S_INIT("FNV"),
                            S_INIT("Ketama")};
#define NAMES (sizeof names / sizeof names[0])

TEST("each try picks another endpoint, until all were asked, whatever the policy")
{
    for (size_t n = 0; n < NAMES; n++) {
        Site s;
        site_open(&s, policy_find(names[n]), three, 3);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t room[32];
            Str key = key_at(span_of(room, sizeof room), i);
            for (s.tried = 0; s.tried != 7;) {
                size_t place = site_pick(&s, key);
                EXPECT(place < 3 && !(s.tried >> place & 1));
                s.tried |= 1u << (place % 3);
            }
            EXPECT(site_pick(&s, key) == PICK_NONE);
        }
        site_close(&s);
    }
}

TEST("an endpoint that is not usable is passed over, and tries do not count it")
{
    for (size_t n = 0; n < NAMES; n++) {
        Site s;
        site_open(&s, policy_find(names[n]), three, 3);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t room[32];
            Str key = key_at(span_of(room, sizeof room), i);
            s.tried = 0;
            s.barred = 0;
            size_t first = site_pick(&s, key);
            s.barred = 1u << first;
            size_t second = site_pick(&s, key);
            s.tried = 1u << second;
            size_t third = site_pick(&s, key);
            EXPECT(first + second + third == 3 && first != second && second != third);
            s.tried = 1u << first; /* the same as barred: nobody is left out for it */
            EXPECT_U64(site_pick(&s, key), second);
        }
        site_close(&s);
    }
}

/* How often each is picked by so many picks in turn. */
static void count_turns(const Site *s, unsigned picks, unsigned *counts)
{
    for (unsigned i = 0; i < picks; i++) {
        PickKey key = {.sequence = i};
        counts[site_pick_key(s, &key)]++;
    }
}

TEST("RoundRobin goes smoothly by weight: exactly for a few turns, evenly for very many")
{
    static const Given few[] = {{S_INIT("10.0.0.1:80"), 2}, {S_INIT("10.0.0.2:80"), 1}};
    static const Given many[] = {{S_INIT("10.0.0.1:80"), 65535}, {S_INIT("10.0.0.2:80"), 1},
                                 {S_INIT("10.0.0.3:80"), 0}, {S_INIT("10.0.0.4:80"), 30000}};
    static const size_t smooth[] = {0, 1, 0, 0, 1, 0};
    Site s;
    site_open(&s, policy_find(S("RoundRobin")), few, 2);
    for (unsigned i = 0; i < 6; i++) {
        PickKey key = {.sequence = i};
        EXPECT_U64(site_pick_key(&s, &key), smooth[i]);
    }
    site_close(&s);
    site_open(&s, policy_find(S("RoundRobin")), many, 4);
    unsigned counts[4] = {0};
    count_turns(&s, 95536 * 4, counts);
    EXPECT(counts[0] >= 65535 * 4 - 4 && counts[0] <= 65535 * 4 + 4);
    EXPECT(counts[1] >= 2 && counts[1] <= 6);
    EXPECT_U64(counts[2], 0);
    unsigned gap = 0; /* between two turns of the last one, which has a third */
    for (unsigned i = 0; i < 100000; i++) {
        PickKey key = {.sequence = i};
        gap = site_pick_key(&s, &key) == 3 ? 0 : gap + 1;
        EXPECT(gap <= 5);
    }
    site_close(&s);
}

TEST("RoundRobin and Random give an endpoint without weight nothing, and the others their share")
{
    static const Given given[] = {{S_INIT("10.0.0.1:80"), 3}, {S_INIT("10.0.0.2:80"), 0},
                                  {S_INIT("10.0.0.3:80"), 3}, {S_INIT("10.0.0.4:80"), 6}};
    for (size_t n = 0; n < 2; n++) {
        Site s;
        Random random;
        unsigned counts[4] = {0};
        random_seed_from(&random, 5);
        site_open(&s, policy_find(names[n]), given, 4);
        for (unsigned i = 0; i < 12000; i++) {
            PickKey key = {.sequence = i, .random = random_next(&random)};
            counts[site_pick_key(&s, &key)]++;
        }
        EXPECT_U64(counts[1], 0);
        EXPECT(counts[0] > 2800 && counts[0] < 3200 && counts[3] > 5700 && counts[3] < 6300);
        site_close(&s);
    }
}

TEST("Ketama moves only the keys of the endpoint that goes, and shares by weight")
{
    static const Given weighted[] = {
        {S_INIT("10.0.0.1:80"), 1}, {S_INIT("10.0.0.2:80"), 1}, {S_INIT("10.0.0.3:80"), 2}};
    Site all;
    Site less;
    site_open(&all, policy_find(S("Ketama")), weighted, 3);
    site_open(&less, policy_find(S("Ketama")), weighted, 2);
    unsigned heavy = 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t room[32];
        Str key = key_at(span_of(room, sizeof room), i);
        size_t before = site_pick(&all, key);
        heavy += before == 2;
        if (before != 2) {
            EXPECT_U64(site_pick(&less, key), before);
        }
    }
    EXPECT(heavy > 4300 && heavy < 5700); /* half of them, within what 640 points allow */
    site_close(&all);
    site_close(&less);
}

/* A policy that nobody has written yet: the idler one of two. It is one file and one line. */
static const void *idler_build(const EndpointSet *set, Arena *arena)
{
    size_t *count = arena_new(arena, size_t);
    if (count) {
        *count = set->count;
    }
    return count;
}

static size_t idler_pick(const void *table, const PickKey *key, const Tried *tried,
                         const Loads *loads)
{
    size_t count = *(const size_t *)table;
    size_t one = key->random % count;
    size_t other = (one + 1) % count;
    bool swap = loads->busy(loads->owner, other) < loads->busy(loads->owner, one);
    size_t first = swap ? other : one;
    return pick_may(tried, loads, first) ? first : swap ? one : other;
}

static uint32_t busy_of(const void *owner, size_t place)
{
    return ((const uint32_t *)owner)[place];
}

static bool is_any(const void *owner, size_t place)
{
    return owner && place < 3;
}

TEST("a new policy needs nothing but the interface: the idler of two, by the loads")
{
    static const Balancer idler = {.name = S_INIT("Idler"), .build = idler_build,
                                   .pick = idler_pick};
    static const uint32_t busy[] = {5, 0, 9};
    Loads loads = {.owner = busy, .busy = busy_of, .usable = is_any};
    Tried tried = {.count = 0};
    Site s;
    site_open(&s, &idler, three, 3);
    for (uint64_t random = 0; random < 6; random++) {
        PickKey key = {.random = random};
        size_t got = idler.pick(s.table, &key, &tried, &loads);
        EXPECT_U64(got, random % 3 == 2 ? 0 : 1); /* between 2 and 0 it is 0, else 1 is there */
    }
    site_close(&s);
}
