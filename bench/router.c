/* router.c - what choosing a route costs among few and many, of each kind.
 *
 *     router [ROUNDS]
 *
 * Paths are asked in a random order, so that with many routes the tables leave the caches as they
 * do in real use. Counted by processor time; the best of several rounds is printed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "loop/random.h"
#include "proxy/router.h"

#define LOOKUPS 1000000u
#define COUNT_MAX 10000u
#define PATH_BYTES 64u /* of the longest */

typedef struct Kind {
    const char *name;
    RouteMatch match;
    Str before; /* what stands before the route's number */
    Str rule;   /* what stands behind it in the rule, and in a path */
    Str path;
    unsigned most;
} Kind;

static uint8_t rooms[2][COUNT_MAX][PATH_BYTES];

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static Str numbered(uint8_t *room, Str before, unsigned number, Str behind)
{
    Text t = text_in(span_of(room, PATH_BYTES));
    text_add(&t, before);
    text_u64(&t, number);
    text_add(&t, behind);
    return text_str(&t);
}

static void measure(const Kind *kind, unsigned count, unsigned rounds)
{
    static RouterRule rules[COUNT_MAX];
    static Str paths[COUNT_MAX];
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    Router router;
    Random random;
    double best = 1e30;
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&arena, &blocks, 256u << 20);
    random_seed_from(&random, 1);
    for (unsigned i = 0; i < count; i++) {
        rules[i] = (RouterRule){.match = kind->match,
                                .path = numbered(rooms[0][i], kind->before, i, kind->rule),
                                .methods = {.any = true}};
        Str before = str_drop(kind->before, kind->match == ROUTE_REGEX ? 1 : 0); /* the ^ */
        paths[i] = numbered(rooms[1][i], before, i, kind->path);
    }
    if (router_build(&arena, rules, count, &router) != ERR_OK) {
        fprintf(stderr, "router: %s: %u are too many\n", kind->name, count);
        exit(1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        double start = cpu_ns();
        for (unsigned i = 0; i < LOOKUPS; i++) {
            unsigned n = (unsigned)((random_next(&random) >> 32) * count >> 32);
            RequestHead head = {.method = METHOD_GET, .method_name = S("GET"), .path = paths[n]};
            if (router_find(&router, &head) != &rules[n].route) {
                fprintf(stderr, "router: %s: the wrong route\n", kind->name);
                exit(1);
            }
        }
        double took = (cpu_ns() - start) / LOOKUPS;
        best = took < best ? took : best;
    }
    printf("%-8s %6u routes %9.1f ns\n", kind->name, count, best);
    router_drop(&router);
    arena_reset(&arena);
    blocks_drop(&blocks);
}

int main(int argc, char **argv)
{
    static const Kind kinds[] = {
        {"exact", ROUTE_EXACT, S_INIT("/shop/v1/item-"), S_INIT(""), S_INIT(""), COUNT_MAX},
        {"prefix", ROUTE_PREFIX, S_INIT("/shop/v1/item-"), S_INIT(""), S_INIT("/a/b.html"),
         COUNT_MAX},
        {"regex", ROUTE_REGEX, S_INIT("^/item-"), S_INIT("/[a-z]+$"), S_INIT("/word"),
         PATTERN_SET_MAX},
    };
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (unsigned count = 10; count <= kinds[i].most; count *= 10) {
            measure(&kinds[i], count, rounds);
        }
    }
    return 0;
}
