/* sets.c - sets of endpoints that change while traffic, faults and reloads go on. A cluster always
 * keeps an endpoint that takes requests, so no request may fail for it; none may go to an endpoint
 * that takes none; a costly table may be a second old; and nothing may be left in the end. */
#include "balance/policies.h"
#include "base/number.h"
#include "pool/fetch.h"
#include "proxy/exchange.h"
#include "trial.h"

#define CHANGES_AT_ONCE 4u
#define GAP_NS_MOST (400 * LAN_MS)
#define SEEN_MAX 512u /* requests of a thread that are followed */
#define WEIGHT_MOST 4u

static Random set_random;
static unsigned set_left;
static bool tidy_waits;

/* The first change since which a cluster's table is too old; 0: none. */
static struct {
    uint64_t set;
    uint64_t since_ms;
} wanted[ORIGINS_MAX + 1];

/* How often requests had picked when their thread was last looked at. */
static struct {
    Handle exchange;
    uint32_t tries;
} picked[LAN_THREADS_MAX][SEEN_MAX];

static uint64_t set_pick(uint64_t n)
{
    return random_next(&set_random) % n;
}

static uint64_t now_ms(void)
{
    return lan_now_ns() / LAN_MS;
}

Cluster *sets_cluster(unsigned origin)
{
    return &trial->worker->clusters.list[trial->site.clusters[origin]];
}

static void tidy_soon(void)
{
    if (!tidy_waits) {
        tidy_waits = true;
        lan_timer(lan_now_ns() + LAN_MS, TIMER_TIDY, 0);
    }
}

/* --- as the configuration has them ----------------------------------------------------------- */

/* The seed chooses the policy; the simulation's clusters are those of one configuration, again and
 * again. */
void sets_prepare(void)
{
    static const Str policies[] = {S_INIT("RoundRobin"), S_INIT("Random"), S_INIT("FNV"),
                                   S_INIT("Ketama")};
    const Balancer *b = policy_find(policies[trial->plan.seed / 6 % 4]);
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        bool all = i == ORIGINS_MAX;
        ClusterPlan plan = {.balancer = b, .count = all ? trial->plan.origin_count : 1};
        plan.endpoints = &trial->site.endpoints[all || i >= trial->plan.origin_count ? 0 : i];
        Err err = cluster_prepare(trial->worker, trial->site.clusters[i], &plan);
        CHECK(err == ERR_OK);
    }
}

static void timer_next(void)
{
    if (set_left > 0 && !trial->calm) {
        set_left--;
        lan_timer(lan_now_ns() + LAN_MS + set_pick(GAP_NS_MOST), TIMER_SETS, 0);
    }
}

void sets_begin(void)
{
    span_fill(span_of(wanted, sizeof wanted), 0);
    span_fill(span_of(picked, sizeof picked), 0);
    random_seed_from(&set_random, trial->plan.seed ^ 0x73657473);
    tidy_waits = false;
    set_left = trial->plan.seed % 3 == 0 ? 0 : 20 + (unsigned)set_pick(200);
    timer_next();
}

/* --- changes --------------------------------------------------------------------------------- */

/* Among all an endpoint that comes again may have a pool of its own, which ends when it goes. */
static EndpointChange change_of(const Cluster *c, EndpointChangeKind kind, Endpoint *e)
{
    bool all = c == sets_cluster(ORIGINS_MAX);
    bool other = all && kind == ENDPOINT_ADD && e->connections_max == 0;
    e->idle_timeout_ms += other ? set_pick(3) : 0;
    return (EndpointChange){.kind = kind,
                            .name = e->name,
                            .weight = (uint16_t)(kind == ENDPOINT_ADD ? 1 + set_pick(WEIGHT_MOST)
                                                                      : set_pick(WEIGHT_MOST)),
                            .state = (EndpointState)set_pick(3),
                            .endpoint = e};
}

static bool has_endpoint(const Cluster *c, Str name)
{
    bool has = false;
    for (size_t i = 0; i < c->newest->count; i++) {
        const Endpoint *e = c->newest->members[i].endpoint;
        has |= e && str_equal(e->name, name);
    }
    return has;
}

static void change_one(Cluster *c, const EndpointChange *change)
{
    bool has = has_endpoint(c, change->name);
    uint64_t number = c->newest->number;
    Err err = cluster_change(trial->worker, c->number, change, 1, now_ms());
    Err due = change->kind == ENDPOINT_ADD ? (has ? ERR_EXISTS : ERR_OK)
                                           : (has ? ERR_OK : ERR_MISSING);
    if (err != due || (err != ERR_OK && c->newest->number != number)) {
        trial_fail("a change of a set ends in %s", err_sentence(err));
    }
}

/* Somebody takes requests: no thread has had a turn since nobody does. */
static void keep_one(Cluster *c, unsigned origin)
{
    Endpoint e = trial->site.endpoints[origin];
    EndpointChange add = {.kind = ENDPOINT_ADD, .name = e.name, .weight = 1, .endpoint = &e};
    EndpointChange up = {.kind = ENDPOINT_TURN, .name = e.name, .state = ENDPOINT_UP};
    EndpointChange weight = {.kind = ENDPOINT_REWEIGHT, .name = e.name, .weight = 1};
    if (c->newest->taker_count > 0) {
        return;
    }
    if (!has_endpoint(c, e.name)) {
        change_one(c, &add);
    }
    change_one(c, &up);
    change_one(c, &weight);
}

/* A change at once of all the endpoints of a cluster. */
static void change_many(Cluster *c, unsigned origins, unsigned first)
{
    Endpoint endpoints[CHANGES_AT_ONCE];
    EndpointChange changes[2 * CHANGES_AT_ONCE];
    size_t count = 0;
    for (unsigned i = 0; i < origins; i++) {
        endpoints[i] = trial->site.endpoints[first + i];
        if (has_endpoint(c, endpoints[i].name)) {
            changes[count++] = change_of(c, ENDPOINT_REMOVE, &endpoints[i]);
        }
        if (set_pick(2)) {
            changes[count++] = change_of(c, ENDPOINT_ADD, &endpoints[i]);
        }
    }
    if (cluster_change(trial->worker, c->number, changes, count, now_ms()) != ERR_OK) {
        trial_fail("changes of a set fail together");
    }
}

static void change_some(unsigned i)
{
    Cluster *c = sets_cluster(i);
    bool all = i == ORIGINS_MAX;
    unsigned first = all ? 0 : i < trial->plan.origin_count ? i : 0;
    unsigned origins = all ? trial->plan.origin_count : 1;
    uint64_t before = c->newest->number;
    if (set_pick(8) == 0) {
        change_many(c, origins, first);
    }
    for (uint64_t k = set_pick(CHANGES_AT_ONCE); k > 0; k--) {
        Endpoint e = trial->site.endpoints[first + set_pick(origins)];
        EndpointChange change = change_of(c, (EndpointChangeKind)set_pick(4), &e);
        change_one(c, &change);
    }
    keep_one(c, first + (unsigned)set_pick(origins));
    if (c->newest->number != before && c->stale && wanted[i].set == 0) {
        wanted[i].set = c->newest->number;
        wanted[i].since_ms = now_ms();
    }
}

void sets_change(void)
{
    timer_next();
    if (set_pick(10) == 0) { /* a reload, or one that fails in the end */
        sets_prepare();
        if (set_pick(3)) {
            clusters_commit(trial->worker);
            span_fill(span_of(wanted, sizeof wanted), 0); /* its tables are built at once */
            for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
                keep_one(sets_cluster(i), i < trial->plan.origin_count ? i : 0);
            }
        } else {
            clusters_abandon(trial->worker);
        }
    }
    change_some(set_pick(4) ? ORIGINS_MAX : (unsigned)set_pick(ORIGINS_MAX));
    tidy_soon();
}

/* --- what must hold -------------------------------------------------------------------------- */

static void judge_tables(void)
{
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        const EndpointSet *s = sets_cluster(i)->newest;
        bool there = s->costly && s->costly->set >= wanted[i].set;
        if (wanted[i].set && (there || !set_has_weight(s))) {
            wanted[i].set = 0;
        } else if (wanted[i].set && now_ms() > wanted[i].since_ms + CLUSTER_STALE_MS) {
            trial_fail("a cluster's table is %llu ms old",
                       (unsigned long long)(now_ms() - wanted[i].since_ms));
        }
    }
}

/* Requests of River's own that have the endpoint. */
static uint64_t fetches_with(const Thread *t, uint32_t number)
{
    uint64_t users = 0;
    for (uint32_t k = 0; k < t->fetches.slots_touched; k++) {
        Handle h;
        const Fetch *f = (const Fetch *)pool_at(&t->fetches, k, &h);
        users += f && f->plan.endpoint && f->plan.endpoint->number == number;
    }
    return users;
}

/* Each request counts the endpoint that it has, and nothing else does. */
static void judge_pins(void)
{
    const Pool *endpoints = &trial->worker->clusters.endpoints;
    for (uint32_t number = 0; number < endpoints->slots_touched; number++) {
        uint64_t users = 0;
        for (unsigned i = 0; i < trial->plan.threads; i++) {
            const Thread *t = trial->worker->group.threads[i];
            users += fetches_with(t, number);
            for (uint32_t k = 0; k < t->exchanges.slots_touched; k++) {
                Handle h;
                const Exchange *x = (const Exchange *)pool_at(&t->exchanges, k, &h);
                users += x && x->try.endpoint && x->try.endpoint->number == number;
            }
        }
        uint64_t pins = worker_endpoint_pins(trial->worker, number);
        if (pins != users) {
            trial_fail("an endpoint is counted %llu times for %llu requests",
                       (unsigned long long)pins, (unsigned long long)users);
        }
    }
}

static bool takes(const EndpointSet *s, const Endpoint *e)
{
    bool found = false;
    for (size_t i = 0; i < s->count; i++) {
        found |= s->members[i].endpoint == e && s->members[i].takes;
    }
    return found;
}

void sets_judge_turn(const Thread *t)
{
    for (uint32_t i = 0; i < t->exchanges.slots_touched && i < SEEN_MAX; i++) {
        Handle h;
        const Exchange *x = (const Exchange *)pool_at(&t->exchanges, i, &h);
        bool same = x && handle_equal(h, picked[t->index][i].exchange);
        uint32_t before = same ? picked[t->index][i].tries : 0;
        if (x && x->tries > before && !takes(x->route->cluster->newest, x->try.endpoint)) {
            trial_fail("a request goes to an endpoint that takes none");
        }
        picked[t->index][i].exchange = x ? h : HANDLE_NONE;
        picked[t->index][i].tries = x ? x->tries : 0;
    }
}

void sets_tidy(void)
{
    tidy_waits = false;
    uint32_t wait_ms = clusters_tidy(trial->worker, now_ms());
    if (wait_ms != UINT32_MAX) {
        tidy_waits = true;
        lan_timer(lan_now_ns() + wait_ms * LAN_MS, TIMER_TIDY, 0);
    }
    judge_tables();
    judge_pins();
}

/* --- the end --------------------------------------------------------------------------------- */

void sets_retire(void)
{
    trial->retired = true;
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        Cluster *c = sets_cluster(i);
        for (unsigned k = 0; k < trial->plan.origin_count; k++) {
            EndpointChange change = {.kind = ENDPOINT_REMOVE,
                                     .name = trial->site.endpoints[k].name};
            if (has_endpoint(c, change.name)) {
                change_one(c, &change);
            }
        }
    }
    span_fill(span_of(wanted, sizeof wanted), 0);
    tidy_soon();
}

bool sets_have_user(uint32_t origin)
{
    bool some = false;
    for (uint32_t i = 0; i < trial->worker->clusters.endpoints.slots_touched; i++) {
        Handle h;
        const EndpointNode *n =
            (const EndpointNode *)pool_at(&trial->worker->clusters.endpoints, i, &h);
        some |= n && n->endpoint.origin == origin && worker_endpoint_pins(trial->worker, i) > 0;
    }
    return some;
}

void sets_judge_left(void)
{
    const Clusters *all = &trial->worker->clusters;
    uint64_t members = 0;
    judge_pins();
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        const EndpointSet *s = sets_cluster(i)->newest;
        for (size_t k = 0; k < s->count; k++) {
            members += s->members[k].endpoint != NULL;
        }
    }
    if (all->sets_live != ORIGINS_MAX + 1 || all->retired || all->leaving || all->stale ||
        all->job.under_way || all->endpoints.used != members) {
        trial_fail("left over: %llu sets, %u endpoints where %llu are named",
                   (unsigned long long)all->sets_live, all->endpoints.used,
                   (unsigned long long)members);
    }
    for (uint32_t i = 0; i < trial->worker->origin_names.touched; i++) {
        bool named = roster_name(&trial->worker->origin_names, i).len > 0;
        if (named && !roster_is_held(&trial->worker->origin_names, i)) {
            trial_fail("left over: an origin that no endpoint names");
        }
    }
}
