/* ip_test.c - addresses and prefixes: one reading of each text, canonical printing. */
#include "base/ip.h"

#include <arpa/inet.h>

#include "http_support.h"

TEST("an address is read in one way and printed in canonical form")
{
    static const struct {
        Str text;
        Str want; /* empty: refused */
    } rows[] = {
        {S_INIT("0.0.0.0"), S_INIT("0.0.0.0")},
        {S_INIT("255.255.255.255"), S_INIT("255.255.255.255")},
        {S_INIT("::"), S_INIT("::")},
        {S_INIT("::1"), S_INIT("::1")},
        {S_INIT("1::"), S_INIT("1::")},
        {S_INIT("2001:DB8:0:0:1:0:0:1"), S_INIT("2001:db8::1:0:0:1")},
        {S_INIT("2001:db8:0:1:1:1:1:1"), S_INIT("2001:db8:0:1:1:1:1:1")},
        {S_INIT("1:0:0:2:0:0:0:3"), S_INIT("1:0:0:2::3")},
        {S_INIT("1:2:3:4:5:6:7::"), S_INIT("1:2:3:4:5:6:7:0")},
        {S_INIT("::2:3:4:5:6:7:8"), S_INIT("0:2:3:4:5:6:7:8")},
        {S_INIT("0001:0002:0003:0004:0005:0006:0007:0008"), S_INIT("1:2:3:4:5:6:7:8")},
        {S_INIT("::ffff:10.1.2.3"), S_INIT("10.1.2.3")},
        {S_INIT("0:0:0:0:0:FFFF:0a01:0203"), S_INIT("10.1.2.3")},
        {S_INIT("::fffe:10.1.2.3"), S_INIT("::fffe:a01:203")},
        {S_INIT("64:ff9b::1.2.3.4"), S_INIT("64:ff9b::102:304")},
        {S_INIT("1:2:3:4:5:6:1.2.3.4"), S_INIT("1:2:3:4:5:6:102:304")},
        {S_INIT(""), S_INIT("")},
        {S_INIT("1.2.3"), S_INIT("")},
        {S_INIT("1.2.3.4.5"), S_INIT("")},
        {S_INIT("1.2.3."), S_INIT("")},
        {S_INIT(".1.2.3"), S_INIT("")},
        {S_INIT("1..2.3"), S_INIT("")},
        {S_INIT("256.1.1.1"), S_INIT("")},
        {S_INIT("1.2.3.04"), S_INIT("")},
        {S_INIT("1.2.3.00"), S_INIT("")},
        {S_INIT("0x1.2.3.4"), S_INIT("")},
        {S_INIT("1.2.3.4 "), S_INIT("")},
        {S_INIT("+1.2.3.4"), S_INIT("")},
        {S_INIT("16909060"), S_INIT("")},
        {S_INIT(":"), S_INIT("")},
        {S_INIT(":::"), S_INIT("")},
        {S_INIT("1:::2"), S_INIT("")},
        {S_INIT("::1::"), S_INIT("")},
        {S_INIT(":1::"), S_INIT("")},
        {S_INIT("1:"), S_INIT("")},
        {S_INIT("1:2:3:4:5:6:7"), S_INIT("")},
        {S_INIT("1:2:3:4:5:6:7:8:9"), S_INIT("")},
        {S_INIT("1:2:3:4:5:6:7:8::"), S_INIT("")},
        {S_INIT("::1:2:3:4:5:6:7:8"), S_INIT("")},
        {S_INIT("1:2:3:4:5:6:7:1.2.3.4"), S_INIT("")},
        {S_INIT("::1.2.3.4:1"), S_INIT("")},
        {S_INIT("::1.2.3"), S_INIT("")},
        {S_INIT("::00001"), S_INIT("")},
        {S_INIT("::g"), S_INIT("")},
        {S_INIT("::1%eth0"), S_INIT("")},
        {S_INIT("[::1]"), S_INIT("")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].text);
        IpAddress address;
        uint8_t room[IP_TEXT_MAX];
        Text t = text_in(span_of(room, sizeof room));
        if (ip_parse(span_str(copy), &address) == ERR_OK) {
            ip_print(&t, address);
        }
        EXPECT_STR(text_str(&t), rows[i].want);
        free(copy.at);
    }
}

TEST("random IPv6 addresses print as they are read, and the system reads the same")
{
    uint64_t seed = 1;
    for (unsigned n = 0; n < 20000; n++) {
        IpAddress a = {.family = 6};
        for (size_t i = 0; i < 16; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            a.bytes[i] = (uint8_t)(seed >> 60 < 9 ? 0 : seed >> 40);
        }
        uint8_t room[IP_TEXT_MAX];
        Text t = text_in(span_of(room, sizeof room));
        ip_print(&t, a);
        IpAddress back;
        EXPECT(!t.overflow && ip_parse(text_str(&t), &back) == ERR_OK && ip_equal(a, back));
        char c_text[IP_TEXT_MAX + 1];
        uint8_t theirs[16];
        EXPECT(str_to_c(text_str(&t), span_of(c_text, sizeof c_text)) == ERR_OK);
        EXPECT(inet_pton(AF_INET6, c_text, theirs) == 1 && memcmp(theirs, a.bytes, 16) == 0);
    }
}

TEST("a prefix has no bits behind it, and a mapped one is IPv4")
{
    static const struct {
        Str text;
        Err err;
        Str want;
    } rows[] = {
        {S_INIT("10.0.0.0/8"), ERR_OK, S_INIT("10.0.0.0/8")},
        {S_INIT("10.0.0.1"), ERR_OK, S_INIT("10.0.0.1/32")},
        {S_INIT("0.0.0.0/0"), ERR_OK, S_INIT("0.0.0.0/0")},
        {S_INIT("::/0"), ERR_OK, S_INIT("::/0")},
        {S_INIT("2001:db8::/33"), ERR_OK, S_INIT("2001:db8::/33")},
        {S_INIT("::1"), ERR_OK, S_INIT("::1/128")},
        {S_INIT("::ffff:10.0.0.0/104"), ERR_OK, S_INIT("10.0.0.0/8")},
        {S_INIT("::ffff:0:0/96"), ERR_OK, S_INIT("0.0.0.0/0")},
        {S_INIT("::ffff:0:0/95"), ERR_LIMIT, S_INIT("::fffe:0:0/95")},
        {S_INIT("10.0.0.1/8"), ERR_LIMIT, S_INIT("10.0.0.0/8")},
        {S_INIT("10.128.0.0/8"), ERR_LIMIT, S_INIT("10.0.0.0/8")},
        {S_INIT("10.0.0.1/31"), ERR_LIMIT, S_INIT("10.0.0.0/31")},
        {S_INIT("::ffff:10.0.0.1/104"), ERR_LIMIT, S_INIT("10.0.0.0/8")},
        {S_INIT("10.0.0.0/33"), ERR_RANGE, S_INIT("")},
        {S_INIT("::/129"), ERR_RANGE, S_INIT("")},
        {S_INIT("10.0.0.0/"), ERR_SYNTAX, S_INIT("")},
        {S_INIT("10.0.0.0/08"), ERR_SYNTAX, S_INIT("")},
        {S_INIT("10.0.0.0/-1"), ERR_SYNTAX, S_INIT("")},
        {S_INIT("10.0.0.0/8/8"), ERR_SYNTAX, S_INIT("")},
        {S_INIT("/8"), ERR_SYNTAX, S_INIT("")},
        {S_INIT("10.0.0/8"), ERR_SYNTAX, S_INIT("")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        IpPrefix p = {.bits = 0};
        uint8_t room[IP_TEXT_MAX + 4];
        Text t = text_in(span_of(room, sizeof room));
        Err err = ip_prefix_parse(rows[i].text, &p);
        EXPECT_STR(err == rows[i].err ? S("") : rows[i].text, S(""));
        if (err == ERR_OK || err == ERR_LIMIT) {
            ip_prefix_print(&t, &p);
        }
        EXPECT_STR(text_str(&t), rows[i].want);
    }
}

static bool holds(Str prefix, Str address)
{
    IpPrefix p = {.bits = 0};
    IpAddress a = {.family = 0};
    EXPECT(ip_prefix_parse(prefix, &p) == ERR_OK && ip_parse(address, &a) == ERR_OK);
    return ip_prefix_holds(&p, a);
}

TEST("a prefix holds its own family only, mapped addresses counting as IPv4")
{
    EXPECT(holds(S("10.0.0.0/8"), S("10.255.0.1")) && !holds(S("10.0.0.0/8"), S("11.0.0.0")));
    EXPECT(holds(S("10.0.0.0/8"), S("::ffff:10.1.1.1")));
    EXPECT(holds(S("10.0.0.4/30"), S("10.0.0.7")) && !holds(S("10.0.0.4/30"), S("10.0.0.8")));
    EXPECT(holds(S("0.0.0.0/0"), S("1.2.3.4")) && !holds(S("0.0.0.0/0"), S("::1")));
    EXPECT(holds(S("::/0"), S("::1")) && !holds(S("::/0"), S("1.2.3.4")));
    EXPECT(holds(S("2001:db8::/33"), S("2001:db8:7fff::1")));
    EXPECT(!holds(S("2001:db8::/33"), S("2001:db8:8000::1")));
    EXPECT(!ip_prefix_holds(&(IpPrefix){.bits = 0}, (IpAddress){.family = 0}));
}
