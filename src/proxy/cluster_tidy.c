/* cluster_tidy.c - builds costly tables over time, and frees unused sets and endpoints. */
#include "base/number.h"
#include "proxy/cluster_inside.h"

#define JOB_TICK_MS 5u
#define TIDY_TICK_MS 100u

/* --- life ------------------------------------------------------------------------------------ */

#define SET_BLOCK_BYTES 480u /* most clusters are small; a larger array gets its own block */
#define SET_BLOCKS_FREE 64u

Err clusters_open(Worker *w)
{
    Clusters *all = &w->clusters;
    blocks_init(&all->blocks, NULL, SET_BLOCK_BYTES, SET_BLOCKS_FREE);
    all->list = (Cluster *)memory_reserve(sizeof(Cluster) * WORKER_CLUSTERS_MAX);
    if (!all->list) {
        return ERR_MEMORY;
    }
    TRY(roster_open(&all->names, WORKER_CLUSTERS_MAX));
    TRY(pool_init(&all->endpoints, sizeof(EndpointNode), WORKER_ENDPOINTS_MAX));
    return table_builder_open(&all->builder);
}

void clusters_close(Worker *w)
{
    Clusters *all = &w->clusters;
    table_builder_close(all->builder);
    CHECK(!all->drafts);
    for (uint32_t i = 0; i < all->names.touched; i++) {
        if (all->list[i].newest) {
            set_drop(w, all->list[i].newest);
        }
    }
    while (all->retired) {
        EndpointSet *s = all->retired;
        all->retired = s->older;
        set_drop(w, s);
    }
    pool_drop(&all->endpoints); /* the registry frees the origins */
    roster_close(&all->names);
    memory_release(all->list, sizeof(Cluster) * WORKER_CLUSTERS_MAX);
    blocks_drop(&all->blocks);
}

/* --- costly tables --------------------------------------------------------------------------- */

void cluster_is_stale(Worker *w, Cluster *c, uint64_t now_ms)
{
    Clusters *all = &w->clusters;
    if (c->stale) {
        return;
    }
    c->stale = true;
    c->stale_since_ms = now_ms;
    c->next_stale = NULL;
    if (all->stale_last) {
        all->stale_last->next_stale = c;
    } else {
        all->stale = c;
    }
    all->stale_last = c;
}

static void stale_remove(Clusters *all, Cluster *c)
{
    Cluster *before = NULL;
    for (Cluster *at = all->stale; at != c; at = at->next_stale) {
        before = at;
    }
    if (before) {
        before->next_stale = c->next_stale;
    } else {
        all->stale = c->next_stale;
    }
    all->stale_last = all->stale_last == c ? before : all->stale_last;
    c->next_stale = NULL;
    c->stale = false;
}

void cluster_is_fresh(Worker *w, Cluster *c)
{
    if (c->stale) {
        stale_remove(&w->clusters, c);
    }
    if (w->clusters.job.cluster == c) {
        w->clusters.job.cluster = NULL;
    }
}

/* Publishes a copy of the newest set with the table that was built. */
static Err publish_table(Worker *w, Cluster *c, CostlyTable *t)
{
    EndpointSet *s = NULL;
    TRY(set_copy(w, c->newest, 0, &s));
    set_use_table(s, t);
    Err err = set_finish(s);
    if (err != ERR_OK) {
        set_drop(w, s);
        return err;
    }
    (void)set_publish(w, c, s);
    return ERR_OK;
}

/* Takes a finished table. If memory was short, queues another build. */
static void job_end(Worker *w, uint64_t now_ms)
{
    TableJob *job = &w->clusters.job;
    CostlyTable *made = NULL;
    if (!job->under_way || !table_builder_take(w->clusters.builder, &made)) {
        return;
    }
    Cluster *c = job->cluster;
    job->set->in_job = false;
    *job = (TableJob){.under_way = false};
    if (c && (!made || publish_table(w, c, made) != ERR_OK)) {
        cluster_is_stale(w, c, now_ms);
    }
    if (made && made->holders == 0) {
        costly_table_drop(made);
    }
}

/* Starts the first waiting build whose cluster's last table is old enough: under frequent changes
 * tables are built one after the other, and must not occupy a whole processor. */
static void job_begin(Worker *w, uint64_t now_ms)
{
    Clusters *all = &w->clusters;
    Cluster *c = all->stale;
    while (c && c->table_begun_ms && now_ms < c->table_begun_ms + CLUSTER_APART_MS) {
        c = c->next_stale;
    }
    if (!c || all->job.under_way) {
        return;
    }
    stale_remove(all, c);
    if (!set_has_weight(c->newest)) {
        return; /* nothing to build; adding the first endpoint queues it again */
    }
    c->table_begun_ms = now_ms;
    c->newest->in_job = true;
    all->job = (TableJob){
        .under_way = true, .cluster = c, .set = c->newest, .retirements = all->retirements};
    table_builder_order(all->builder, c->newest);
}

/* --- freeing --------------------------------------------------------------------------------- */

/* The last retirement that a thread has seen. A thread that has ended uses no set. */
static uint64_t seen_by(const Worker *w, const Thread *t)
{
    uint64_t seen = atomic_load_explicit(&t->sets_seen, memory_order_acquire);
    return atomic_load(&t->ended) ? w->clusters.retirements : seen;
}

/* The last one that all threads have seen. Threads that do not run use no set. */
static uint64_t seen_by_all(const Worker *w)
{
    uint64_t seen = w->clusters.retirements;
    for (unsigned i = 0; i < w->started; i++) {
        seen = u64_min(seen, seen_by(w, w->group.threads[i]));
    }
    return seen;
}

/* Wakes sleeping threads for a retirement, once for many changes; busy threads notice it anyway. */
static void wake_sleepers(Worker *w, uint64_t seen, uint64_t now_ms)
{
    Clusters *all = &w->clusters;
    bool lately = all->woken > 0 && now_ms < all->woken_ms + TIDY_TICK_MS;
    if (lately || all->woken >= all->retirements || seen >= all->retirements) {
        return;
    }
    all->woken = all->retirements;
    all->woken_ms = now_ms;
    for (unsigned i = 0; i < w->started; i++) {
        Thread *t = w->group.threads[i];
        if (seen_by(w, t) < all->retirements) {
            /* A full mailbox wakes its thread, too. */
            (void)!mailbox_post(&t->mailbox, &(Message){.kind = MESSAGE_SETS});
        }
    }
}

static void free_sets(Worker *w, uint64_t seen)
{
    for (EndpointSet **link = &w->clusters.retired; *link;) {
        EndpointSet *s = *link;
        if (s->retired <= seen && !s->in_job) {
            *link = s->older;
            set_drop(w, s);
        } else {
            link = &s->older;
        }
    }
}

static bool node_is_used(const Worker *w, const EndpointNode *n, uint64_t seen)
{
    const TableJob *job = &w->clusters.job;
    return n->left > seen || (job->under_way && n->left > job->retirements) ||
           worker_endpoint_pins(w, n->endpoint.number) > 0;
}

static void free_nodes(Worker *w, uint64_t seen)
{
    for (EndpointNode **link = &w->clusters.leaving; *link;) {
        EndpointNode *n = *link;
        if (node_is_used(w, n, seen)) {
            link = &n->next;
        } else {
            *link = n->next;
            node_drop(w, n);
        }
    }
}

/* When the first of the waiting builds may start. */
static uint64_t stale_wait_ms(const Clusters *all, uint64_t now_ms)
{
    uint64_t wait = all->stale ? CLUSTER_APART_MS : UINT32_MAX;
    for (const Cluster *c = all->stale; c; c = c->next_stale) {
        uint64_t due_ms = c->table_begun_ms ? c->table_begun_ms + CLUSTER_APART_MS : now_ms;
        wait = u64_min(wait, due_ms > now_ms ? due_ms - now_ms : 1);
    }
    return wait;
}

uint32_t clusters_tidy(Worker *w, uint64_t now_ms)
{
    Clusters *all = &w->clusters;
    job_end(w, now_ms);
    job_begin(w, now_ms);
    uint64_t seen = seen_by_all(w);
    if (all->retired || all->leaving) {
        wake_sleepers(w, seen, now_ms);
        free_sets(w, seen);
        free_nodes(w, seen);
    }
    bool origins = w->origins_end && worker_tidy_origins(w);
    if (all->job.under_way) {
        return JOB_TICK_MS;
    }
    bool more = all->retired || all->leaving || origins;
    uint64_t tidy_ms = more ? TIDY_TICK_MS : UINT32_MAX;
    return (uint32_t)u64_min(tidy_ms, stale_wait_ms(all, now_ms));
}
