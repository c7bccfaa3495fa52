/* limiter_fuzz.c - a limiter beside arithmetic: whatever keys come, whenever, and whatever is given
 * back, no key is granted more in any time than a bucket and the refills that may fall into that
 * time; and where every key has room each answer is the rule's own.
 *
 * The input: six bytes of a rule, then two bytes for each step: what, which key, and how much time
 * passes. */
#include "proxy/limiter.h"

#include "fuzz.h"

#define KEYS 48u
#define EXACT_BUCKETS 32u /* and no more keys: each has a place */
#define STEPS_MAX 512u
#define GRANTS 64u /* so many may still be given back */
#define START_MS 1000u

/* What the rule says of one key, token by token. */
typedef struct Model {
    uint64_t missing;
    uint64_t from_ms;  /* the refills count from here */
} Model;

typedef struct Given {
    LimiterGrant grant;
    unsigned key;
    size_t event;
    uint64_t from_ms;
} Given;

/* A token that was granted and not given back. */
typedef struct Event {
    unsigned key;
    uint64_t at_ms;
    bool back;
} Event;

static Event events[STEPS_MAX];
static size_t event_count;

/* Of the last grant: in the time from each grant of the same key until now there were no more than
 * the rule can give, whatever moment the refills counted from. */
static void must_be_bounded(const LimiterRule *r, unsigned key, uint64_t now)
{
    uint64_t count = 0;
    for (size_t i = event_count; i > 0; i--) {
        const Event *e = &events[i - 1];
        if ((r->buckets_max == 0 || e->key == key) && !e->back) {
            count++;
            uint64_t refills = (now - e->at_ms) / r->interval_ms + 1;
            MUST(count <= r->tokens + refills * r->refill);
        }
    }
}

static void model_pass(Model *m, const LimiterRule *r, uint64_t now)
{
    while (m->missing > 0 && now - m->from_ms >= r->interval_ms) {
        m->missing -= m->missing < r->refill ? m->missing : r->refill;
        m->from_ms += r->interval_ms;
    }
    m->from_ms = m->missing == 0 ? now : m->from_ms;
}

/* With room for all keys the answers are equal; else the limiter may only grant less. */
static bool step_take(Limiter *l, const LimiterRule *r, Model *m, unsigned key, uint64_t now,
                      LimiterGrant *ret)
{
    bool exact = r->buckets_max == EXACT_BUCKETS;
    uint64_t number = limiter_key_pair(l, key, 7);
    uint64_t wait = limiter_wait(l, number, now);
    LimiterGrant g = limiter_take(l, number, now);
    Model at_now = *m;
    model_pass(&at_now, r, now);
    bool can = at_now.missing < r->tokens;
    MUST(g.granted == (wait == 0) && (g.granted || g.wait_ms == wait));
    MUST(!exact || g.granted == can);
    MUST(!exact || g.granted || g.wait_ms == at_now.from_ms + r->interval_ms - now);
    if (g.granted) { /* a refusal writes nothing */
        at_now.missing++;
        *m = at_now;
    }
    *ret = g;
    return g.granted;
}

/* The token of a grant comes back unless one was granted behind a refill since. */
static void step_give_back(Model *m, const Given *given)
{
    limiter_give_back(&given->grant);
    if (m->missing > 0 && m->from_ms == given->from_ms) {
        m->missing--;
    }
}

static void run(Limiter *l, const LimiterRule *r, unsigned keys, const uint8_t *data, size_t size)
{
    static Model models[KEYS];
    static Given given[GRANTS];
    size_t count = 0;
    uint64_t now = START_MS;
    event_count = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        models[k] = (Model){.from_ms = now};
    }
    for (size_t i = 0; i + 1 < size && i / 2 < STEPS_MAX; i += 2) {
        unsigned key = data[i] % keys;
        unsigned pass = data[i + 1] & 0x7f;
        now += pass < 96 ? pass / 8 : (uint64_t)(pass - 95) * r->interval_ms / 4;
        if (data[i + 1] & 0x80 && count > 0) {
            Given g = given[--count];
            events[g.event].back = true;
            step_give_back(&models[g.key], &g);
            continue;
        }
        Given g = {.key = key};
        if (!step_take(l, r, &models[key], key, now, &g.grant)) {
            continue;
        }
        g.event = event_count;
        events[event_count++] = (Event){.key = key, .at_ms = now};
        must_be_bounded(r, key, now);
        if (count < GRANTS) {
            g.from_ms = models[key].from_ms;
            given[count++] = g;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6) {
        return 0;
    }
    static const uint32_t rooms[] = {0, 1, 3, EXACT_BUCKETS};
    LimiterRule rule = {.tokens = 1u + data[0] % 20,
                        .refill = 1u + data[1] % 20,
                        .interval_ms = 1u + data[2] + 256u * (data[3] % 4),
                        .buckets_max = rooms[data[4] % 4]};
    unsigned keys = rule.buckets_max == EXACT_BUCKETS ? EXACT_BUCKETS : 1 + data[5] % KEYS;
    Budget budget = {0};
    Limiter *l = NULL;
    MUST(limiter_open(&rule, START_MS, &budget, &l) == ERR_OK);
    MUST(budget.used_bytes == limiter_bytes(&rule));
    run(l, &rule, keys, data + 6, size - 6);
    limiter_close(l);
    MUST(budget.used_bytes == 0);
    return 0;
}
