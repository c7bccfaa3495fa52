/* limiter.c - checks a second of the rate limiter: many keys in a random order on one thread and on
 * several, and one key that all threads want.
 *
 *     limiter [THREADS] [ROUNDS]
 *
 * A check is what a request costs: the keyed hash of an address and the taking of a token. It is
 * counted by processor time, and the best of several rounds is printed: what disturbs a
 * measurement only ever adds to it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "loop/random.h"
#include "proxy/limiter.h"

#define KEYS 1000000u
#define CHECKS 4000000u
#define THREADS_MAX 64u

typedef struct Work {
    Limiter *limiter;
    uint64_t keys; /* drawn from so many */
    uint64_t seed;
    uint64_t from_ms;
    uint64_t granted;
} Work;

/* Processor time of all threads: what others do on the machine is not counted. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *work_main(void *argument)
{
    Work *w = (Work *)argument;
    Random random;
    random_seed_from(&random, w->seed);
    for (uint64_t i = 0; i < CHECKS; i++) {
        /* The high bits choose, without a division; time passes as it would at this rate. */
        uint64_t address = (random_next(&random) >> 32) * w->keys >> 32;
        uint64_t key = limiter_key_pair(w->limiter, address, 0);
        w->granted += limiter_take(w->limiter, key, w->from_ms + i / 10000).granted;
    }
    return NULL;
}

static void measure(const char *name, LimiterRule rule, uint64_t keys, unsigned threads, int rounds)
{
    Limiter *limiter = NULL;
    Work work[THREADS_MAX];
    double best = 0;
    uint64_t granted = 0;
    if (limiter_open(&rule, 0, NULL, &limiter) != ERR_OK) {
        fprintf(stderr, "limiter: no memory\n");
        exit(1);
    }
    for (int round = 0; round < rounds; round++) {
        pthread_t handles[THREADS_MAX];
        double start = cpu_ns();
        for (unsigned i = 0; i < threads; i++) {
            work[i] = (Work){.limiter = limiter,
                             .keys = keys,
                             .seed = (uint64_t)round * THREADS_MAX + i,
                             .from_ms = (uint64_t)round * (CHECKS / 10000)};
            if (pthread_create(&handles[i], NULL, work_main, &work[i]) != 0) {
                exit(1);
            }
        }
        granted = 0;
        for (unsigned i = 0; i < threads; i++) {
            (void)pthread_join(handles[i], NULL);
            granted += work[i].granted;
        }
        double ns = cpu_ns() - start;
        best = best == 0 || ns < best ? ns : best;
    }
    double checks = (double)CHECKS * threads;
    printf("%-34s %2u threads  %6.1f M checks/s a core  %3.0f %% granted\n", name, threads,
           checks * 1e3 / best, 100 * (double)granted / checks);
    limiter_close(limiter);
}

int main(int argc, char **argv)
{
    unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (threads < 1 || threads > THREADS_MAX || rounds < 1) {
        fprintf(stderr, "limiter [THREADS] [ROUNDS]\n");
        return 2;
    }
    LimiterRule rare = {.tokens = 10, .refill = 1, .interval_ms = 1000, .buckets_max = KEYS};
    LimiterRule free_hand = {
        .tokens = 10000000, .refill = 10000000, .interval_ms = 100, .buckets_max = KEYS};
    LimiterRule flood = {.tokens = 10, .refill = 1, .interval_ms = 1000, .buckets_max = 4000};
    for (unsigned n = 1; n <= threads; n += threads > 1 ? threads - 1 : 1) {
        measure("1,000,000 keys", rare, KEYS, n, rounds);
        measure("1,000,000 keys, all granted", free_hand, KEYS, n, rounds);
        measure("1,000,000 keys, buckets for 4,000", flood, KEYS, n, rounds);
        measure("one key, all granted", free_hand, 1, n, rounds);
        measure("one key, nearly all refused", rare, 1, n, rounds);
    }
    return 0;
}
