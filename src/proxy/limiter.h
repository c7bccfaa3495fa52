/* limiter.h - token buckets for many keys: who has asked too often, and when to come back.
 *
 * A bucket starts full. A request takes a token; when there is none it is refused. Tokens come back
 * in quanta: `refill` of them every `interval_ms`, counted from the request that found the bucket
 * full. So a full bucket has no past, and to forget it changes nothing.
 *
 * One limiter is one rule, shared by all threads without a lock (limiter.c tells how). Keys are
 * numbers made by a keyed hash, so that nobody can choose them to fall together. Time is an
 * argument: any clock that does not go back, in milliseconds. It knows nothing of requests. */
#ifndef PROXY_LIMITER_H
#define PROXY_LIMITER_H

#include <stdatomic.h>

#include "base/keyed_hash.h"
#include "base/memory.h"

#define LIMITER_TOKENS_MAX 10000000u
#define LIMITER_INTERVAL_MS_MAX 86400000u
#define LIMITER_BUCKETS_MAX 10000000u

typedef struct LimiterRule {
    uint32_t tokens;      /* of a full bucket; 1 to LIMITER_TOKENS_MAX */
    uint32_t refill;      /* tokens that come back at once; 1 to LIMITER_TOKENS_MAX */
    uint32_t interval_ms; /* in so many milliseconds; 1 to LIMITER_INTERVAL_MS_MAX */
    uint32_t buckets_max; /* keys remembered at once; 0: all keys are one */
} LimiterRule;

typedef struct Limiter Limiter;

/* What limiter_take says; give it back as it is. */
typedef struct LimiterGrant {
    bool granted;
    uint64_t wait_ms; /* when refused: until the next token; at least 1 */
    uint64_t mark;    /* the bucket's state with the token taken */
    _Atomic uint64_t *from; /* the bucket; the limiter's own */
} LimiterGrant;

/* What a limiter takes: 32 bytes a bucket, and some KiB. */
size_t limiter_bytes(const LimiterRule *rule);
/* A limiter whose buckets are all full, with a hash key of its own. All that it may come to need is
 * counted in the budget at once (NULL: in none), and touched as buckets come. ERR_MEMORY. */
MUST_USE Err limiter_open(const LimiterRule *rule, uint64_t now_ms, Budget *budget, Limiter **ret);
/* NULL is fine. Nobody may be using it any more. */
void limiter_close(Limiter *l);

/* The keys of a limiter: of two words (an address), or of a text. */
uint64_t limiter_key_pair(const Limiter *l, uint64_t first, uint64_t second);
uint64_t limiter_key_str(const Limiter *l, Str s);

/* Takes a token of the key's bucket. Up to 32 keys have room for certain, of more all but a few in
 * a thousand when there are buckets_max of them: where they stand is chance. When all buckets that
 * the key could have are in use by keys that are still owed tokens, the key shares a bucket with
 * others that are in the same plight, and when room comes it inherits what was taken there: nobody
 * ever gets more than the rule gives. */
LimiterGrant limiter_take(Limiter *l, uint64_t key, uint64_t now_ms);
/* How long until the key would be granted a token; 0: it would be now. Takes none. */
uint64_t limiter_wait(const Limiter *l, uint64_t key, uint64_t now_ms);
/* As if the token had not been taken; when a refill came in between, it stays taken. */
void limiter_give_back(const LimiterGrant *grant);

/* A bucket that is not full, for another process of this machine (dump.h). */
typedef struct LimiterBucket {
    bool shared;  /* by keys that have none; then `key` is its number */
    uint64_t key;
    uint64_t state;
} LimiterBucket;

/* The rule of a limiter, and the key of its hashes. */
const LimiterRule *limiter_rule(const Limiter *l);
const HashSecret *limiter_secret(const Limiter *l);
/* The next bucket that is not full, from *io_at (0: the beginning) on; false: there is none. */
bool limiter_next(const Limiter *l, uint64_t now_ms, size_t *io_at, LimiterBucket *ret);
/* The other way, into a limiter that was just opened for the same rule: first the key, then bucket
 * by bucket. ERR_RANGE: this rule has no such bucket at this time; ERR_FULL: no room for it. */
void limiter_restore_secret(Limiter *l, const HashSecret *secret);
MUST_USE Err limiter_restore(Limiter *l, const LimiterBucket *bucket, uint64_t now_ms);

/* For a Retry-After field (RFC 9110 §10.2.3): whole seconds, rounded up, at least 1. */
static inline uint64_t limiter_retry_after(uint64_t wait_ms)
{
    return wait_ms <= 1000 ? 1 : wait_ms / 1000 + (wait_ms % 1000 != 0);
}

#endif
