/* certificate_cache.c - what a listener with many certificates costs: made for the first time, made
 * again when one of them has changed, and asked for a name.
 *
 *     cache DIRECTORY COUNT
 *
 * The directory holds 0.pem, 0.key and so on (bench/scale.py makes them), with one more pair than
 * COUNT. Time is the processor's; memory is what the allocator gave out. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "loop/random.h"
#include "net/tls.h"

#define COUNT_MAX 100000u
#define FILE_BYTES_MAX 65536u
#define LOOKUPS 1000000u
#define ROUNDS 9u

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double used_mib(void)
{
    struct mallinfo2 about = mallinfo2();
    return (double)(about.uordblks + about.hblkhd) / 1048576;
}

static Str read_file(Arena *a, const char *directory, unsigned number, const char *suffix)
{
    static uint8_t room[FILE_BYTES_MAX];
    char path[4096];
    Str copy = STR_NONE;
    snprintf(path, sizeof path, "%s/%u.%s", directory, number, suffix);
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(room, 1, sizeof room, file) : 0;
    if (!file || !arena_copy(a, str_of(room, len), &copy)) {
        fprintf(stderr, "cache: cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return copy;
}

/* Makes a server, and says how long that took. */
static TlsServer *make(const TlsServerPlan *plan, double *ret_ms)
{
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake;
    TlsServer *server = NULL;
    double start = cpu_ms();
    if (tls_server_new(plan, &server, &mistake, &why) != ERR_OK) {
        fprintf(stderr, "cache: pair %zu: %.*s\n", mistake.index, STR_ARG(text_str(&why)));
        exit(1);
    }
    *ret_ms = cpu_ms() - start;
    return server;
}

static void look_up(const TlsServer *server, unsigned count)
{
    Random random;
    size_t sum = 0;
    random_seed_from(&random, 1);
    double start = cpu_ms();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        uint8_t room[64];
        Text name = text_in(span_of(room, sizeof room));
        text_add(&name, i % 2 ? S("www.host") : S("host"));
        text_u64(&name, random_next(&random) % count);
        text_add(&name, S(".example"));
        sum += tls_server_identity(server, text_str(&name));
    }
    double ns = (cpu_ms() - start) * 1e6 / LOOKUPS;
    printf("choosing a certificate by name  %8.0f ns%s\n", ns, sum ? "" : " (none was found)");
}

int main(int argc, char **argv)
{
    static TlsPair pairs[COUNT_MAX];
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    Blocks blocks;
    Arena arena;
    CertificateCache *cache = NULL;
    blocks_init(&blocks, NULL, 1u << 20, 0);
    arena_init(&arena, &blocks, 1u << 30);
    if (count == 0 || count > COUNT_MAX || certificate_cache_new(&cache) != ERR_OK) {
        fprintf(stderr, "usage: cache DIRECTORY COUNT\n");
        return 2;
    }
    for (unsigned i = 0; i < count; i++) {
        pairs[i] = (TlsPair){.chain = read_file(&arena, argv[1], i, "pem"),
                             .key = read_file(&arena, argv[1], i, "key")};
    }
    TlsServerPlan plan = {.pair_count = count,
                          .pairs = pairs,
                          .offer_h2 = true,
                          .offer_h1 = true,
                          .key_log_fd = -1,
                          .cache = cache};
    double ms = 0;
    double before = used_mib();
    TlsServer *server = make(&plan, &ms);
    double first = used_mib();
    printf("a server of %u certificates  %8.1f ms, %.1f MiB\n", count, ms, first - before);
    pairs[count / 2] = (TlsPair){.chain = read_file(&arena, argv[1], count, "pem"),
                                 .key = read_file(&arena, argv[1], count, "key")};
    double best = 1e30;
    for (unsigned i = 0; i < ROUNDS; i++) {
        before = used_mib();
        TlsServer *fresh = make(&plan, &ms);
        best = ms < best ? ms : best;
        if (i + 1 == ROUNDS) {
            printf("the same with one changed    %11.1f ms, %.1f MiB more beside the first\n", best,
                   used_mib() - before);
        }
        tls_server_unref(fresh);
    }
    look_up(server, count);
    tls_server_unref(server);
    double start = cpu_ms();
    certificate_cache_sweep(cache);
    certificate_cache_sweep(cache);
    printf("sweeping them all away       %11.1f ms, %zu left\n", cpu_ms() - start,
           certificate_cache_count(cache));
    certificate_cache_drop(cache);
    arena_reset(&arena);
    blocks_drop(&blocks);
    return 0;
}
