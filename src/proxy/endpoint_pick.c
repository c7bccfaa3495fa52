/* endpoint_pick.c - see endpoint_pick.h. */
#include "proxy/endpoint_pick.h"

#include "proxy/worker.h"

#define BACKED_OFF_MAX 64u /* endpoints searched for one that is not backed off */
#define UNTRIED_MAX 64u /* ... that was not tried, if the policy has none */

/* --- the key --------------------------------------------------------------------------------- */

/* The input of hashing policies: the path without the query, maybe after the client's address. */
static bool pick_hashed(Exchange *x, bool source)
{
    x->pick.hashed = x->request.head.path;
    if (!source) {
        return true;
    }
    Span room;
    if (!arena_span(&x->arena, IP_TEXT_MAX + x->request.head.path.len, &room)) {
        return false;
    }
    Text key = text_in(room);
    if (x->request.client_ip.family) {
        ip_print(&key, x->request.client_ip);
    }
    text_add(&key, x->request.head.path);
    x->pick.hashed = text_str(&key);
    return true;
}

/* Sets the key once per request, whichever sets its tries use. */
static bool pick_key(Thread *t, Exchange *x, Cluster *c, const EndpointSet *set)
{
    if (x->pick.random == 0) {
        x->pick.sequence = atomic_fetch_add_explicit(&c->sequence, 1, memory_order_relaxed);
        x->pick.random = random_next(&t->random);
    }
    bool hashed = set->balancer->hashes && x->pick.hashed.len == 0;
    return !hashed || pick_hashed(x, set->hash_source);
}

/* --- endpoints to skip ---------------------------------------------------------------------- */

typedef struct Picking {
    Thread *thread;
    const EndpointSet *set;
    const PickKey *key;
    size_t tried_count;
    const uint32_t *tried COUNTED_BY(tried_count); /* numbers of endpoints */
    unsigned backed_off; /* number skipped */
} Picking;

static const Endpoint *endpoint_at(const Picking *p, size_t place)
{
    const EndpointSet *s = p->set;
    return place < s->count && s->members[place].takes ? s->members[place].endpoint : NULL;
}

static Origin *origin_of(const Picking *p, const Endpoint *e)
{
    return &p->thread->group->origins[e->origin];
}

static uint32_t pick_busy(const void *owner, size_t place)
{
    const Picking *p = (const Picking *)owner;
    const Endpoint *e = endpoint_at(p, place);
    return e ? origin_busy(origin_of(p, e)) : 0;
}

/* If very many are backed off, one of those will do. */
static bool pick_usable(const void *owner, size_t place)
{
    Picking *p = (Picking *)(uintptr_t)owner;
    const Endpoint *e = endpoint_at(p, place);
    if (!e) {
        return false;
    }
    bool backed_off =
        p->backed_off < BACKED_OFF_MAX && origin_backs_off(p->thread, origin_of(p, e));
    p->backed_off += backed_off;
    return !backed_off;
}

static bool pick_tried(const void *owner, size_t place)
{
    const Picking *p = (const Picking *)owner;
    const Endpoint *e = endpoint_at(p, place);
    for (size_t i = 0; e && i < p->tried_count; i++) {
        if (p->tried[i] == e->number) {
            return true;
        }
    }
    return false;
}

/* A retry must go to another endpoint. A stale connection does not count against its endpoint,
 * which is tried again. */
static void remember_tried(Exchange *x)
{
    size_t most = x->service->limits.tries_max;
    if (x->try.same_endpoint || x->tried_count >= most) {
        return;
    }
    if (!x->tried) {
        x->tried = arena_array(&x->arena, uint32_t, most);
    }
    if (x->tried) {
        x->tried[x->tried_count] = x->try.endpoint->number;
        x->tried_count++;
    }
}

/* --- the choice ------------------------------------------------------------------------------ */

/* Any place that takes requests, if the policy's table knows too few of them. */
static size_t pick_any(const Picking *p, const Tried *tried)
{
    const EndpointSet *s = p->set;
    uint64_t from = p->key->hashed.len ? str_fnv(p->key->hashed, FNV_START) : p->key->random;
    for (size_t i = 0; i < s->taker_count && i < UNTRIED_MAX; i++) {
        size_t place = s->takers[(from + i) % s->taker_count];
        if (!tried->has(tried->owner, place)) {
            return place;
        }
    }
    return s->takers[from % s->taker_count];
}

NOINLINE static const Endpoint *pick_among(Picking *p)
{
    const EndpointSet *set = p->set;
    Loads loads = {.owner = p, .busy = pick_busy, .usable = pick_usable};
    Tried tried = {.count = p->tried_count, .owner = p, .has = pick_tried};
    size_t place = PICK_NONE;
    if (set->table) {
        place = set->balancer->pick(set->table, p->key, &tried, &loads);
    }
    if (UNLIKELY(place == PICK_NONE) && set->table) {
        p->backed_off = BACKED_OFF_MAX; /* prefer one of those to one already tried */
        place = set->balancer->pick(set->table, p->key, &tried, &loads);
    }
    if (UNLIKELY(place == PICK_NONE)) {
        place = pick_any(p, &tried);
    }
    return set->members[place].endpoint;
}

/* The policy's first choice, if it may get the request. */
static const Endpoint *pick_first(const Picking *p)
{
    const EndpointSet *set = p->set;
    const Balancer *b = set->balancer;
    if (p->tried_count > 0 || !b->first || !set->table) {
        return NULL;
    }
    size_t place = b->first(set->table, p->key);
    const Member *m = place < set->count ? &set->members[place] : NULL;
    bool may = m && m->takes && !origin_backs_off(p->thread, origin_of(p, m->endpoint));
    return may ? m->endpoint : NULL;
}

Fault endpoint_pick(Thread *t, Exchange *x, const Endpoint **ret)
{
    Cluster *c = x->route->cluster;
    const EndpointSet *set = atomic_load_explicit(&c->set, memory_order_acquire);
    if (UNLIKELY(x->tries > 0)) {
        remember_tried(x);
    }
    *ret = set->only;
    if (set->only) {
        return FAULT_NONE;
    }
    if (set->taker_count == 0) {
        return FAULT_NO_ENDPOINT;
    }
    if (!pick_key(t, x, c, set)) {
        return FAULT_MEMORY;
    }
    Picking p = {.thread = t,
                 .set = set,
                 .key = &x->pick,
                 .tried_count = x->tried_count,
                 .tried = x->tried};
    *ret = pick_first(&p);
    if (UNLIKELY(!*ret)) {
        *ret = pick_among(&p);
    }
    return FAULT_NONE;
}

Fault endpoint_pick_once(Thread *t, Cluster *c, Str hashed, const Endpoint **ret)
{
    const EndpointSet *set = atomic_load_explicit(&c->set, memory_order_acquire);
    *ret = set->only;
    if (set->only) {
        return FAULT_NONE;
    }
    if (set->taker_count == 0) {
        return FAULT_NO_ENDPOINT;
    }
    PickKey key = {.sequence = atomic_fetch_add_explicit(&c->sequence, 1, memory_order_relaxed),
                   .random = random_next(&t->random),
                   .hashed = set->balancer->hashes ? hashed : STR_NONE};
    Picking p = {.thread = t, .set = set, .key = &key};
    *ret = pick_among(&p);
    return FAULT_NONE;
}
