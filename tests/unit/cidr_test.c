/* cidr_test.c - sets of prefixes answer as the loop over all prefixes does. */
#include "base/cidr.h"

#include "test.h"

#define LIST_MAX 9000u

typedef struct Fixture {
    Budget budget;
    Blocks blocks;
    Arena arena;
    CidrSet set;
    size_t count;
    IpPrefix list[LIST_MAX];
} Fixture;

static Fixture f;

static void begin(void)
{
    f.budget = (Budget){0};
    blocks_init(&f.blocks, &f.budget, 4064, 4);
    arena_init(&f.arena, &f.blocks, 64u << 20);
    f.count = 0;
}

static void end(void)
{
    arena_reset(&f.arena);
    blocks_drop(&f.blocks);
    EXPECT_U64(f.budget.used_bytes, 0);
}

static void build(void)
{
    EXPECT(cidr_build(&f.set, f.list, f.count, &f.arena) == ERR_OK);
}

static bool loop_holds(const IpAddress *a)
{
    for (size_t i = 0; i < f.count; i++) {
        if (ip_prefix_holds(&f.list[i], *a)) {
            return true;
        }
    }
    return false;
}

static uint64_t seed = 1;

static uint64_t next(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return seed >> 33;
}

/* The address and both its neighbours: edges are where a set goes wrong. */
static size_t differences(IpAddress a)
{
    size_t count = 0;
    size_t last = a.family == 4 ? 3 : 15;
    for (int step = 0; step < 3; step++) {
        IpAddress near = a;
        int carry = step - 1;
        for (size_t i = last + 1; i > 0 && carry != 0; i--) {
            int value = near.bytes[i - 1] + carry;
            near.bytes[i - 1] = (uint8_t)value;
            carry = value < 0 ? -1 : value > 255 ? 1 : 0;
        }
        bool want = loop_holds(&near);
        count += cidr_holds(&f.set, &near) != want;
    }
    return count;
}

/* The last address of a prefix. */
static IpAddress last_of(const IpPrefix *p)
{
    IpAddress a = p->address;
    size_t bits = a.family == 4 ? 32 : 128;
    for (size_t i = p->bits; i < bits; i++) {
        a.bytes[i / 8] = (uint8_t)(a.bytes[i / 8] | 0x80u >> (i % 8));
    }
    return a;
}

/* Random bits, of which the first `same` come from a few patterns: so prefixes lie inside and
 * beside each other. */
static IpAddress random_address(uint8_t family, unsigned same)
{
    IpAddress a = {.family = family};
    unsigned bits = family == 4 ? 32 : 128;
    unsigned pattern = (unsigned)(next() % 3);
    for (unsigned i = 0; i < bits; i++) {
        bool on = i < same ? (pattern == 1 && i % 7 == 3) || pattern == 2 : next() & 1;
        a.bytes[i / 8] = (uint8_t)(a.bytes[i / 8] | (on ? 0x80u >> (i % 8) : 0));
    }
    return a;
}

static IpPrefix random_prefix(uint8_t family, unsigned same, unsigned bits_min)
{
    unsigned bits_max = family == 4 ? 32 : 128;
    unsigned bits = bits_min + (unsigned)(next() % (bits_max - bits_min + 1));
    IpPrefix p = {.address = random_address(family, same), .bits = (uint8_t)bits};
    for (unsigned i = bits; i < bits_max; i++) {
        p.address.bytes[i / 8] = (uint8_t)(p.address.bytes[i / 8] & ~(0x80u >> (i % 8)));
    }
    return p;
}

static void compare(const char *what, size_t probes, unsigned same)
{
    size_t wrong = 0;
    for (size_t i = 0; i < probes; i++) {
        const IpPrefix *p = f.count > 0 ? &f.list[next() % f.count] : NULL;
        if (p) {
            wrong += differences(p->address) + differences(last_of(p));
        }
        wrong += differences(random_address(4, same)) + differences(random_address(6, same));
    }
    test_expect_u64(wrong, 0, what, __FILE__, __LINE__);
}

TEST("a set of prefixes answers as the loop over them: small random sets")
{
    for (unsigned round = 0; round < 300; round++) {
        begin();
        unsigned same = (unsigned)(next() % 129);
        unsigned bits_min = (unsigned)(next() % 33);
        size_t count = next() % 40;
        for (size_t i = 0; i < count; i++) {
            uint8_t family = next() % 2 ? 4 : 6;
            f.list[f.count++] = random_prefix(family, family == 4 ? same / 4 : same, bits_min);
        }
        build();
        compare("wrong answers of a small set", 20, same);
        end();
    }
}

TEST("a set of prefixes answers as the loop over them: large sets, which have lines")
{
    for (unsigned round = 0; round < 4; round++) {
        begin();
        unsigned same = round * 20;
        while (f.count < LIST_MAX) {
            uint8_t family = f.count % 2 ? 4 : 6;
            unsigned bits_min = family == 4 ? 14 : 17 + 40 * (round % 2);
            f.list[f.count++] = random_prefix(family, family == 4 ? same / 8 : same, bits_min);
        }
        build();
        EXPECT(round > 0 || (f.set.v4.line_count > 0 && f.set.v6.line_count > 0));
        compare("wrong answers of a large set", 60, same);
        end();
    }
}

TEST("a set of prefixes answers as the loop over them: large sets below one long prefix")
{
    static const uint8_t head[] = {0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78};
    /* Bytes: fewer than a fork skips, as many, and more. */
    for (unsigned shared = 2; shared <= 8; shared += 3) {
        begin();
        while (f.count < LIST_MAX) {
            IpPrefix p = random_prefix(6, 0, 8 * shared + 10);
            for (unsigned i = 0; i < shared; i++) {
                p.address.bytes[i] = head[i];
            }
            f.list[f.count++] = p;
        }
        build();
        EXPECT(shared > 5 || (f.set.v6.line_count > 0 && f.set.v6.front.skip >= 8 * shared));
        compare("wrong answers of a set below one prefix", 60, 0);
        IpAddress beside = f.list[0].address;
        beside.bytes[shared - 1] ^= 1;
        EXPECT_U64(differences(beside), 0);
        end();
    }
}

static void add(Str text)
{
    IpPrefix p;
    EXPECT(ip_prefix_parse(text, &p) == ERR_OK);
    f.list[f.count++] = p;
}

static bool holds(Str text)
{
    IpAddress a;
    EXPECT(ip_parse(text, &a) == ERR_OK);
    return cidr_holds(&f.set, &a);
}

TEST("an empty set holds nothing, and a Unix peer is in no set")
{
    begin();
    build();
    EXPECT(cidr_is_empty(&f.set));
    EXPECT(!holds(S("0.0.0.0")) && !holds(S("::")));
    add(S("0.0.0.0/0"));
    add(S("::/0"));
    build();
    EXPECT(!cidr_holds(&f.set, &(IpAddress){.family = 0}));
    EXPECT(holds(S("0.0.0.0")) && holds(S("255.255.255.255")));
    EXPECT(holds(S("::")) && holds(S("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    end();
}

TEST("one address is held and its neighbours are not, at both ends of the space")
{
    static const Str rows[] = {S_INIT("0.0.0.0"), S_INIT("255.255.255.255"),
                               S_INIT("10.0.0.1"), S_INIT("::"),
                               S_INIT("::1"), S_INIT("2001:db8::7"),
                               S_INIT("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        add(rows[i]);
        build();
        EXPECT(holds(rows[i]));
        EXPECT_U64(differences(f.list[0].address), 0);
        end();
    }
}

TEST("a mapped address is the IPv4 address; an IPv6 prefix does not hold IPv4")
{
    begin();
    add(S("::ffff:10.0.0.0/104"));
    add(S("::/64"));
    build();
    EXPECT(holds(S("10.1.2.3")) && holds(S("::ffff:10.1.2.3")));
    EXPECT(holds(S("::1")) && !holds(S("11.0.0.1")) && !holds(S("::ffff:11.0.0.1")));
    end();
}

TEST("nested and adjoining prefixes cost nothing")
{
    begin();
    add(S("10.0.0.0/9"));
    add(S("10.1.0.0/16"));
    add(S("10.128.0.0/9"));
    add(S("10.1.2.3"));
    add(S("10.0.0.0/9"));
    build();
    EXPECT_U64(f.set.v4.fork_count, 1);
    EXPECT(holds(S("10.255.255.255")) && !holds(S("11.0.0.0")) && !holds(S("9.255.255.255")));
    add(S("2001:db8::/33"));
    add(S("2001:db8:8000::/33"));
    build();
    EXPECT_U64(f.set.v6.fork_count, 1);
    end();
}

TEST("full lines: half of all addresses are in one prefix, and some lines have too many for a line")
{
    begin();
    for (unsigned i = 0; i < LIST_MAX; i++) { /* every second /24 of 10.0.0.0/9 and on */
        IpPrefix p = {.address = {.family = 4, .bytes = {10}}, .bits = 24};
        p.address.bytes[0] = (uint8_t)(10 + (i >> 15));
        p.address.bytes[1] = (uint8_t)(i >> 7);
        p.address.bytes[2] = (uint8_t)(i << 1);
        f.list[f.count++] = p;
    }
    f.count--;
    add(S("128.0.0.0/1"));
    build();
    EXPECT(f.set.v4.fork_count > 0);
    EXPECT(holds(S("10.3.2.1")) && !holds(S("10.3.3.1")) && holds(S("128.0.0.0")));
    EXPECT(holds(S("255.255.255.255")) && !holds(S("127.255.255.255")));
    compare("wrong answers of full lines", 40, 0);
    end();
}

TEST("a set that finds no memory says so, whichever allocation fails")
{
    begin();
    while (f.count < LIST_MAX) {
        f.list[f.count] = random_prefix(f.count % 2 ? 4 : 6, 0, 30);
        f.count++;
    }
    Err err = ERR_MEMORY;
    long failures = 0;
    while (err == ERR_MEMORY && failures < 50) {
        memory_fail_after(failures);
        err = cidr_build(&f.set, f.list, f.count, &f.arena);
        memory_fail_after(-1);
        failures += err == ERR_MEMORY;
    }
    EXPECT(err == ERR_OK);
    EXPECT_U64(failures, 13); /* lists of two builders and two tries that need more than a block */
    end();
}
