/* limiter.c - a lock-free table of token buckets.
 *
 * A bucket's whole state is one word: the number of missing tokens, and the moment from which
 * refills count. Taking a token is one compare-and-swap of that word; a bucket with no missing
 * tokens is full, whatever else its word says. Refills need no background work: they are computed
 * on access.
 *
 * A slot is a key and a state. A key may be in any slot of its window, a run of neighbouring slots.
 * Slots are taken in the window's order and never become unused again, so the first slot that was
 * never used ends each search.
 *
 * A slot is given to another key only when its bucket is full again. The state word changes before
 * the key does, and its moment always grows when the key changes, so the compare-and-swap of a
 * thread that still relies on the old key fails. Two threads that insert the same new key must not
 * both succeed (Purcell and Harris, Non-blocking Hashtables with Open Addressing, 2005): each
 * announces its slot, then looks for the key in all others; it knocks out slots that are announced
 * but not yet seated, and gives way to a seated one. A thread that looked before another had
 * announced itself will be seen by that other. */
#include "proxy/limiter.h"

#include "base/number.h"

/* The state word: two bits of kind; in a seated slot 38 bits of moment (milliseconds since the
 * start: eight years) and 24 bits of missing tokens; otherwise a ticket. */
#define MISSING_BITS 24
#define MOMENT_BITS 38
#define MISSING_MASK ((UINT64_C(1) << MISSING_BITS) - 1)
#define MOMENT_MAX ((UINT64_C(1) << MOMENT_BITS) - 1)
#define KIND_SHIFT 62
#define TICKET_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)
#define UNUSED UINT64_C(0) /* no seated slot has this value: moments begin at 1 */

typedef enum Kind {
    SEATED,    /* the key's bucket */
    CLAIMED,   /* its key is being written */
    ANNOUNCED, /* the key may be read; not yet decided */
    KNOCKED    /* lost; free for any key */
} Kind;

#define WINDOW_SLOTS 32u
#define LINE_SLOTS 4u        /* in a cache line; windows are aligned to lines */
#define SLOTS_A_SHARED 4096u /* neighbouring slots per shared bucket */
#define LARGE_BYTES (1u << 22) /* a larger table is worth large pages */
#define TRIES_MAX 1000u      /* each failure is another thread's success */
#define TICKET_COUNTERS 64u
#define LOST_RACE 0 /* as the wait of a refusal: search again */

typedef struct Slot {
    _Atomic uint64_t key;
    _Atomic uint64_t state;
} Slot;

typedef struct SharedBucket {
    _Alignas(64) _Atomic uint64_t state;
} SharedBucket;

typedef struct TicketCounter {
    _Alignas(64) _Atomic uint64_t next;
} TicketCounter;

struct Limiter {
    LimiterRule rule;
    Budget *budget; /* charged for the table */
    HashSecret hash_key;
    uint64_t start_ms;
    uint32_t window; /* slots that a key may be in */
    size_t shared_count;
    size_t slot_count;
    Slot *slots COUNTED_BY(slot_count);
    SharedBucket *shared COUNTED_BY(shared_count);
    TicketCounter tickets[TICKET_COUNTERS];
};

static Kind kind_of(uint64_t state)
{
    return (Kind)(state >> KIND_SHIFT);
}

static uint64_t moment_of(uint64_t state)
{
    return state >> MISSING_BITS & MOMENT_MAX;
}

static uint64_t missing_of(uint64_t state)
{
    return state & MISSING_MASK;
}

static uint64_t state_seated(uint64_t moment, uint64_t missing)
{
    return moment << MISSING_BITS | missing;
}

/* --- one bucket ------------------------------------------------------------------------------ */

/* The state at `now`, including refills since then; a full bucket keeps its moment. */
static uint64_t state_refilled(const LimiterRule *r, uint64_t state, uint64_t now)
{
    uint64_t moment = moment_of(state);
    uint64_t missing = missing_of(state);
    if (missing == 0 || now < moment + r->interval_ms) {
        return state;
    }
    uint64_t quanta = (now - moment) / r->interval_ms; /* below 2^38, refill below 2^24 */
    uint64_t gained = quanta * r->refill;
    return gained >= missing ? state_seated(moment, 0)
                             : state_seated(moment + quanta * r->interval_ms, missing - gained);
}

/* The state with one token less; false: none is left, and *ret_wait is the time until the next. */
static bool state_taken(const LimiterRule *r, uint64_t state, uint64_t now, uint64_t *ret_state,
                        uint64_t *ret_wait)
{
    uint64_t current = state_refilled(r, state, now);
    uint64_t moment = moment_of(current);
    uint64_t missing = missing_of(current);
    if (missing == 0) { /* time may seem to go back, since threads read their clocks separately */
        *ret_state = state_seated(u64_max(now, moment), 1);
        return true;
    }
    if (missing < r->tokens) {
        *ret_state = state_seated(moment, missing + 1);
        return true;
    }
    *ret_wait = u64_max(moment + r->interval_ms, now + 1) - now;
    return false;
}

/* Whether another key may take the slot: its bucket is full, and its moment is past (so that the
 * next key's moment is later). */
static bool is_free(const LimiterRule *r, uint64_t state, uint64_t now)
{
    Kind kind = kind_of(state);
    if (kind != SEATED) {
        return kind == KNOCKED;
    }
    return now > moment_of(state) && missing_of(state_refilled(r, state, now)) == 0;
}

static LimiterGrant grant_refusal(uint64_t wait_ms)
{
    return (LimiterGrant){.wait_ms = wait_ms};
}

static LimiterGrant grant_of(_Atomic uint64_t *bucket, uint64_t state)
{
    return (LimiterGrant){.granted = true, .from = bucket, .mark = state};
}

/* Takes a token from a bucket without a key. */
static LimiterGrant shared_take(Limiter *l, _Atomic uint64_t *bucket, uint64_t now)
{
    uint64_t state = atomic_load(bucket);
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        uint64_t next = 0;
        uint64_t wait = 0;
        if (!state_taken(&l->rule, state, now, &next, &wait)) {
            return grant_refusal(wait);
        }
        if (atomic_compare_exchange_weak(bucket, &state, next)) {
            return grant_of(bucket, next);
        }
    }
    return grant_refusal(l->rule.interval_ms);
}

/* --- finding a key --------------------------------------------------------------------------- */

/* The first slot of the key's window. */
static size_t home_of(const Limiter *l, uint64_t key)
{
    size_t home = (size_t)((key >> 32) * l->slot_count >> 32);
    return l->slot_count > WINDOW_SLOTS ? home - home % LINE_SLOTS : 0;
}

/* The `i`-th slot of the window that begins at `home`. */
static Slot *slot_at(const Limiter *l, size_t home, uint32_t i)
{
    size_t at = home + i;
    return &l->slots[at < l->slot_count ? at : at - l->slot_count];
}

typedef struct Search {
    Slot *slot;     /* the key's own, or NULL */
    uint64_t state; /* its state */
    Slot *spare;    /* a slot that the key may take, or NULL */
    uint64_t spare_state;
} Search;

static Search find_slot(const Limiter *l, uint64_t key, size_t home, uint64_t now)
{
    Search s = {0};
    for (uint32_t i = 0; i < l->window; i++) {
        Slot *slot = slot_at(l, home, i);
        uint64_t state = atomic_load(&slot->state); /* before the key: see the opening comment */
        if (state != UNUSED && kind_of(state) == SEATED && atomic_load(&slot->key) == key) {
            s.slot = slot;
            s.state = state;
            return s;
        }
        if (!s.spare && (state == UNUSED || is_free(&l->rule, state, now))) {
            s.spare = slot;
            s.spare_state = state;
        }
        if (state == UNUSED) {
            break;
        }
    }
    return s;
}

/* The same for a key in the first line of its window, as most are, without branching on the slot:
 * that branch would be mispredicted most of the time, and discard work that the processor has begun
 * for the next check. */
static Search find_near(const Limiter *l, uint64_t key, size_t home, uint64_t now)
{
    uint64_t states[LINE_SLOTS];
    unsigned hits = 0;
    if (l->window < LINE_SLOTS) {
        return find_slot(l, key, home, now);
    }
    for (uint32_t i = 0; i < LINE_SLOTS; i++) {
        states[i] = atomic_load(&l->slots[home + i].state); /* again before the key */
        hits |= (unsigned)(atomic_load(&l->slots[home + i].key) == key) << i;
    }
    unsigned i = (unsigned)__builtin_ctz(hits | 1u << LINE_SLOTS);
    if (i == LINE_SLOTS || states[i] == UNUSED || kind_of(states[i]) != SEATED) {
        return find_slot(l, key, home, now);
    }
    return (Search){.slot = &l->slots[home + i], .state = states[i]};
}

/* --- inserting a key ------------------------------------------------------------------------ */

/* A number unique to this claim. */
static uint64_t claim_ticket(Limiter *l, uint64_t key)
{
    size_t i = key % TICKET_COUNTERS;
    uint64_t n = atomic_fetch_add(&l->tickets[i].next, 1);
    return (n * TICKET_COUNTERS + i) & TICKET_MASK;
}

static uint64_t of_kind(Kind kind, uint64_t number)
{
    return (uint64_t)kind << KIND_SHIFT | number;
}

/* Whether our announced slot is the only one with the key: knocks out announced ones. */
static bool is_alone(const Limiter *l, uint64_t key, size_t home, const Slot *own)
{
    for (uint32_t i = 0; i < l->window; i++) {
        Slot *slot = slot_at(l, home, i);
        uint64_t state = atomic_load(&slot->state);
        if (state == UNUSED) {
            return true; /* a thread that searched before us took an earlier slot */
        }
        Kind kind = kind_of(state);
        if (slot == own || (kind != SEATED && kind != ANNOUNCED) ||
            atomic_load(&slot->key) != key) {
            continue;
        }
        uint64_t out = of_kind(KNOCKED, state & TICKET_MASK);
        if (kind == SEATED || !atomic_compare_exchange_strong(&slot->state, &state, out)) {
            return false; /* seated, or decided just now: search again */
        }
    }
    return true;
}

/* Puts the key into the spare slot with state `first`; false if another thread was faster. */
static bool claim_slot(Limiter *l, uint64_t key, size_t home, const Search *s, uint64_t first)
{
    uint64_t state = s->spare_state;
    uint64_t number = claim_ticket(l, key);
    uint64_t announced = of_kind(ANNOUNCED, number);
    if (!atomic_compare_exchange_strong(&s->spare->state, &state, of_kind(CLAIMED, number))) {
        return false;
    }
    atomic_store(&s->spare->key, key);
    atomic_store(&s->spare->state, announced);
    uint64_t decided = is_alone(l, key, home, s->spare) ? first : of_kind(KNOCKED, number);
    return atomic_compare_exchange_strong(&s->spare->state, &announced, decided) &&
           decided == first;
}

/* --- taking and giving back ------------------------------------------------------------------ */

/* The bucket shared by all keys near `home` that find no slot. */
static _Atomic uint64_t *shared_of(const Limiter *l, size_t home)
{
    return &l->shared[home / SLOTS_A_SHARED].state;
}

/* A key without a bucket has a full one, except for what it may have taken from the shared bucket:
 * all tokens missing there count as taken by this key. */
static LimiterGrant take_first(Limiter *l, uint64_t key, size_t home, uint64_t now, Search *s)
{
    uint64_t shared = state_refilled(&l->rule, atomic_load(shared_of(l, home)), now);
    uint64_t missing = missing_of(shared);
    if (!s->spare || missing >= l->rule.tokens) {
        return shared_take(l, shared_of(l, home), now);
    }
    uint64_t first = state_seated(now, missing + 1);
    if (!claim_slot(l, key, home, s, first)) {
        return grant_refusal(LOST_RACE);
    }
    return grant_of(&s->spare->state, first);
}

/* Converts a time to a moment, which is at least 1. */
static uint64_t moment_at(const Limiter *l, uint64_t now_ms)
{
    uint64_t since = now_ms > l->start_ms ? now_ms - l->start_ms : 0;
    return u64_min(since, MOMENT_MAX - 1) + 1;
}

LimiterGrant limiter_take(Limiter *l, uint64_t key, uint64_t now_ms)
{
    uint64_t now = moment_at(l, now_ms);
    if (l->window == 0) {
        return shared_take(l, &l->shared[0].state, now);
    }
    size_t home = home_of(l, key);
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        Search s = find_near(l, key, home, now);
        if (!s.slot) {
            LimiterGrant grant = take_first(l, key, home, now, &s);
            if (grant.granted || grant.wait_ms != LOST_RACE) {
                return grant;
            }
            continue;
        }
        uint64_t next = 0;
        uint64_t wait = 0;
        if (!state_taken(&l->rule, s.state, now, &next, &wait)) {
            return grant_refusal(wait);
        }
        if (atomic_compare_exchange_strong(&s.slot->state, &s.state, next)) {
            return grant_of(&s.slot->state, next);
        }
    }
    return grant_refusal(l->rule.interval_ms);
}

/* For a key without a slot, checks the shared bucket, like take_first. */
uint64_t limiter_wait(const Limiter *l, uint64_t key, uint64_t now_ms)
{
    uint64_t now = moment_at(l, now_ms);
    uint64_t next = 0;
    uint64_t wait = 0;
    Search s = {0};
    size_t home = 0;
    if (l->window > 0) {
        home = home_of(l, key);
        s = find_near(l, key, home, now);
    }
    uint64_t state = s.slot ? s.state : atomic_load(shared_of(l, home));
    return state_taken(&l->rule, state, now, &next, &wait) ? 0 : wait;
}

/* If the moment is unchanged there was no refill since, and the slot still belongs to the key:
 * another key's moment would be later. */
void limiter_give_back(const LimiterGrant *grant)
{
    if (!grant->granted) {
        return;
    }
    uint64_t state = atomic_load(grant->from);
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        if (kind_of(state) != SEATED || moment_of(state) != moment_of(grant->mark) ||
            missing_of(state) == 0 ||
            atomic_compare_exchange_weak(grant->from, &state, state - 1)) {
            return;
        }
    }
}

/* --- opening and closing --------------------------------------------------------------------- */

/* A number that fits into one window is exact; otherwise twice as many slots as buckets, so that
 * windows rarely fill up before the table does. */
static size_t slots_for(uint32_t buckets)
{
    if (buckets <= WINDOW_SLOTS) {
        return buckets;
    }
    size_t slots = 2 * (size_t)buckets;
    return slots + (LINE_SLOTS - slots % LINE_SLOTS) % LINE_SLOTS;
}

void limiter_close(Limiter *l)
{
    if (l) {
        budget_give_kept(l->budget, limiter_bytes(&l->rule));
        memory_release(l->slots, l->slot_count * sizeof *l->slots);
        memory_release(l->shared, l->shared_count * sizeof *l->shared);
        memory_release(l, sizeof *l);
    }
}

size_t limiter_bytes(const LimiterRule *rule)
{
    size_t slots = slots_for(rule->buckets_max);
    return sizeof(Limiter) + (slots / SLOTS_A_SHARED + 1) * sizeof(SharedBucket) +
           size_max(slots, 1) * sizeof(Slot);
}

Err limiter_open(const LimiterRule *rule, uint64_t now_ms, Budget *budget, Limiter **ret)
{
    CHECK(rule->tokens >= 1 && rule->tokens <= LIMITER_TOKENS_MAX);
    CHECK(rule->refill >= 1 && rule->refill <= LIMITER_TOKENS_MAX);
    CHECK(rule->interval_ms >= 1 && rule->interval_ms <= LIMITER_INTERVAL_MS_MAX);
    CHECK(rule->buckets_max <= LIMITER_BUCKETS_MAX);
    size_t slots = slots_for(rule->buckets_max);
    size_t shared = slots / SLOTS_A_SHARED + 1;
    if (!budget_keep(budget, limiter_bytes(rule))) {
        return ERR_MEMORY;
    }
    Limiter *l = (Limiter *)memory_reserve(sizeof *l);
    if (!l) {
        budget_give_kept(budget, limiter_bytes(rule));
        return ERR_MEMORY;
    }
    l->rule = *rule;
    l->budget = budget;
    l->start_ms = now_ms;
    l->window = (uint32_t)size_min(slots, WINDOW_SLOTS);
    hash_secret_make(&l->hash_key);
    SharedBucket *shared_room = (SharedBucket *)memory_reserve(shared * sizeof *shared_room);
    Slot *slot_room = (Slot *)memory_reserve(size_max(slots, 1) * sizeof *slot_room);
    l->shared_count = shared_room ? shared : 0;
    l->shared = shared_room;
    l->slot_count = slot_room ? size_max(slots, 1) : 0;
    l->slots = slot_room;
    if (!shared_room || !slot_room) {
        limiter_close(l);
        return ERR_MEMORY;
    }
    if (slots * sizeof *slot_room >= LARGE_BYTES) {
        memory_prefer_large_pages(slot_room, slots * sizeof *slot_room);
    }
    *ret = l;
    return ERR_OK;
}

/* Prefetches the key's line while its check is prepared. */
static uint64_t asked_soon(const Limiter *l, uint64_t key)
{
    __builtin_prefetch(&l->slots[home_of(l, key)], 1);
    return key;
}

uint64_t limiter_key_pair(const Limiter *l, uint64_t first, uint64_t second)
{
    return asked_soon(l, hash_pair(&l->hash_key, first, second));
}

uint64_t limiter_key_str(const Limiter *l, Str s)
{
    return asked_soon(l, hash_str(&l->hash_key, s));
}

/* --- for another process --------------------------------------------------------------------- */

const LimiterRule *limiter_rule(const Limiter *l)
{
    return &l->rule;
}

const HashSecret *limiter_secret(const Limiter *l)
{
    return &l->hash_key;
}

void limiter_restore_secret(Limiter *l, const HashSecret *secret)
{
    l->hash_key = *secret;
}

/* Whether a state is that of a bucket with missing tokens. */
static bool is_owed(const Limiter *l, uint64_t state, uint64_t now)
{
    return state != UNUSED && kind_of(state) == SEATED &&
           missing_of(state_refilled(&l->rule, state, now)) > 0;
}

/* Reads the key between two reads of the state: if those are equal, it belongs to that bucket. */
bool limiter_next(const Limiter *l, uint64_t now_ms, size_t *io_at, LimiterBucket *ret)
{
    uint64_t now = moment_at(l, now_ms);
    for (size_t i = *io_at; i < l->slot_count + l->shared_count; i++) {
        bool shared = i >= l->slot_count;
        size_t number = i - l->slot_count;
        const _Atomic uint64_t *at = shared ? &l->shared[number].state : &l->slots[i].state;
        uint64_t state = atomic_load(at);
        uint64_t key = shared ? number : atomic_load(&l->slots[i].key);
        if (is_owed(l, state, now) && moment_of(atomic_load(at)) == moment_of(state)) {
            *io_at = i + 1;
            *ret = (LimiterBucket){.shared = shared, .key = key, .state = state};
            return true;
        }
    }
    return false;
}

Err limiter_restore(Limiter *l, const LimiterBucket *bucket, uint64_t now_ms)
{
    uint64_t now = moment_at(l, now_ms);
    uint64_t state = bucket->state;
    if (kind_of(state) != SEATED || moment_of(state) == 0 || moment_of(state) > now ||
        missing_of(state) > l->rule.tokens) {
        return ERR_RANGE;
    }
    if (bucket->shared) {
        if (bucket->key >= l->shared_count) {
            return ERR_RANGE;
        }
        atomic_store(&l->shared[bucket->key].state, state);
        return ERR_OK;
    }
    size_t home = l->window > 0 ? home_of(l, bucket->key) : 0;
    for (uint32_t i = 0; i < l->window; i++) {
        Slot *slot = slot_at(l, home, i);
        if (atomic_load(&slot->state) == UNUSED) {
            atomic_store(&slot->key, bucket->key);
            atomic_store(&slot->state, state);
            return ERR_OK;
        }
    }
    return ERR_FULL;
}
