/* balance_test.c - balancing policies: who is picked for a key, and how few keys move. */
#include "balance/policies.h"
#include "base/crc32.h"
#include "base/number.h"
#include "base/text.h"
#include "proxy/snapshot.h"
#include "test.h"

#define ENDPOINTS_MAX 8u

typedef struct Site {
    Budget budget;
    Blocks blocks;
    Arena arena;
    Cluster cluster;
    Endpoint endpoints[ENDPOINTS_MAX];
    const void *table;
} Site;

typedef struct Member {
    Str name;
    uint32_t weight;
} Member;

static Endpoint endpoint_of(const Member *m)
{
    Endpoint e = {.name = m->name, .weight = m->weight};
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

static void site_open(Site *s, const Balancer *b, const Member *members, size_t count)
{
    *s = (Site){0};
    blocks_init(&s->blocks, &s->budget, 4096, 0);
    arena_init(&s->arena, &s->blocks, 64u << 20);
    for (size_t i = 0; i < count; i++) {
        s->endpoints[i] = endpoint_of(&members[i]);
    }
    s->cluster = (Cluster){
        .endpoint_count = count, .endpoints = s->endpoints, .balancer = b};
    s->table = b->build(&s->cluster, &s->arena);
    EXPECT(s->table != NULL);
}

static void site_close(Site *s)
{
    arena_reset(&s->arena);
    blocks_drop(&s->blocks);
}

static size_t site_pick(const Site *s, Str key, unsigned attempt)
{
    PickKey k = {.hashed = key};
    return s->cluster.balancer->pick(s->table, &k, attempt, NULL);
}

static Str key_at(Span room, unsigned i)
{
    Text t = text_in(room);
    text_add(&t, S("/item/"));
    text_u64(&t, i);
    return text_str(&t);
}

static const Member three[] = {
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
    static const Member shuffled[] = {
        {S_INIT("/run/a.sock"), 1}, {S_INIT("10.0.0.2:80"), 2}, {S_INIT("10.0.0.10:9"), 1},
        {S_INIT("10.0.0.2:79"), 1}};
    static const size_t by_point[] = {3, 1, 1, 2, 0}; /* 2:79, 2:80, 2:80, 10:9, the path */
    Site s;
    site_open(&s, policy_find(S("FNV")), shuffled, 4);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t room[32];
        Str key = key_at(span_of(room, sizeof room), i);
        EXPECT_U64(site_pick(&s, key, 0), by_point[str_fnv(key, FNV_START) % 5]);
    }
    site_close(&s);
}

TEST("each attempt picks another endpoint, until all were asked, whatever the policy")
{
    static const Str names[] = {S_INIT("RoundRobin"), S_INIT("Random"), S_INIT("FNV"),
                                S_INIT("Ketama")};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        Site s;
        site_open(&s, policy_find(names[n]), three, 3);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t room[32];
            unsigned seen = 0;
            for (unsigned attempt = 0; attempt < 3; attempt++) {
                seen |= 1u << site_pick(&s, key_at(span_of(room, sizeof room), i), attempt);
            }
            EXPECT_U64(seen, 7);
        }
        site_close(&s);
    }
}

TEST("Ketama moves only the keys of the endpoint that goes, and shares by weight")
{
    static const Member weighted[] = {
        {S_INIT("10.0.0.1:80"), 1}, {S_INIT("10.0.0.2:80"), 1}, {S_INIT("10.0.0.3:80"), 2}};
    Site all;
    Site less;
    site_open(&all, policy_find(S("Ketama")), weighted, 3);
    site_open(&less, policy_find(S("Ketama")), weighted, 2);
    unsigned heavy = 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t room[32];
        Str key = key_at(span_of(room, sizeof room), i);
        size_t before = site_pick(&all, key, 0);
        heavy += before == 2;
        if (before != 2) {
            EXPECT_U64(site_pick(&less, key, 0), before);
        }
    }
    EXPECT(heavy > 4300 && heavy < 5700); /* half of them, within what 640 points allow */
    site_close(&all);
    site_close(&less);
}

/* A policy that nobody has written yet: the idler one of two. It is one file and one line. */
static const void *idler_build(const Cluster *c, Arena *arena)
{
    size_t *count = arena_new(arena, size_t);
    if (count) {
        *count = c->endpoint_count;
    }
    return count;
}

static size_t idler_pick(const void *table, const PickKey *key, unsigned attempt,
                         const Loads *loads)
{
    size_t count = *(const size_t *)table;
    size_t one = (key->random + attempt) % count;
    size_t other = (one + 1) % count;
    return loads->busy(loads->owner, other) < loads->busy(loads->owner, one) ? other : one;
}

static uint32_t busy_of(const void *owner, size_t index)
{
    return ((const uint32_t *)owner)[index];
}

TEST("a new policy needs nothing but the interface: the idler of two, by the loads")
{
    static const Balancer idler = {.name = S_INIT("Idler"), .build = idler_build,
                                   .pick = idler_pick};
    static const uint32_t busy[] = {5, 0, 9};
    Loads loads = {.owner = busy, .busy = busy_of};
    Site s;
    site_open(&s, &idler, three, 3);
    for (uint64_t random = 0; random < 6; random++) {
        PickKey key = {.random = random};
        size_t got = idler.pick(s.table, &key, 0, &loads);
        EXPECT_U64(got, random % 3 == 2 ? 0 : 1); /* between 2 and 0 it is 0, else 1 is there */
    }
    site_close(&s);
}
