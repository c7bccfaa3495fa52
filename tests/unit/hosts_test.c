/* hosts_test.c - which service a host belongs to. */
#include "proxy/hosts.h"

#include "http_support.h"
#include "proxy/snapshot.h"

TEST("hosts: exact names, then the longest wildcard, then whoever takes the rest")
{
    enum { EXACT, BELOW, DEEPER, ADDRESS, REST, SERVICES };
    static const struct {
        Str host;
        int service; /* -1: none */
    } rows[] = {
        {S_INIT("a.example"), EXACT},
        {S_INIT("A.Example"), EXACT},
        {S_INIT("a.example:8080"), EXACT},
        {S_INIT("a.example."), EXACT},
        {S_INIT("a.example.:80"), EXACT},
        {S_INIT("b.a.example"), BELOW},
        {S_INIT("c.b.a.example"), BELOW},
        {S_INIT("x.b.example"), REST},
        {S_INIT("deep.a.example"), DEEPER}, /* exact, though a wildcard fits too */
        {S_INIT("x.deep.a.example"), DEEPER},
        {S_INIT("x.y.deep.a.example"), DEEPER},
        {S_INIT("xdeep.a.example"), BELOW},
        {S_INIT("example"), REST},
        {S_INIT("xa.example"), REST},
        {S_INIT(".a.example"), BELOW},
        {S_INIT("[::1]"), ADDRESS},
        {S_INIT("[::1]:80"), ADDRESS},
        {S_INIT("192.0.2.1:80"), ADDRESS},
        {S_INIT(""), REST},
        {S_INIT("."), REST},
        {S_INIT("..."), REST},
        {S_INIT("a.example:x"), REST}, /* refused before it comes here */
    };
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    HostNames names;
    Service services[SERVICES] = {0};
    const Service *list[SERVICES];
    Hosts hosts = {.service_count = SERVICES, .services = list, .names = &names};
    blocks_init(&blocks, &budget, 4096, 4);
    arena_init(&arena, &blocks, 1u << 20);
    EXPECT(host_names_open(&arena, 8, &names) == ERR_OK);
    for (size_t i = 0; i < SERVICES; i++) {
        list[i] = &services[i];
    }
    host_names_add(&names, S("a.example"), false, EXACT);
    host_names_add(&names, S("a.example"), true, BELOW);
    host_names_add(&names, S("deep.a.example"), false, DEEPER);
    host_names_add(&names, S("deep.a.example"), true, DEEPER);
    host_names_add(&names, S("::1"), false, ADDRESS);
    host_names_add(&names, S("192.0.2.1"), false, ADDRESS);
    host_names_add(&names, S("a.example"), false, REST); /* said already */
    for (unsigned rest = 0; rest < 2; rest++) {
        hosts.otherwise = rest ? &services[REST] : NULL;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            const Service *want = rows[i].service == REST ? hosts.otherwise
                                                          : &services[rows[i].service];
            bool right = hosts_find(&hosts, rows[i].host) == want;
            EXPECT(right);
            if (!right) {
                EXPECT_STR(rows[i].host, S("its service"));
            }
        }
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("hosts: a name that is too long for one is nobody's, and costs nothing")
{
    uint8_t room[60000];
    Text long_name = text_in(span_of(room, sizeof room));
    while (long_name.len + 2 < sizeof room) {
        text_add(&long_name, S("a."));
    }
    text_add(&long_name, S("b"));
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    HostNames names;
    Service service = {0};
    const Service *list[] = {&service};
    Hosts hosts = {.service_count = 1, .services = list, .names = &names};
    blocks_init(&blocks, &budget, 4096, 4);
    arena_init(&arena, &blocks, 1u << 20);
    EXPECT(host_names_open(&arena, 1, &names) == ERR_OK);
    host_names_add(&names, S("b"), true, 0);
    Str name = text_str(&long_name);
    EXPECT(hosts_find(&hosts, name) == NULL);
    EXPECT(hosts_find(&hosts, str_drop(name, name.len - 255)) == &service);
    EXPECT(hosts_find(&hosts, str_drop(name, name.len - 257)) == NULL);
    arena_reset(&arena);
    blocks_drop(&blocks);
}
