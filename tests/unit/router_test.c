/* router_test.c - which route a request takes: the order of kinds, methods, segments, and that the
 * tree says what going through all rules one by one says. */
#include "proxy/router.h"

#include <stdio.h>

#include "http_support.h"

#define ANY {.any = true}
#define ONLY(name) {.known = 1u << METHOD_##name}

typedef struct Site {
    Budget budget;
    Blocks blocks;
    Arena arena;
    Router router;
} Site;

static Err site_open(Site *s, const RouterRule *rules, size_t count)
{
    s->budget = (Budget){.max_bytes = 0};
    blocks_init(&s->blocks, &s->budget, 65536, 4);
    arena_init(&s->arena, &s->blocks, 512u << 20);
    s->router = (Router){0};
    return router_build(&s->arena, rules, count, &s->router);
}

static void site_close(Site *s)
{
    router_drop(&s->router);
    arena_reset(&s->arena);
    blocks_drop(&s->blocks);
}

/* The path of the route that is taken, or "none". */
static Str taken(const Site *s, Str method, Str path)
{
    RequestHead head = {.method = method_from(method), .method_name = method, .path = path};
    const Route *route = router_find(&s->router, &head);
    return route ? route->path : S("none");
}

#define RULE(kind, text, only)                                                                     \
    {                                                                                              \
        .match = ROUTE_##kind, .path = S_INIT(text), .methods = only,                              \
        .route = {.path = S_INIT(text)}                                                            \
    }

TEST("router: exact, then the longest prefix at a slash, then patterns in order, then \"/\"")
{
    static const RouterRule rules[] = {
        RULE(PREFIX, "/", ANY),
        RULE(PREFIX, "/api", ANY),
        RULE(PREFIX, "/api/v2", ANY),
        RULE(REGEX, "^/[a-z]+[0-9]+$", ANY),
        RULE(REGEX, "9$", ANY),
        RULE(EXACT, "/healthz", ANY),
        RULE(PREFIX, "/dir/", ANY),
        RULE(EXACT, "/api/v2/", ANY),
    };
    static const struct {
        Str path;
        Str route;
    } rows[] = {
        {S_INIT("/"), S_INIT("/")},
        {S_INIT("/healthz"), S_INIT("/healthz")},
        {S_INIT("/healthz/"), S_INIT("/")},
        {S_INIT("/healthzz"), S_INIT("/")},
        {S_INIT("/api"), S_INIT("/api")},
        {S_INIT("/api/"), S_INIT("/api")},
        {S_INIT("/api/x/y"), S_INIT("/api")},
        {S_INIT("/apix"), S_INIT("/")},
        {S_INIT("/api9"), S_INIT("^/[a-z]+[0-9]+$")},
        {S_INIT("/api/v2"), S_INIT("/api/v2")},
        {S_INIT("/api/v2/"), S_INIT("/api/v2/")}, /* exact */
        {S_INIT("/api/v2/x"), S_INIT("/api/v2")},
        {S_INIT("/api/v29"), S_INIT("/api")}, /* a prefix goes before every pattern */
        {S_INIT("/x-9"), S_INIT("9$")},
        {S_INIT("/dir"), S_INIT("/")}, /* the prefix ends with a slash: so must this */
        {S_INIT("/dir/"), S_INIT("/dir/")},
        {S_INIT("/dir/x"), S_INIT("/dir/")},
        {S_INIT("//api"), S_INIT("/")}, /* where nothing is normalised */
        {S_INIT("*"), S_INIT("/")},
    };
    Site s;
    EXPECT(site_open(&s, rules, COUNT_OF(rules)) == ERR_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EXPECT_STR(taken(&s, S("GET"), rows[i].path), rows[i].route);
    }
    site_close(&s);
}

TEST("router: a route for other methods is as if it were not there")
{
    static const Str others[] = {S_INIT("PURGE")};
    static const RouterRule rules[] = {
        RULE(PREFIX, "/up", ONLY(PUT)),
        {.match = ROUTE_PREFIX,
         .path = S_INIT("/up"),
         .methods = {.other_count = 1, .others = others},
         .route = {.path = S_INIT("second")}},
        RULE(EXACT, "/up/x", ONLY(POST)),
        RULE(REGEX, "^/up/[0-9]$", ONLY(DELETE)),
        RULE(REGEX, "^/up", ONLY(GET)),
        RULE(PREFIX, "/", ONLY(HEAD)),
    };
    static const struct {
        Str method;
        Str path;
        Str route;
    } rows[] = {
        {S_INIT("PUT"), S_INIT("/up/x"), S_INIT("/up")},
        {S_INIT("PURGE"), S_INIT("/up/x"), S_INIT("second")},
        {S_INIT("purge"), S_INIT("/up/x"), S_INIT("none")},
        {S_INIT("POST"), S_INIT("/up/x"), S_INIT("/up/x")},
        {S_INIT("POST"), S_INIT("/up"), S_INIT("none")},
        {S_INIT("DELETE"), S_INIT("/up/7"), S_INIT("^/up/[0-9]$")},
        {S_INIT("GET"), S_INIT("/up/7"), S_INIT("^/up")},
        {S_INIT("HEAD"), S_INIT("/up/7"), S_INIT("/")},
        {S_INIT("PATCH"), S_INIT("/up/7"), S_INIT("none")},
    };
    Site s;
    EXPECT(site_open(&s, rules, COUNT_OF(rules)) == ERR_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EXPECT_STR(taken(&s, rows[i].method, rows[i].path), rows[i].route);
    }
    site_close(&s);
}

/* --- the model ------------------------------------------------------------------------------- */

static bool model_prefix(Str prefix, Str path)
{
    return str_starts(path, prefix) &&
           (path.len == prefix.len || str_at(prefix, prefix.len - 1) == '/' ||
            str_at(path, prefix.len) == '/');
}

/* Goes through all rules: exact ones, then prefixes, of which "/" counts as the last. */
static Str model(const RouterRule *rules, size_t count, Method method, Str path)
{
    const RouterRule *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const RouterRule *r = &rules[i];
        if (!r->methods.any && !(r->methods.known >> method & 1)) {
            continue;
        }
        if (r->match == ROUTE_EXACT && str_equal(r->path, path)) {
            return r->route.path;
        }
        if (r->match == ROUTE_PREFIX && model_prefix(r->path, path) &&
            (!best || r->path.len > best->path.len)) {
            best = r;
        }
    }
    return best ? best->route.path : S("none");
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* A path of few segments from a small alphabet, so that all cases of overlap come. */
static Str random_path(uint64_t *seed, Arena *a)
{
    static const Str segments[] = {S_INIT("a"), S_INIT("b"), S_INIT("ab"), S_INIT("")};
    Span room;
    EXPECT(arena_span(a, 32, &room));
    Text t = text_in(room);
    unsigned count = (unsigned)(next_random(seed) % 5);
    for (unsigned i = 0; i < count; i++) {
        text_byte(&t, '/');
        text_add(&t, segments[next_random(seed) % COUNT_OF(segments)]);
    }
    if (count == 0 || next_random(seed) % 3 == 0) {
        text_byte(&t, '/');
    }
    return text_str(&t);
}

TEST("router: the tree says what going through all rules says (10,000 sets of random rules)")
{
    enum { RULES = 12, ASKED = 20 };
    uint64_t seed = 1;
    for (unsigned round = 0; round < 10000; round++) {
        Site s;
        RouterRule rules[RULES];
        Budget budget = {.max_bytes = 0};
        Blocks blocks;
        Arena texts;
        blocks_init(&blocks, &budget, 4096, 4);
        arena_init(&texts, &blocks, 1u << 20);
        for (unsigned i = 0; i < RULES; i++) {
            Str path = random_path(&seed, &texts);
            uint32_t methods = (uint32_t)(next_random(&seed) & 6); /* GET, HEAD */
            rules[i] = (RouterRule){
                .match = next_random(&seed) % 3 == 0 ? ROUTE_EXACT : ROUTE_PREFIX,
                .path = path,
                .methods = {.any = methods == 0, .known = methods},
                .route = {.path = path},
            };
        }
        EXPECT(site_open(&s, rules, RULES) == ERR_OK);
        for (unsigned i = 0; i < ASKED; i++) {
            Str path = random_path(&seed, &texts);
            bool get = next_random(&seed) & 1;
            EXPECT_STR(taken(&s, get ? S("GET") : S("HEAD"), path),
                       model(rules, RULES, get ? METHOD_GET : METHOD_HEAD, path));
        }
        site_close(&s);
        arena_reset(&texts);
        blocks_drop(&blocks);
    }
}

/* --- cost ------------------------------------------------------------------------------------ */

/* Nanoseconds of one look-up among `count` prefixes, the quickest of several rounds. */
static uint64_t cost_of(size_t count)
{
    enum { ROUNDS = 7, LOOKUPS = 20000 };
    Site s;
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena texts;
    uint64_t best = UINT64_MAX;
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&texts, &blocks, 64u << 20);
    RouterRule *rules = arena_array(&texts, RouterRule, count);
    EXPECT(rules != NULL);
    for (size_t i = 0; rules && i < count; i++) {
        Span room;
        EXPECT(arena_span(&texts, 48, &room));
        Text t = text_in(room);
        text_format(&t, "/services/v1/number-%zu", i);
        rules[i] = (RouterRule){.path = text_str(&t), .methods = ANY};
    }
    EXPECT(site_open(&s, rules, count) == ERR_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = test_cpu_ns();
        for (size_t i = 0; i < LOOKUPS; i++) {
            const RouterRule *rule = &rules[i % 10]; /* so that only the structure differs */
            RequestHead head = {
                .method = METHOD_GET, .method_name = S("GET"), .path = rule->path};
            EXPECT(router_find(&s.router, &head) == &rule->route);
        }
        uint64_t took = test_cpu_ns() - start;
        best = took < best ? took : best;
    }
    site_close(&s);
    arena_reset(&texts);
    blocks_drop(&blocks);
    return best / LOOKUPS + 1;
}

TEST("router: a look-up costs about the same among 10 and among 10,000 routes")
{
    uint64_t few = cost_of(10);
    uint64_t many = cost_of(10000);
    EXPECT(many < 3 * few + 50); /* a list would take 1,000 times as long */
    if (many >= 3 * few + 50) {
        printf("    10: %llu ns, 10,000: %llu ns\n", (unsigned long long)few,
               (unsigned long long)many);
    }
}

TEST("router: a path of nothing but slashes is looked up no deeper than there are routes")
{
    static const RouterRule rules[] = {RULE(PREFIX, "/", ANY), RULE(EXACT, "/a/b", ANY)};
    uint8_t slashes[16384];
    for (size_t i = 0; i < sizeof slashes; i++) {
        slashes[i] = '/';
    }
    Site s;
    EXPECT(site_open(&s, rules, COUNT_OF(rules)) == ERR_OK);
    EXPECT_STR(taken(&s, S("GET"), str_of(slashes, sizeof slashes)), S("/"));
    site_close(&s);
}
