/* limit.c - the rules of `rate-limiting`: `source-ip`, `specific-uri` and `any-matching-uri`.
 *
 * A rule that applies must grant a token of its bucket (proxy/limiter.h). When one refuses, those
 * that have granted get their tokens back, so that a refused request costs nothing; those after it
 * are asked how long they would refuse. */
#include "base/number.h"
#include "filter/filters.h"
#include "filter/patterns.h"

typedef struct Rule {
    LimiterRule buckets;
    uint32_t limiter;     /* its number among the worker's */
    uint32_t ipv6_prefix; /* bits that tell clients apart */
    Pattern *pattern;     /* of paths; NULL for `source-ip` */
    Respond refusal;
} Rule;

/* --- what a person writes -------------------------------------------------------------------- */

/* The same positions in each kind; what a kind lacks is after what all have. */
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

static Verdict refuse_for_now(FilterCall *call, const Rule *r, uint64_t wait_ms)
{
    Respond *respond = arena_new(call_arena(call), Respond);
    if (!respond) { /* it is refused all the same, but without a Retry-After */
        return REFUSE_WITH(FAULT_RATE_LIMITED, &r->refusal);
    }
    *respond = r->refusal;
    respond->retry_after_s = (uint32_t)limiter_retry_after(wait_ms);
    return REFUSE_WITH(FAULT_RATE_LIMITED, respond);
}

/* The slot is the token that the rule has granted, for as long as it can be given back. */
static Verdict rule_take(FilterCall *call, const Rule *r, Limiter *l, uint64_t key)
{
    LimiterGrant *grant = (LimiterGrant *)call_slot(call);
    if (!grant) {
        return REFUSE(FAULT_MEMORY);
    }
    *grant = limiter_take(l, key, call_now_ms(call));
    return grant->granted ? PASS : refuse_for_now(call, r, grant->wait_ms);
}

static void rule_undo(FilterCall *call)
{
    const LimiterGrant *grant = (const LimiterGrant *)call_slot(call);
    if (grant && grant->granted) { /* a rule that does not apply has taken nothing */
        limiter_give_back(grant);
    }
}

static Verdict source_request(FilterCall *call)
{
    const Rule *r = (const Rule *)call_state(call);
    Limiter *l = call_limiter(call, r->limiter);
    return rule_take(call, r, l, source_key(l, *call_client_ip(call), r->ipv6_prefix));
}

static uint64_t source_wait(FilterCall *call)
{
    const Rule *r = (const Rule *)call_state(call);
    const Limiter *l = call_limiter(call, r->limiter);
    return limiter_wait(l, source_key(l, *call_client_ip(call), r->ipv6_prefix),
                        call_now_ms(call));
}

/* The key of a path in a rule with `max-buckets`; all are one in the others. What may be the same
 * to the origin has the same key. */
static uint64_t uri_key(const Limiter *l, const Rule *r, FilterCall *call)
{
    const Readings *all = call_readings(call);
    Str path = all ? all->list[all->shortest] : call_request(call)->path;
    return r->buckets.buckets_max ? limiter_key_str(l, path) : 0;
}

/* Whether the rule applies to some and to all readings of the path. */
typedef struct Applies {
    bool some;
    bool all;
} Applies;

static Applies uri_applies(const Rule *r, const FilterCall *call)
{
    const Readings *all = call_readings(call);
    if (!all) {
        bool matches = pattern_matches(r->pattern, call_request(call)->path);
        return (Applies){.some = matches, .all = matches};
    }
    Applies a = {.all = true};
    for (size_t i = 0; i < all->count; i++) {
        bool matches = pattern_matches(r->pattern, all->list[i]);
        a = (Applies){.some = a.some || matches, .all = a.all && matches};
    }
    return a;
}

static Verdict uri_request(FilterCall *call)
{
    const Rule *r = (const Rule *)call_state(call);
    Limiter *l = call_limiter(call, r->limiter);
    Applies a = uri_applies(r, call);
    if (a.some != a.all) {
        return REFUSE(FAULT_PATH_AMBIGUOUS);
    }
    return a.all ? rule_take(call, r, l, uri_key(l, r, call)) : PASS;
}

static uint64_t uri_wait(FilterCall *call)
{
    const Rule *r = (const Rule *)call_state(call);
    const Limiter *l = call_limiter(call, r->limiter);
    return uri_applies(r, call).some ? limiter_wait(l, uri_key(l, r, call), call_now_ms(call)) : 0;
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
    .slot_bytes = sizeof(LimiterGrant),
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
    .slot_bytes = sizeof(LimiterGrant),
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
    .slot_bytes = sizeof(LimiterGrant),
};
