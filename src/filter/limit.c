/* limit.c - the rules of `rate-limiting`: `source-ip`, `specific-uri` and `any-matching-uri`.
 *
 * A rule that applies must grant a token of its bucket (proxy/limiter.h). When one refuses, those
 * that have granted get their tokens back, so that a refused request costs nothing; those behind it
 * are asked how long they would refuse. */
#include "base/number.h"
#include "filter/filters.h"
#include "filter/patterns.h"
#include "proxy/worker.h"

typedef struct Rule {
    LimiterRule buckets;
    uint32_t limiter;     /* its number among the worker's */
    uint32_t ipv6_prefix; /* bits that tell clients apart */
    Pattern *pattern;     /* of paths; NULL for `source-ip` */
    Respond refusal;
} Rule;

/* A token that a rule has granted to a request, while it may still be given back. */
typedef struct LimitTaken LimitTaken;
struct LimitTaken {
    LimitTaken *next;
    const Rule *rule;
    LimiterGrant grant;
};

/* --- what a person writes -------------------------------------------------------------------- */

/* The same positions in each kind; what a kind lacks stands behind what all have. */
enum { TOKENS, REFILL, INTERVAL, STATUS, BODY, ALL_HAVE };
enum { SOURCE_BUCKETS = ALL_HAVE, SOURCE_PREFIX };
enum { URI_PATTERN = ALL_HAVE, URI_BUCKETS };

#define COMMON_PROPERTIES                                                                          \
    [TOKENS] = ITEM_NEEDED_NUMBER("tokens-per-bucket", 1, LIMITER_TOKENS_MAX, "10",                \
                                  "requests in a burst"),                                          \
    [REFILL] = ITEM_NEEDED_NUMBER("refill-qty", 1, LIMITER_TOKENS_MAX, "1",                        \
                                  "tokens that come back"),                                        \
    [INTERVAL] = ITEM_NEEDED_NUMBER("refill-rate-ms", 1, LIMITER_INTERVAL_MS_MAX, "10",            \
                                    "in so many milliseconds"),                                    \
    [STATUS] = ITEM_NUMBER("status", 400, 599, "429", "the status of a refusal"),                  \
    [BODY] = ITEM_VALUE("body", TEXT, 0, "", "the body of a refusal")
#define BUCKETS_MAX                                                                                \
    ITEM_NEEDED_NUMBER("max-buckets", 1, LIMITER_BUCKETS_MAX, "4000",                              \
                       "buckets that are remembered at once")
#define PATH_PATTERN                                                                               \
    ITEM_VALUE("pattern", PATTERN, SCHEMA_REQUIRED, "^/static/",                                   \
               "a regular expression for the path without the query; a part of it is enough")

static const SchemaItem source_properties[] = {
    COMMON_PROPERTIES,
    [SOURCE_BUCKETS] = BUCKETS_MAX,
    [SOURCE_PREFIX] = ITEM_NUMBER("ipv6-prefix", 1, 128, "64",
                                  "bits of an IPv6 address that tell one client from another"),
};
static const SchemaItem specific_properties[] = {
    COMMON_PROPERTIES, [URI_PATTERN] = PATH_PATTERN, [URI_BUCKETS] = BUCKETS_MAX};
static const SchemaItem any_properties[] = {COMMON_PROPERTIES, [URI_PATTERN] = PATH_PATTERN};

static LimiterRule buckets_of(const FilterSetup *setup, uint64_t buckets_max)
{
    const FilterValue *v = setup->values;
    return (LimiterRule){.tokens = (uint32_t)v[TOKENS].number,
                         .refill = (uint32_t)v[REFILL].number,
                         .interval_ms = (uint32_t)v[INTERVAL].number,
                         .buckets_max = (uint32_t)buckets_max};
}

static LimiterRule source_limiter(const FilterSetup *setup)
{
    return buckets_of(setup, setup->values[SOURCE_BUCKETS].number);
}

/* Without `max-buckets` all paths share one bucket. */
static LimiterRule uri_limiter(const FilterSetup *setup)
{
    return buckets_of(setup, setup->count > URI_BUCKETS ? setup->values[URI_BUCKETS].number : 0);
}

static Rule *rule_new(const FilterSetup *setup, LimiterRule buckets, Arena *arena)
{
    Rule *r = arena_new(arena, Rule);
    if (r) {
        const FilterValue *v = setup->values;
        *r = (Rule){.buckets = buckets,
                    .limiter = setup->limiter,
                    .refusal = {.status = (uint16_t)v[STATUS].number, .body = v[BODY].text}};
    }
    return r;
}

static const void *source_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    (void)ret_mistake; /* numbers were checked as such */
    Rule *r = rule_new(setup, source_limiter(setup), arena);
    if (r) {
        r->ipv6_prefix = (uint32_t)setup->values[SOURCE_PREFIX].number;
    }
    return r;
}

static const void *uri_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    Rule *r = rule_new(setup, uri_limiter(setup), arena);
    if (r) {
        r->pattern = filter_pattern(setup, URI_PATTERN, 0, arena, ret_mistake);
    }
    return r && r->pattern ? r : NULL;
}

static void rule_drop(const void *state)
{
    pattern_close(((const Rule *)state)->pattern);
}

/* --- requests -------------------------------------------------------------------------------- */

/* The first `bits` of eight bytes from `from` on, as a number; the others are zero. */
static uint64_t address_word(IpAddress ip, size_t from, uint32_t bits)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8; i++) {
        word = word << 8 | ip.bytes[from + i];
    }
    return bits == 0 ? 0 : bits >= 64 ? word : word & ~(UINT64_MAX >> bits);
}

/* IPv4 by all of its address. Who comes over a Unix socket has none: they are one client. */
static uint64_t source_key(const Limiter *l, IpAddress ip, uint32_t ipv6_prefix)
{
    if (ip.family != 6) {
        return limiter_key_pair(l, ip.family, ip.family ? address_word(ip, 0, 32) : 0);
    }
    uint32_t low_bits = ipv6_prefix > 64 ? ipv6_prefix - 64 : 0;
    uint64_t high = address_word(ip, 0, ipv6_prefix);
    return limiter_key_pair(l, high, address_word(ip, 8, low_bits));
}

static Verdict refuse(Exchange *x, const Rule *r, uint64_t wait_ms)
{
    Verdict v = {.kind = VERDICT_FAIL, .fault = FAULT_RATE_LIMITED, .respond = &r->refusal};
    Respond *respond = arena_new(&x->arena, Respond);
    if (respond) { /* without room it is refused all the same, but is not told until when */
        *respond = r->refusal;
        respond->retry_after_s = (uint32_t)limiter_retry_after(wait_ms);
        v.respond = respond;
    }
    return v;
}

static Verdict rule_take(Thread *t, Exchange *x, const Rule *r, uint64_t key)
{
    Limiter *l = t->worker->limiters[r->limiter];
    LimitTaken *taken = arena_new(&x->arena, LimitTaken);
    if (!taken) {
        return (Verdict){.kind = VERDICT_FAIL, .fault = FAULT_MEMORY};
    }
    LimiterGrant grant = limiter_take(l, key, t->now_ms);
    if (!grant.granted) {
        return refuse(x, r, grant.wait_ms);
    }
    *taken = (LimitTaken){.next = x->filters.taken, .rule = r, .grant = grant};
    x->filters.taken = taken;
    return PASS;
}

static void rule_undo(Thread *t, Exchange *x, const void *state)
{
    (void)t;
    for (const LimitTaken *taken = x->filters.taken; taken; taken = taken->next) {
        if (taken->rule == state) {
            limiter_give_back(&taken->grant);
            return; /* a rule takes once */
        }
    }
}

static const Limiter *limiter_of(const Thread *t, const Rule *r)
{
    return t->worker->limiters[r->limiter];
}

static Verdict source_request(Thread *t, Exchange *x, const void *state)
{
    const Rule *r = (const Rule *)state;
    return rule_take(t, x, r, source_key(limiter_of(t, r), x->request.client_ip, r->ipv6_prefix));
}

static uint64_t source_wait(Thread *t, Exchange *x, const void *state)
{
    const Rule *r = (const Rule *)state;
    const Limiter *l = limiter_of(t, r);
    return limiter_wait(l, source_key(l, x->request.client_ip, r->ipv6_prefix), t->now_ms);
}

/* The key of a path in a rule with `max-buckets`; all are one in the others. */
static uint64_t uri_key(const Limiter *l, const Rule *r, const Exchange *x)
{
    return r->buckets.buckets_max ? limiter_key_str(l, x->request.head.path) : 0;
}

static Verdict uri_request(Thread *t, Exchange *x, const void *state)
{
    const Rule *r = (const Rule *)state;
    return pattern_matches(r->pattern, x->request.head.path)
               ? rule_take(t, x, r, uri_key(limiter_of(t, r), r, x))
               : PASS;
}

static uint64_t uri_wait(Thread *t, Exchange *x, const void *state)
{
    const Rule *r = (const Rule *)state;
    const Limiter *l = limiter_of(t, r);
    return pattern_matches(r->pattern, x->request.head.path)
               ? limiter_wait(l, uri_key(l, r, x), t->now_ms)
               : 0;
}

const FilterKind filter_source_ip = {
    .schema = {.name = S_INIT("source-ip"),
               .sentence = S_INIT("a bucket for each client address"),
               .property_count = SCHEMA_COUNT(source_properties),
               .properties = source_properties},
    .setup = source_setup,
    .drop = rule_drop,
    .limiter = source_limiter,
    .request = source_request,
    .wait = source_wait,
    .undo = rule_undo,
};

const FilterKind filter_specific_uri = {
    .schema = {.name = S_INIT("specific-uri"),
               .sentence = S_INIT("a bucket for each path that matches"),
               .property_count = SCHEMA_COUNT(specific_properties),
               .properties = specific_properties},
    .setup = uri_setup,
    .drop = rule_drop,
    .limiter = uri_limiter,
    .request = uri_request,
    .wait = uri_wait,
    .undo = rule_undo,
};

const FilterKind filter_any_matching_uri = {
    .schema = {.name = S_INIT("any-matching-uri"),
               .sentence = S_INIT("one bucket for all paths that match"),
               .property_count = SCHEMA_COUNT(any_properties),
               .properties = any_properties},
    .setup = uri_setup,
    .drop = rule_drop,
    .limiter = uri_limiter,
    .request = uri_request,
    .wait = uri_wait,
    .undo = rule_undo,
};
