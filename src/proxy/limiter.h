/* limiter.h - token buckets for many keys: refuses keys that ask too often, and says when to retry.
 *
 * A bucket starts full. A request takes a token; if there is none it is refused. Tokens come back
 * in quanta: `refill` of them every `interval_ms`, counted from the request that found the bucket
 * full. So a full bucket has no history, and can be forgotten without effect.
 *
 * One limiter is one rule, shared by all threads without a lock (limiter.c explains how). Keys are
 * the results of a keyed hash, so that nobody can provoke collisions. Time is an argument: any
 * monotonic clock in milliseconds. It knows nothing of requests. */
#ifndef PROXY_LIMITER_H
#define PROXY_LIMITER_H

#include <stdatomic.h>

#include "base/keyed_hash.h"
#include "base/memory.h"

#define LIMITER_TOKENS_MAX 10000000u
#define LIMITER_INTERVAL_MS_MAX 86400000u
#define LIMITER_BUCKETS_MAX 10000000u

typedef struct LimiterRule {
    uint32_t tokens;      /* capacity; 1 to LIMITER_TOKENS_MAX */
    uint32_t refill;      /* tokens per refill; 1 to LIMITER_TOKENS_MAX */
    uint32_t interval_ms; /* between refills; 1 to LIMITER_INTERVAL_MS_MAX */
    uint32_t buckets_max; /* keys remembered at once; 0: one bucket for all keys */
} LimiterRule;

typedef struct Limiter Limiter;

/* The result of limiter_take; pass it back unchanged. */
typedef struct LimiterGrant {
    bool granted;
    uint64_t wait_ms; /* if refused: until the next token; at least 1 */
    uint64_t mark;    /* the bucket's state after taking the token */
    _Atomic uint64_t *from; /* the bucket, owned by the limiter */
} LimiterGrant;

/* Memory of a limiter: 32 bytes a bucket, and some KiB. */
size_t limiter_bytes(const LimiterRule *rule);
/* Creates a limiter with full buckets and its own hash key. All memory that it may ever need is
 * charged to the budget at once (NULL: to none), but touched only as buckets are used.
 * ERR_MEMORY. */
MUST_USE Err limiter_open(const LimiterRule *rule, uint64_t now_ms, Budget *budget, Limiter **ret);
/* NULL is fine. The limiter must no longer be in use. */
void limiter_close(Limiter *l);

/* The limiter's key for two words (an address), or for a text. */
uint64_t limiter_key_pair(const Limiter *l, uint64_t first, uint64_t second);
uint64_t limiter_key_str(const Limiter *l, Str s);

/* Takes a token from the key's bucket. Up to 32 keys always have room; with more, up to
 * buckets_max, all but a few in a thousand, depending on where their hashes fall. If all buckets
 * that the key could have belong to keys that are still owed tokens, it shares a bucket with other
 * keys in that situation; when room appears, it inherits what was taken there. So no key ever gets
 * more than the rule allows. */
LimiterGrant limiter_take(Limiter *l, uint64_t key, uint64_t now_ms);
/* The time until the key would be granted a token; 0: now. Takes none. */
uint64_t limiter_wait(const Limiter *l, uint64_t key, uint64_t now_ms);
/* Undoes a grant; if a refill has come in between, the token stays taken. */
void limiter_give_back(const LimiterGrant *grant);

/* A bucket that is not full, for another process on this machine (dump.h). */
typedef struct LimiterBucket {
    bool shared;  /* by keys without a bucket; then `key` is its number */
    uint64_t key;
    uint64_t state;
} LimiterBucket;

/* The rule of a limiter, and its hash key. */
const LimiterRule *limiter_rule(const Limiter *l);
const HashSecret *limiter_secret(const Limiter *l);
/* The next bucket that is not full, starting at *io_at (0: the beginning); false: none. */
bool limiter_next(const Limiter *l, uint64_t now_ms, size_t *io_at, LimiterBucket *ret);
/* Restores into a new limiter with the same rule: first the hash key, then each bucket. ERR_RANGE:
 * impossible under this rule at this time; ERR_FULL: no room for it. */
void limiter_restore_secret(Limiter *l, const HashSecret *secret);
MUST_USE Err limiter_restore(Limiter *l, const LimiterBucket *bucket, uint64_t now_ms);

/* For a Retry-After field (RFC 9110 §10.2.3): whole seconds, rounded up, at least 1. */
static inline uint64_t limiter_retry_after(uint64_t wait_ms)
{
    return wait_ms <= 1000 ? 1 : wait_ms / 1000 + (wait_ms % 1000 != 0);
}

#endif
