/* limiter_test.c - token buckets: the arithmetic against a model, a table that is full, a flood of
 * new keys, what is given back. What only threads show is in tests/threads. */
#include "proxy/limiter.h"

#include "base/memory.h"
#include "loop/random.h"
#include "test.h"

#define START_MS UINT64_C(1000000)

static Limiter *open_rule(uint32_t tokens, uint32_t refill, uint32_t interval_ms, uint32_t buckets)
{
    LimiterRule rule = {
        .tokens = tokens, .refill = refill, .interval_ms = interval_ms, .buckets_max = buckets};
    Limiter *l = NULL;
    EXPECT(limiter_open(&rule, START_MS, NULL, &l) == ERR_OK);
    return l;
}

static bool take(Limiter *l, uint64_t name, uint64_t at_ms)
{
    return limiter_take(l, limiter_key_pair(l, name, 0), START_MS + at_ms).granted;
}

static uint64_t wait_of(Limiter *l, uint64_t name, uint64_t at_ms)
{
    return limiter_take(l, limiter_key_pair(l, name, 0), START_MS + at_ms).wait_ms;
}

TEST("SipHash gives the authors' numbers, and both ways of hashing agree")
{
    static const HashSecret key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    uint8_t bytes[16];
    for (uint8_t i = 0; i < 16; i++) {
        bytes[i] = i;
    }
    EXPECT_U64(hash_str_strong(&key, str_of(bytes, 15)), UINT64_C(0xa129ca6149be45e5));
    EXPECT_U64(hash_str_strong(&key, STR_NONE), UINT64_C(0x726fdb47dd0e0e31));
    EXPECT_U64(hash_str(&key, str_of(bytes, 16)),
               hash_pair(&key, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)));
    EXPECT(hash_str(&key, str_of(bytes, 16)) != hash_str_strong(&key, str_of(bytes, 16)));
    static const struct {
        size_t len;
        uint64_t words[2];
    } wide[] = {
        {0, {UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)}},
        {1, {UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)}},
        {15, {UINT64_C(0x11a8b03399e99354), UINT64_C(0xd9c3cf970fec087e)}},
        {16, {UINT64_C(0xbb54b067caa4e26e), UINT64_C(0x77052385bf1533fd)}},
    };
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        Fingerprint got = hash_str_strong_wide(&key, str_of(bytes, wide[i].len));
        EXPECT_U64(got.words[0], wide[i].words[0]);
        EXPECT_U64(got.words[1], wide[i].words[1]);
        Fingerprint quick = hash_str_wide(&key, str_of(bytes, wide[i].len));
        EXPECT(quick.words[0] != got.words[0] && quick.words[1] != got.words[1]);
    }
    HashSecret one;
    HashSecret other;
    hash_secret_make(&one);
    hash_secret_make(&other);
    EXPECT(hash_str(&one, S("x")) != hash_str(&other, S("x")));
}

TEST("a bucket starts full, empties, and gets whole quanta back")
{
    Limiter *l = open_rule(5, 2, 100, 16);
    for (unsigned i = 0; i < 5; i++) {
        EXPECT(take(l, 1, 0));
    }
    EXPECT_U64(wait_of(l, 1, 0), 100);
    EXPECT_U64(wait_of(l, 1, 99), 1);
    EXPECT(take(l, 1, 100) && take(l, 1, 100) && !take(l, 1, 100));
    EXPECT(take(l, 1, 399) && take(l, 1, 399) && take(l, 1, 399) && take(l, 1, 399));
    EXPECT_U64(wait_of(l, 1, 399), 1); /* the refills go by the clock, not by the requests */
    EXPECT(take(l, 1, 400) && take(l, 1, 400) && !take(l, 1, 400));
    for (unsigned i = 0; i < 5; i++) {
        EXPECT(take(l, 1, 100000)); /* never more than a full bucket */
    }
    EXPECT(!take(l, 1, 100000));
    EXPECT(take(l, 2, 100000)); /* another key has its own */
    limiter_close(l);
    limiter_close(NULL);
}

TEST("Retry-After is in whole seconds, rounded up, at least one")
{
    EXPECT_U64(limiter_retry_after(1), 1);
    EXPECT_U64(limiter_retry_after(1000), 1);
    EXPECT_U64(limiter_retry_after(1001), 2);
    EXPECT_U64(limiter_retry_after(86400000), 86400);
    EXPECT_U64(limiter_retry_after(UINT64_MAX), UINT64_C(18446744073709552));
}

/* The rule told the slow way, a millisecond at a time. */
typedef struct Model {
    uint32_t tokens;
    uint64_t next_refill; /* 0: full */
} Model;

static void model_pass(Model *m, const LimiterRule *r, uint64_t now)
{
    while (m->next_refill && m->next_refill <= now) {
        m->tokens = m->tokens + r->refill < r->tokens ? m->tokens + r->refill : r->tokens;
        m->next_refill = m->tokens == r->tokens ? 0 : m->next_refill + r->interval_ms;
    }
}

static bool model_take(Model *m, const LimiterRule *r, uint64_t now)
{
    model_pass(m, r, now);
    if (m->tokens == 0) {
        return false;
    }
    m->next_refill = m->next_refill ? m->next_refill : now + r->interval_ms;
    m->tokens--;
    return true;
}

TEST("random rules, keys and times agree with a model, and so do refusals' waits")
{
    enum { KEYS = 40 };
    Random random;
    random_seed_from(&random, 7);
    for (unsigned round = 0; round < 300; round++) {
        LimiterRule rule = {.tokens = 1 + (uint32_t)(random_next(&random) % 9),
                            .refill = 1 + (uint32_t)(random_next(&random) % 4),
                            .interval_ms = 1 + (uint32_t)(random_next(&random) % 50),
                            .buckets_max = round % 2 ? KEYS : 4000};
        Limiter *l = NULL;
        EXPECT(limiter_open(&rule, START_MS, NULL, &l) == ERR_OK);
        Model models[KEYS];
        for (unsigned i = 0; i < KEYS; i++) {
            models[i] = (Model){.tokens = rule.tokens};
        }
        uint64_t now = START_MS;
        for (unsigned i = 0; i < 2000; i++) {
            now += random_next(&random) % 8 ? random_next(&random) % 3 : random_next(&random) % 400;
            unsigned k = (unsigned)(random_next(&random) % KEYS);
            uint64_t wait = limiter_wait(l, limiter_key_pair(l, k, 1), now);
            LimiterGrant g = limiter_take(l, limiter_key_pair(l, k, 1), now);
            EXPECT_U64(wait, g.granted ? 0 : g.wait_ms); /* to be told it takes no token */
            bool want = model_take(&models[k], &rule, now);
            if (g.granted != want) {
                EXPECT_U64(i, round); /* both name the place */
                break;
            }
            if (!want) {
                EXPECT_U64(g.wait_ms, models[k].next_refill - now);
            } else if (random_next(&random) % 4 == 0) {
                limiter_give_back(&g);
                models[k].tokens++;
                models[k].next_refill =
                    models[k].tokens == rule.tokens ? 0 : models[k].next_refill;
            }
        }
        limiter_close(l);
    }
}

TEST("a refill in between keeps a token from being given back")
{
    Limiter *l = open_rule(1, 1, 100, 4);
    uint64_t key = limiter_key_str(l, S("/a"));
    LimiterGrant first = limiter_take(l, key, START_MS);
    LimiterGrant second = limiter_take(l, key, START_MS + 100);
    EXPECT(first.granted && second.granted);
    limiter_give_back(&first);
    EXPECT(!limiter_take(l, key, START_MS + 100).granted);
    limiter_give_back(&second);
    EXPECT(limiter_take(l, key, START_MS + 100).granted);
    LimiterGrant refused = limiter_take(l, key, START_MS + 100);
    limiter_give_back(&refused); /* changes nothing */
    EXPECT(!limiter_take(l, key, START_MS + 100).granted);
    limiter_close(l);
}

TEST("a slot goes to another key only when its bucket is full again")
{
    Limiter *l = open_rule(2, 1, 100, 2);
    EXPECT(take(l, 1, 0) && take(l, 1, 0) && take(l, 2, 0));
    EXPECT(take(l, 3, 50)); /* no room: of the shared bucket */
    EXPECT(take(l, 4, 50)); /* the same one */
    EXPECT(!take(l, 3, 50) && !take(l, 4, 50) && !take(l, 5, 50));
    EXPECT(!take(l, 1, 50) && take(l, 2, 50)); /* the others keep theirs */
    EXPECT(!take(l, 2, 50));
    /* At 200 key 1 is full again and its slot goes to key 3, with what is missing in the shared
     * bucket (one came back at 150). */
    EXPECT(take(l, 3, 200) && !take(l, 3, 200));
    EXPECT(!take(l, 2, 99));
    limiter_close(l);
}

TEST("a flood of new keys gives no token to a key that is limited")
{
    enum { BUCKETS = 1000, FLOOD = 200000 };
    for (unsigned few = 0; few < 2; few++) {
        Limiter *l = open_rule(3, 1, 1000, few ? 8 : BUCKETS);
        EXPECT(take(l, 1, 0) && take(l, 1, 0) && take(l, 1, 0));
        unsigned granted = 0;
        unsigned victim = 0;
        for (uint64_t i = 0; i < FLOOD; i++) {
            granted += take(l, 100 + i, 1 + i / 400);
            victim += take(l, 1, 1 + i / 400);
        }
        EXPECT_U64(victim, 0);
        /* Nor does the flood get more than its buckets hold, the shared one among them. */
        EXPECT(granted <= 3 * (few ? 8 + 1 : 2 * BUCKETS + 1));
        EXPECT(granted >= (few ? 3u : BUCKETS));
        EXPECT(take(l, 1, 1000) && !take(l, 1, 1000));
        limiter_close(l);
    }
}

/* In every span of time a key gets at most a full bucket and the refills that fall into it. */
static bool within_rule(const LimiterRule *r, const uint64_t *times, size_t count)
{
    for (size_t from = 0; from < count; from++) {
        for (size_t to = from; to < count; to++) {
            uint64_t refills = (times[to] - times[from]) / r->interval_ms + 1;
            if (to - from + 1 > r->tokens + r->refill * refills) {
                return false;
            }
        }
    }
    return true;
}

TEST("no key of a crowd gets more than the rule, however often the table fills and empties")
{
    enum { KEYS = 40, BUCKETS = 5, END_MS = 40000, TIMES = 2000 };
    static uint64_t times[KEYS][TIMES];
    size_t counts[KEYS] = {0};
    Random random;
    random_seed_from(&random, 11);
    LimiterRule rule = {.tokens = 4, .refill = 2, .interval_ms = 50, .buckets_max = BUCKETS};
    Limiter *l = open_rule(rule.tokens, rule.refill, rule.interval_ms, BUCKETS);
    size_t granted = 0;
    for (uint64_t now = 0; now < END_MS; now += random_next(&random) % 3) {
        unsigned keys = now % 1000 < 300 ? KEYS : BUCKETS + 1;
        unsigned k = (unsigned)(random_next(&random) % keys);
        if (take(l, k, now) && counts[k] < TIMES) {
            times[k][counts[k]++] = now;
            granted++;
        }
    }
    for (unsigned k = 0; k < KEYS; k++) {
        EXPECT(within_rule(&rule, times[k], counts[k]));
    }
    EXPECT(granted > 4000);
    limiter_close(l);
}

TEST("of ten thousand keys nearly all find room in a table made for as many, and none gets more")
{
    Limiter *l = open_rule(2, 1, 60000, 10000);
    unsigned both = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        bool first = take(l, i, 0);
        both += take(l, i, 0) && first;
        EXPECT(!take(l, i, 0));
    }
    /* Mostly all. Where chance leaves one without a place, what it lacks is inherited by the new
     * keys of its part of the table, a fifth of it, until the shared bucket is full again. */
    EXPECT(both >= 9000 && both <= 10000);
    limiter_close(l);
}

TEST("a clock that seems to go back gives nothing")
{
    Limiter *l = open_rule(2, 2, 10, 4);
    EXPECT(take(l, 1, 100) && take(l, 1, 95) && !take(l, 1, 95) && !take(l, 1, 109));
    EXPECT_U64(wait_of(l, 1, 90), 20);
    EXPECT(take(l, 1, 110));
    Limiter *early = open_rule(1, 1, 10, 4);
    EXPECT(limiter_take(early, 1, 5).granted && !limiter_take(early, 1, START_MS).granted);
    limiter_close(early);
    limiter_close(l);
}

TEST("one bucket for all keys, where the rule keeps none apart")
{
    Limiter *l = open_rule(2, 1, 10, 0);
    EXPECT(take(l, 1, 0) && take(l, 2, 0) && !take(l, 3, 0) && take(l, 3, 10));
    limiter_close(l);
}

TEST("without memory there is no limiter")
{
    LimiterRule rule = {.tokens = 1, .refill = 1, .interval_ms = 1, .buckets_max = 4};
    for (long n = 0; n < 3; n++) {
        Limiter *l = NULL;
        memory_fail_after(n);
        EXPECT(limiter_open(&rule, START_MS, NULL, &l) == ERR_MEMORY && !l);
        memory_fail_after(-1);
    }
}
