/* limiter_model_test.c - the limiter's own code under schedules of our choosing.
 *
 * limiter.c is compiled into this file with its atomic operations wrapped: before each of them a
 * thread may lose its turn. The threads are coroutines and a seed decides who goes on, so races
 * that real threads meet once a year are met thousands of times, and a failing seed says so. */
#include <stdatomic.h>
#include <stdint.h>
#include <ucontext.h>

static void model_step(void);

#undef atomic_load
#undef atomic_store
#undef atomic_fetch_add
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#define atomic_load(at) (model_step(), atomic_load_explicit(at, memory_order_seq_cst))
#define atomic_store(at, v) (model_step(), atomic_store_explicit(at, v, memory_order_seq_cst))
#define atomic_fetch_add(at, v)                                                                    \
    (model_step(), atomic_fetch_add_explicit(at, v, memory_order_seq_cst))
#define atomic_compare_exchange_strong(at, was, v)                                                 \
    (model_step(), atomic_compare_exchange_strong_explicit(at, was, v, memory_order_seq_cst,       \
                                                           memory_order_seq_cst))
#define atomic_compare_exchange_weak atomic_compare_exchange_strong

/* Another name for each, beside those of the library. */
#define limiter_open model_limiter_open
#define limiter_close model_limiter_close
#define limiter_bytes model_limiter_bytes
#define limiter_wait model_limiter_wait
#define limiter_take model_limiter_take
#define limiter_give_back model_limiter_give_back
#define limiter_key_pair model_limiter_key_pair
#define limiter_key_str model_limiter_key_str
#define limiter_rule model_limiter_rule
#define limiter_secret model_limiter_secret
#define limiter_next model_limiter_next
#define limiter_restore_secret model_limiter_restore_secret
#define limiter_restore model_limiter_restore
#include "proxy/limiter.c" /* the code itself, not its interface */

#include "loop/random.h"
#include "test.h"

#define THREADS 3u
#define KEYS 2u
#define ASKS 3u
#define TOKENS 2u
#define BUCKETS 8u /* each thread may stand in a slot of its own beside each key's */
#define STACK_BYTES 65536u
#define SEEDS 20000u
#define STEPS_MAX 20000u

typedef struct Thread {
    ucontext_t context;
    uint8_t stack[STACK_BYTES];
    unsigned asks;
    bool done;
} Thread;

static Thread threads[THREADS];
static ucontext_t scheduler;
static Thread *running; /* NULL: nothing is scheduled, as before and after */
static Random random_steps;
static Limiter *limiter;
static uint64_t now_ms;
static unsigned kept[KEYS]; /* tokens taken and not given back */

static void model_step(void)
{
    if (running) {
        (void)swapcontext(&running->context, &scheduler);
    }
}

/* What one thread does: takes, and gives some back. */
static void thread_body(void)
{
    Thread *self = running;
    for (unsigned i = 0; i < ASKS; i++) {
        uint64_t dice = random_next(&random_steps);
        unsigned k = (unsigned)(dice % KEYS);
        LimiterGrant g = limiter_take(limiter, k * 7919u + 1, now_ms);
        if (g.granted && dice & 256) {
            limiter_give_back(&g);
        } else if (g.granted) {
            kept[k]++;
        }
    }
    self->done = true;
    for (;;) {
        (void)swapcontext(&self->context, &scheduler);
    }
}

static void run_threads(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        Thread *t = &threads[i];
        (void)getcontext(&t->context);
        t->context.uc_stack.ss_sp = t->stack;
        t->context.uc_stack.ss_size = STACK_BYTES;
        t->done = false;
        makecontext(&t->context, thread_body, 0);
    }
    unsigned left = THREADS;
    for (unsigned steps = 0; left > 0 && steps < STEPS_MAX; steps++) {
        /* Mostly the same one goes on for a while, now and then each step is another's. */
        running = &threads[random_next(&random_steps) % THREADS];
        uint64_t turns = random_next(&random_steps) % 4 ? 1 : random_next(&random_steps) % 12;
        for (uint64_t i = 0; i <= turns && !running->done; i++) {
            (void)swapcontext(&scheduler, &running->context);
            left -= running->done;
        }
    }
    running = NULL;
    EXPECT_U64(left, 0);
}

TEST("under every schedule tried a key gets what its bucket holds, not a token more or less")
{
    LimiterRule rule = {
        .tokens = TOKENS, .refill = TOKENS, .interval_ms = 10, .buckets_max = BUCKETS};
    unsigned wrong = 0;
    now_ms = 1000;
    EXPECT(limiter_open(&rule, 0, NULL, &limiter) == ERR_OK);
    for (uint64_t seed = 0; seed < SEEDS && wrong == 0; seed++) {
        random_seed_from(&random_steps, seed);
        for (unsigned k = 0; k < KEYS; k++) {
            kept[k] = 0;
        }
        /* Other keys fill slots that have become free by the time of the threads. */
        uint64_t others = random_next(&random_steps) % BUCKETS;
        for (uint64_t i = 0; i < others; i++) {
            (void)limiter_take(limiter, seed * 64 + i + 100000, now_ms);
        }
        now_ms += random_next(&random_steps) % 2 ? 10 : 100;
        run_threads();
        for (unsigned k = 0; k < KEYS; k++) {
            unsigned rest = 0;
            while (limiter_take(limiter, k * 7919u + 1, now_ms).granted) {
                rest++;
            }
            if (kept[k] + rest != TOKENS) {
                EXPECT_U64(seed, UINT64_MAX); /* says which */
                EXPECT_U64(kept[k] + rest, TOKENS);
                wrong++;
            }
        }
        now_ms += 100;
    }
    limiter_close(limiter);
}
