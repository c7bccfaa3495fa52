/* cluster_test.c - endpoint sets that change: what they hold, what stays, what goes and when. */
#include "balance/policies.h"
#include "base/clock.h"
#include "base/text.h"
#include "proxy/worker.h"
#include "test.h"

#include <unistd.h>

#define MANY 10000u
#define NAME_BYTES 24u

typedef struct Site {
    Worker *worker;
    uint32_t number;
    Cluster *cluster;
} Site;

static uint8_t names[MANY + 1000][NAME_BYTES];

/* "127.x.y.z:80"; the text stays. */
static Endpoint endpoint_at(unsigned i)
{
    Text t = text_in(span_of(names[i], NAME_BYTES));
    IpAddress ip = {.family = 4,
                    .bytes = {127, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
    text_format(&t, "127.%u.%u.%u:80", i >> 16, i >> 8 & 255, i & 255);
    return (Endpoint){.address = address_ip(ip, 80),
                      .name = text_str(&t),
                      .weight = 1,
                      .connect_timeout_ms = 1000,
                      .idle_timeout_ms = 1000};
}

static Err site_prepare(Site *s, Str policy, unsigned first, unsigned count)
{
    static Endpoint endpoints[MANY];
    for (unsigned i = 0; i < count; i++) {
        endpoints[i] = endpoint_at(first + i);
    }
    ClusterPlan plan = {.balancer = policy_find(policy), .count = count};
    plan.endpoints = endpoints;
    return cluster_prepare(s->worker, s->number, &plan);
}

static void site_open(Site *s, Str policy, unsigned count)
{
    WorkerPlan plan = {.threads = 1, .connections_max = 10};
    *s = (Site){0};
    EXPECT(worker_build(&plan, &s->worker) == ERR_OK);
    EXPECT(cluster_hold(s->worker, S("one"), &s->number) == ERR_OK);
    s->cluster = &s->worker->clusters.list[s->number];
    EXPECT(site_prepare(s, policy, 0, count) == ERR_OK);
    clusters_commit(s->worker);
}

/* Pools that are named. (They end by messages to threads, which do not run here.) */
static unsigned pools(const Site *s)
{
    unsigned held = 0;
    for (uint32_t i = 0; i < s->worker->origin_names.touched; i++) {
        held += roster_is_held(&s->worker->origin_names, i);
    }
    return held;
}

/* No set and no endpoint is left but those of the cluster; and then not even they. */
static void site_close(Site *s)
{
    (void)clusters_tidy(s->worker, clock_ms());
    EXPECT_U64(s->worker->clusters.sets_live, 1);
    EXPECT(!s->worker->clusters.leaving && !s->worker->clusters.retired);
    cluster_release(s->worker, s->number);
    (void)clusters_tidy(s->worker, clock_ms());
    EXPECT_U64(s->worker->clusters.sets_live, 0);
    EXPECT_U64(s->worker->clusters.endpoints.used, 0);
    EXPECT_U64(pools(s), 0);
    worker_free(s->worker);
}

static Err add(Site *s, unsigned i, uint16_t weight)
{
    Endpoint e = endpoint_at(i);
    EndpointChange change = {
        .kind = ENDPOINT_ADD, .name = e.name, .weight = weight, .endpoint = &e};
    return cluster_change(s->worker, s->number, &change, 1, clock_ms());
}

static Err drop(Site *s, unsigned i)
{
    EndpointChange change = {.kind = ENDPOINT_REMOVE, .name = endpoint_at(i).name};
    return cluster_change(s->worker, s->number, &change, 1, clock_ms());
}

static Err weigh(Site *s, unsigned i, uint16_t weight)
{
    EndpointChange change = {
        .kind = ENDPOINT_REWEIGHT, .name = endpoint_at(i).name, .weight = weight};
    return cluster_change(s->worker, s->number, &change, 1, clock_ms());
}

static Err turn(Site *s, unsigned i, EndpointState state)
{
    EndpointChange change = {
        .kind = ENDPOINT_TURN, .name = endpoint_at(i).name, .state = state};
    return cluster_change(s->worker, s->number, &change, 1, clock_ms());
}

static const Member *member_at(const Site *s, unsigned i)
{
    const EndpointSet *set = s->cluster->newest;
    Str name = endpoint_at(i).name;
    for (size_t k = 0; k < set->count; k++) {
        if (set->members[k].endpoint && str_equal(set->members[k].endpoint->name, name)) {
            return &set->members[k];
        }
    }
    return NULL;
}

TEST("cluster: endpoints are added, removed, reweighted, down and draining")
{
    Site s;
    site_open(&s, S("RoundRobin"), 3);
    const Endpoint *first = member_at(&s, 0)->endpoint;
    EXPECT(add(&s, 3, 5) == ERR_OK && add(&s, 3, 1) == ERR_EXISTS);
    EXPECT(drop(&s, 1) == ERR_OK && drop(&s, 1) == ERR_MISSING && weigh(&s, 1, 1) == ERR_MISSING);
    EXPECT(!member_at(&s, 1) && member_at(&s, 3)->weight == 5 && member_at(&s, 3)->takes);
    EXPECT(member_at(&s, 0)->endpoint == first); /* who stays is the same */
    EXPECT_U64(s.cluster->newest->taker_count, 3);
    EXPECT(turn(&s, 0, ENDPOINT_DOWN) == ERR_OK && turn(&s, 2, ENDPOINT_DRAINING) == ERR_OK);
    EXPECT_U64(s.cluster->newest->taker_count, 1);
    EXPECT(s.cluster->newest->only == member_at(&s, 3)->endpoint);
    EXPECT(weigh(&s, 3, 0) == ERR_OK); /* all that are left are down: better they than none */
    EXPECT(s.cluster->newest->only == first && member_at(&s, 0)->takes);
    EXPECT(weigh(&s, 0, 0) == ERR_OK);
    EXPECT_U64(s.cluster->newest->taker_count, 0);
    EXPECT(turn(&s, 2, ENDPOINT_UP) == ERR_OK);
    EXPECT(s.cluster->newest->only == member_at(&s, 2)->endpoint);
    EXPECT(drop(&s, 0) == ERR_OK && drop(&s, 2) == ERR_OK && drop(&s, 3) == ERR_OK);
    EXPECT(s.cluster->newest->count == 0 && !s.cluster->newest->only);
    site_close(&s);
}

TEST("cluster: changes come together, or not at all, also where memory ends in the middle")
{
    Site s;
    site_open(&s, S("RoundRobin"), 3);
    Endpoint fresh[20];
    EndpointChange changes[24];
    for (unsigned i = 0; i < 20; i++) {
        fresh[i] = endpoint_at(10 + i);
        changes[i] = (EndpointChange){
            .kind = ENDPOINT_ADD, .name = fresh[i].name, .weight = 2, .endpoint = &fresh[i]};
    }
    changes[20] = (EndpointChange){.kind = ENDPOINT_REMOVE, .name = endpoint_at(0).name};
    changes[21] = (EndpointChange){.kind = ENDPOINT_REMOVE, .name = fresh[7].name};
    changes[22] = changes[7];
    changes[23] = (EndpointChange){.kind = ENDPOINT_REMOVE, .name = S("nobody")};
    uint64_t number = s.cluster->newest->number;
    EXPECT(cluster_change(s.worker, s.number, changes, 24, 0) == ERR_MISSING);
    for (long n = 1; n < 12; n++) {
        memory_fail_after(n);
        Err err = cluster_change(s.worker, s.number, changes, 24, 0);
        memory_fail_after(-1);
        EXPECT(err == ERR_MEMORY || err == ERR_MISSING);
    }
    EXPECT_U64(s.cluster->newest->number, number);
    EXPECT_U64(s.worker->clusters.sets_live, 1);
    EXPECT_U64(s.worker->clusters.endpoints.used, 3);
    (void)clusters_tidy(s.worker, 0);
    EXPECT_U64(pools(&s), 3);
    EXPECT(cluster_change(s.worker, s.number, changes, 23, 0) == ERR_OK);
    EXPECT_U64(s.cluster->newest->taker_count, 22);
    EXPECT(member_at(&s, 17) && !member_at(&s, 0));
    site_close(&s);
}

TEST("cluster: a removed endpoint and its pool stay for as long as a request has it")
{
    Site s;
    site_open(&s, S("RoundRobin"), 2);
    const Endpoint *e = member_at(&s, 0)->endpoint;
    uint32_t origin = e->origin;
    Counter *pins = s.worker->group.threads[0]->endpoint_pins;
    counter_add(&pins[e->number], 1);
    EXPECT(drop(&s, 0) == ERR_OK);
    EXPECT(clusters_tidy(s.worker, 0) != UINT32_MAX);
    EXPECT_U64(s.worker->clusters.sets_live, 1); /* the set is not pinned */
    EXPECT(roster_is_held(&s.worker->origin_names, origin));
    EXPECT(add(&s, 0, 1) == ERR_OK); /* it comes back: another endpoint, with the same pool */
    EXPECT(member_at(&s, 0)->endpoint != e && member_at(&s, 0)->endpoint->origin == origin);
    counter_add(&pins[e->number], UINT64_MAX);
    EXPECT_U64(clusters_tidy(s.worker, 0), UINT32_MAX);
    EXPECT_U64(pools(&s), 2);
    EXPECT_U64(s.worker->clusters.endpoints.used, 2);
    site_close(&s);
}

TEST("cluster: a set is freed when each thread has begun a turn, and who sleeps is woken once")
{
    Site s;
    site_open(&s, S("RoundRobin"), 2);
    Thread *t = s.worker->group.threads[0];
    s.worker->started = 1; /* a thread that does not turn */
    EXPECT(weigh(&s, 0, 2) == ERR_OK && drop(&s, 1) == ERR_OK);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(clusters_tidy(s.worker, 0) != UINT32_MAX);
        EXPECT_U64(s.worker->clusters.sets_live, 3);
        EXPECT_U64(s.worker->clusters.endpoints.used, 2);
        EXPECT_U64(t->mailbox.count, 1);
    }
    EXPECT(weigh(&s, 0, 3) == ERR_OK);
    EXPECT(clusters_tidy(s.worker, 50) != UINT32_MAX);
    EXPECT_U64(t->mailbox.count, 1); /* not for each change */
    EXPECT(clusters_tidy(s.worker, 100) != UINT32_MAX);
    EXPECT_U64(t->mailbox.count, 2);
    atomic_store(&t->sets_seen, 1); /* it has begun one between the two changes */
    EXPECT(clusters_tidy(s.worker, 0) != UINT32_MAX);
    EXPECT_U64(s.worker->clusters.sets_live, 3);
    EXPECT_U64(s.worker->clusters.endpoints.used, 2);
    atomic_store(&t->sets_seen, 3);
    (void)clusters_tidy(s.worker, 0);
    EXPECT_U64(s.worker->clusters.sets_live, 1);
    EXPECT_U64(s.worker->clusters.endpoints.used, 1);
    s.worker->started = 0;
    site_close(&s);
}

TEST("cluster: over a reload states stay, and weights unless the file changes them")
{
    Site s;
    site_open(&s, S("RoundRobin"), 4);
    EXPECT(turn(&s, 0, ENDPOINT_DRAINING) == ERR_OK && weigh(&s, 1, 7) == ERR_OK);
    EXPECT(drop(&s, 2) == ERR_OK && add(&s, 9, 3) == ERR_OK);
    const Endpoint *first = member_at(&s, 0)->endpoint;
    uint32_t last = member_at(&s, 3)->endpoint->origin;
    EXPECT(site_prepare(&s, S("Random"), 0, 3) == ERR_OK);
    clusters_abandon(s.worker); /* something else was wrong */
    EXPECT(s.cluster->newest->balancer == policy_find(S("RoundRobin")) && !member_at(&s, 2));
    EXPECT_U64(s.worker->clusters.endpoints.used, 5);
    EXPECT(site_prepare(&s, S("Random"), 0, 3) == ERR_OK);
    clusters_commit(s.worker);
    EXPECT(s.cluster->newest->balancer == policy_find(S("Random")));
    EXPECT(member_at(&s, 0)->endpoint == first && member_at(&s, 0)->state == ENDPOINT_DRAINING);
    EXPECT(member_at(&s, 1)->weight == 7 && member_at(&s, 2)->weight == 1);
    EXPECT(member_at(&s, 9)->weight == 3 && !member_at(&s, 3));
    (void)clusters_tidy(s.worker, 0);
    EXPECT(!roster_is_held(&s.worker->origin_names, last));
    site_close(&s);
}

/* --- costly tables --------------------------------------------------------------------------- */

/* Looks after clusters until a table of a set as new as this one serves. How long that took. */
static uint64_t wait_for_table(Site *s, uint64_t set)
{
    uint64_t start = clock_ms();
    while (s->cluster->newest->costly->set < set && clock_ms() < start + 20000) {
        (void)clusters_tidy(s->worker, clock_ms());
        (void)usleep(1000);
    }
    return clock_ms() - start;
}

TEST("cluster: Ketama's table follows within a second, and until then the old one serves")
{
    Site s;
    site_open(&s, S("Ketama"), MANY);
    uint64_t first = s.cluster->newest->costly->set;
    const void *table = s.cluster->newest->table;
    size_t place = (size_t)(member_at(&s, 5) - s.cluster->newest->members);
    EXPECT(drop(&s, 5) == ERR_OK && add(&s, MANY, 1) == ERR_OK);
    EXPECT(s.cluster->newest->table == table && s.cluster->newest->costly->set == first);
    EXPECT(!s.cluster->newest->members[place].endpoint); /* the old table names it otherwise */
    uint64_t number = s.cluster->newest->number;
    uint64_t waited_ms = wait_for_table(&s, number);
    EXPECT(waited_ms <= CLUSTER_STALE_MS);
    EXPECT(s.cluster->newest->table != table);
    EXPECT(add(&s, MANY + 1, 1) == ERR_OK); /* the new one does not know the place */
    EXPECT(member_at(&s, MANY + 1) == &s.cluster->newest->members[place]);
    EXPECT(turn(&s, 7, ENDPOINT_DOWN) == ERR_OK && !member_at(&s, 7)->takes);
    waited_ms = wait_for_table(&s, s.cluster->newest->number - 1);
    EXPECT(waited_ms <= CLUSTER_STALE_MS);
    site_close(&s);
}

TEST("cluster: one that goes while its table is built leaves nothing")
{
    Site s;
    site_open(&s, S("Ketama"), 1000);
    EXPECT(drop(&s, 5) == ERR_OK);
    EXPECT(clusters_tidy(s.worker, clock_ms()) != UINT32_MAX);
    EXPECT(s.worker->clusters.job.under_way);
    cluster_release(s.worker, s.number);
    uint64_t start = clock_ms();
    while (s.worker->clusters.sets_live > 0 && clock_ms() < start + 20000) {
        (void)clusters_tidy(s.worker, clock_ms());
        (void)usleep(1000);
    }
    EXPECT_U64(s.worker->clusters.sets_live, 0);
    EXPECT_U64(s.worker->clusters.endpoints.used, 0);
    worker_free(s.worker);
}

TEST("cluster: a change among 10,000 endpoints is cheap, whatever the policy")
{
    static const Str policies[] = {S_INIT("RoundRobin"), S_INIT("Random"), S_INIT("FNV"),
                                   S_INIT("Ketama")};
    for (size_t p = 0; p < 4; p++) {
        Site s;
        site_open(&s, policies[p], MANY);
        uint64_t start = test_cpu_ns();
        for (unsigned i = 0; i < 50; i++) { /* no table is built meanwhile: nobody tidies */
            EXPECT(drop(&s, i) == ERR_OK && add(&s, MANY + i, (uint16_t)(1 + i % 3)) == ERR_OK);
            EXPECT(weigh(&s, MANY + i, 4) == ERR_OK && turn(&s, 200 + i, ENDPOINT_DOWN) == ERR_OK);
        }
        uint64_t change_ns = (test_cpu_ns() - start) / 200;
        EXPECT(change_ns < 3000000); /* ten times what it takes here */
        if (s.cluster->newest->costly) {
            EXPECT(wait_for_table(&s, s.cluster->newest->number - 1) <= 2 * CLUSTER_STALE_MS);
        }
        site_close(&s);
    }
}
