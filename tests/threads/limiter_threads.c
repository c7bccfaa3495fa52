/* limiter_threads.c - the limiter with real threads: however they race, a key gets exactly what its
 * bucket holds. Meant for ThreadSanitizer (`make test` runs it there), and true in every build.
 *
 * Rounds begin together, at a time at which every bucket is full again, with keys that are new: so
 * threads race to claim slots, to seat the same key, and to take its tokens. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "proxy/limiter.h"

#define THREADS 6u
#define ROUNDS 3000u
#define TOKENS 5u
#define KEYS 4u
#define BUCKETS 20u
#define ASKS 3u /* of each thread for each key, in a round */

static Limiter *limiter;
static _Atomic unsigned arrived;
static _Atomic unsigned granted[KEYS];
static _Atomic unsigned wrong;
static bool gives_back;

/* Waits until all threads are here `turn` times. */
static void meet(unsigned turn)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < turn * THREADS) {
        (void)sched_yield();
    }
}

static void ask(unsigned round, unsigned first)
{
    for (unsigned i = 0; i < ASKS * KEYS; i++) {
        unsigned k = (first + i) % KEYS;
        uint64_t key = limiter_key_pair(limiter, round, k);
        LimiterGrant g = limiter_take(limiter, key, 1000 + round * 1000u);
        if (g.granted && gives_back && i % 2) {
            limiter_give_back(&g);
        } else if (g.granted) {
            atomic_fetch_add(&granted[k], 1);
        }
    }
}

static void *thread_main(void *argument)
{
    unsigned number = *(const unsigned *)argument;
    unsigned turn = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        meet(++turn);
        ask(round, number);
        meet(++turn);
        if (number == 0) {
            for (unsigned k = 0; k < KEYS; k++) {
                unsigned got = atomic_exchange(&granted[k], 0);
                /* While a token is on its way back, another thread may have found none. */
                unsigned rest = 0;
                while (limiter_take(limiter, limiter_key_pair(limiter, round, k),
                                    1000 + round * 1000u).granted) {
                    rest++;
                }
                atomic_fetch_add(&wrong, got + rest != TOKENS || (rest && !gives_back));
            }
        }
        meet(++turn);
    }
    return NULL;
}

static unsigned test(const char *name, bool back)
{
    LimiterRule rule = {
        .tokens = TOKENS, .refill = TOKENS, .interval_ms = 500, .buckets_max = BUCKETS};
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    CHECK(limiter_open(&rule, 0, NULL, &limiter) == ERR_OK);
    gives_back = back;
    atomic_store(&arrived, 0);
    atomic_store(&wrong, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, thread_main, &numbers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    limiter_close(limiter);
    printf("  %s: %u of %u buckets were not exact\n", name, atomic_load(&wrong), ROUNDS * KEYS);
    return atomic_load(&wrong) == 0;
}

int main(void)
{
    unsigned passed = test("taking", false) + test("taking and giving back", true);
    printf("%u passed, %u failed\n", passed, 2 - passed);
    return passed == 2 ? 0 : 1;
}
