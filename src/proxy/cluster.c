/* cluster.c - clusters by name, and how configurations and changes update their sets. */
#include "base/number.h"
#include "proxy/cluster_inside.h"

#define SCRATCH_BYTES_MAX (16u << 20)
#define INDEX_FROM 8u /* fewer names are searched linearly */

static uint32_t hash_of(Str name)
{
    uint64_t hash = str_fnv(name, FNV_START);
    return (uint32_t)(hash ^ hash >> 32);
}

/* --- index of names ------------------------------------------------------------------------- */

/* A hash index of a set's places by endpoint name, for many look-ups; if `room` is 0, look-ups
 * search all places. */
typedef struct NameIndex {
    const EndpointSet *set;
    size_t room; /* a power of two, more than twice the entries; 0: none */
    uint32_t *slots COUNTED_BY(room); /* place + 1 */
} NameIndex;

static void index_add(NameIndex *ix, size_t place)
{
    size_t at = ix->room ? ix->set->members[place].hash & (ix->room - 1) : 0;
    while (ix->room && ix->slots[at] != 0) {
        at = (at + 1) & (ix->room - 1);
    }
    if (ix->room) {
        ix->slots[at] = (uint32_t)place + 1;
    }
}

/* For a set of at most `most` places. */
static Err index_open(Arena *scratch, const EndpointSet *set, size_t most, NameIndex *ret)
{
    *ret = (NameIndex){.set = set};
    size_t room = 16;
    while (room <= 2 * most) {
        room *= 2;
    }
    uint32_t *slots = arena_array(scratch, uint32_t, room);
    if (!slots) {
        return ERR_MEMORY;
    }
    ret->room = room;
    ret->slots = slots;
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i].endpoint) {
            index_add(ret, i);
        }
    }
    return ERR_OK;
}

static bool is_named(const Member *m, uint32_t hash, Str name)
{
    return m->endpoint && m->hash == hash && str_equal(m->endpoint->name, name);
}

/* PICK_NONE: not found. */
static size_t index_find(const NameIndex *ix, Str name)
{
    const EndpointSet *s = ix->set;
    uint32_t hash = hash_of(name);
    for (size_t i = 0; !ix->room && i < s->count; i++) {
        if (is_named(&s->members[i], hash, name)) {
            return i;
        }
    }
    size_t at = ix->room ? hash & (ix->room - 1) : 0;
    while (ix->room && ix->slots[at] != 0) {
        size_t place = ix->slots[at] - 1;
        if (place < s->count && is_named(&s->members[place], hash, name)) {
            return place;
        }
        at = (at + 1) & (ix->room - 1);
    }
    return PICK_NONE;
}

/* --- clusters by name ----------------------------------------------------------------------- */

Err cluster_hold(Worker *w, Str name, uint32_t *ret)
{
    bool fresh = false;
    TRY(roster_hold(&w->clusters.names, name, ret, &fresh));
    if (fresh) {
        Cluster *c = &w->clusters.list[*ret];
        *c = (Cluster){.number = *ret};
    }
    return ERR_OK;
}

Cluster *cluster_find(Worker *w, Str name)
{
    uint32_t number = 0;
    return roster_find(&w->clusters.names, name, &number) ? &w->clusters.list[number] : NULL;
}

void cluster_release(Worker *w, uint32_t number)
{
    Cluster *c = &w->clusters.list[number];
    if (!roster_release(&w->clusters.names, number)) {
        return;
    }
    CHECK(!c->draft);
    cluster_is_fresh(w, c);
    EndpointSet *s = c->newest;
    c->newest = NULL;
    atomic_store(&c->set, NULL);
    if (s) {
        uint64_t retirement = set_retire(w, s);
        for (size_t i = 0; i < s->count; i++) {
            if (s->members[i].endpoint) {
                node_leave(w, node_of(s->members[i].endpoint), retirement);
            }
        }
    }
    roster_forget(&w->clusters.names, number);
}

/* --- by configurations ----------------------------------------------------------------------- */

/* Whether the existing node can serve as this endpoint. */
static bool is_same(const EndpointNode *n, const Endpoint *e)
{
    const Endpoint *o = &n->endpoint;
    Str here = str_of(&o->address.as, o->address.bytes);
    return !n->added && o->weight == e->weight && o->protocol == e->protocol &&
           str_equal(here, str_of(&e->address.as, e->address.bytes)) &&
           fingerprint_equal(&o->tls_identity, &e->tls_identity) && !o->tls == !e->tls &&
           o->connect_timeout_ms == e->connect_timeout_ms &&
           o->connect_wait_ms == e->connect_wait_ms && o->read_timeout_ms == e->read_timeout_ms &&
           o->write_timeout_ms == e->write_timeout_ms &&
           o->idle_timeout_ms == e->idle_timeout_ms && o->connections_max == e->connections_max;
}

/* Adds an endpoint of the file to the draft: its existing node, if any, with the file's values. */
static Err plan_endpoint(Worker *w, EndpointSet *draft, const NameIndex *before, const Endpoint *e)
{
    size_t at = before->set ? index_find(before, e->name) : PICK_NONE;
    const Member *was = at == PICK_NONE ? NULL : &before->set->members[at];
    EndpointNode *n = was ? node_of(was->endpoint) : NULL;
    Member *m = &draft->members[draft->count];
    *m = (Member){.hash = hash_of(e->name), .weight = (uint16_t)e->weight, .state = ENDPOINT_UP};
    if (was) {
        m->state = was->state;
        m->weight = n->endpoint.weight == e->weight ? was->weight : m->weight;
    }
    if (!n || !is_same(n, e)) {
        TRY(node_new(w, e, &n));
    }
    n->draft = draft->number;
    m->endpoint = &n->endpoint;
    draft->count++;
    return ERR_OK;
}

static void draft_drop(Worker *w, EndpointSet *draft)
{
    for (size_t i = 0; i < draft->count; i++) {
        EndpointNode *n = node_of(draft->members[i].endpoint);
        if (n->fresh) {
            node_drop(w, n);
        }
    }
    set_drop(w, draft);
}

/* Fills the draft: the file's endpoints, then those that changes have added. */
static Err plan_places(Worker *w, const ClusterPlan *plan, const EndpointSet *before,
                       Arena *scratch, EndpointSet *draft)
{
    NameIndex old = {.set = NULL};
    if (before) {
        TRY(index_open(scratch, before, before->count, &old));
    }
    for (size_t i = 0; i < plan->count; i++) {
        CHECK(plan->endpoints[i].weight <= UINT16_MAX);
        TRY(plan_endpoint(w, draft, &old, &plan->endpoints[i]));
    }
    NameIndex planned = {.set = NULL};
    TRY(index_open(scratch, draft, draft->count, &planned));
    for (size_t i = 0; before && i < before->count; i++) {
        const Member *m = &before->members[i];
        EndpointNode *n = m->endpoint ? node_of(m->endpoint) : NULL;
        if (n && n->added && index_find(&planned, n->endpoint.name) == PICK_NONE) {
            n->draft = draft->number;
            draft->members[draft->count] = *m;
            draft->count++;
        }
    }
    return ERR_OK;
}

static Err plan_table(EndpointSet *draft)
{
    if (draft->balancer->costly && set_has_weight(draft)) {
        CostlyTable *t = costly_table_new(draft);
        if (!t) {
            return ERR_MEMORY;
        }
        set_use_table(draft, t);
    }
    return set_finish(draft);
}

Err cluster_prepare(Worker *w, uint32_t number, const ClusterPlan *plan)
{
    Clusters *all = &w->clusters;
    Cluster *c = &all->list[number];
    const EndpointSet *before = c->newest;
    EndpointSet *draft = NULL;
    CHECK(plan->balancer && !c->draft);
    size_t room = plan->count + (before ? before->count : 0);
    TRY(set_new(w, plan->balancer, plan->hash_source, room, &draft));
    Arena scratch;
    arena_init(&scratch, &all->blocks, SCRATCH_BYTES_MAX);
    Err err = plan_places(w, plan, before, &scratch, draft);
    arena_reset(&scratch);
    err = err == ERR_OK ? plan_table(draft) : err;
    if (err != ERR_OK) {
        draft_drop(w, draft);
        return err;
    }
    c->draft = draft;
    c->next_draft = all->drafts;
    all->drafts = c;
    return ERR_OK;
}

static void commit_one(Worker *w, Cluster *c)
{
    const EndpointSet *before = c->newest;
    const EndpointSet *draft = c->draft;
    uint64_t retirement = set_publish(w, c, c->draft);
    for (size_t i = 0; i < draft->count; i++) {
        node_of(draft->members[i].endpoint)->fresh = false;
    }
    for (size_t i = 0; before && i < before->count; i++) {
        const Endpoint *e = before->members[i].endpoint;
        if (e && node_of(e)->draft != draft->number) {
            node_leave(w, node_of(e), retirement);
        }
    }
    c->draft = NULL;
    cluster_is_fresh(w, c);
}

void clusters_commit(Worker *w)
{
    while (w->clusters.drafts) {
        Cluster *c = w->clusters.drafts;
        w->clusters.drafts = c->next_draft;
        commit_one(w, c);
    }
}

void clusters_abandon(Worker *w)
{
    while (w->clusters.drafts) {
        Cluster *c = w->clusters.drafts;
        w->clusters.drafts = c->next_draft;
        draft_drop(w, c->draft);
        c->draft = NULL;
    }
}

/* --- by changes ------------------------------------------------------------------------------ */

/* The next set, under construction. */
typedef struct Edit {
    Worker *worker;
    EndpointSet *set;
    NameIndex index;
    size_t free_at;        /* all places before are taken */
    EndpointNode *added;   /* linked through next_fresh */
    EndpointNode *removed; /* linked through next */
    bool reshaped;         /* places or weights differ: a new costly table is needed */
} Edit;

static Err edit_add(Edit *e, const EndpointChange *change)
{
    EndpointNode *n = NULL;
    if (index_find(&e->index, change->name) != PICK_NONE) {
        return ERR_EXISTS;
    }
    Endpoint endpoint = *change->endpoint;
    endpoint.name = change->name;
    endpoint.weight = change->weight;
    TRY(node_new(e->worker, &endpoint, &n));
    n->added = true;
    n->next_fresh = e->added;
    e->added = n;
    size_t place = set_place(e->set, &e->free_at);
    e->set->members[place] = (Member){.endpoint = &n->endpoint,
                                      .hash = hash_of(change->name),
                                      .weight = change->weight,
                                      .state = ENDPOINT_UP};
    index_add(&e->index, place);
    e->reshaped = true;
    return ERR_OK;
}

static void edit_remove(Edit *e, size_t place)
{
    Member *m = &e->set->members[place];
    EndpointNode *n = node_of(m->endpoint);
    n->next = e->removed;
    e->removed = n;
    *m = (Member){.hash = (uint32_t)e->set->number};
    e->free_at = e->free_at < place ? e->free_at : place;
    e->reshaped = true;
}

static Err edit_one(Edit *e, const EndpointChange *change)
{
    if (change->kind == ENDPOINT_ADD) {
        return edit_add(e, change);
    }
    size_t place = index_find(&e->index, change->name);
    if (place == PICK_NONE) {
        return ERR_MISSING;
    }
    Member *m = &e->set->members[place];
    switch (change->kind) {
    case ENDPOINT_ADD:
        break;
    case ENDPOINT_REMOVE:
        edit_remove(e, place);
        break;
    case ENDPOINT_REWEIGHT:
        e->reshaped |= m->weight != change->weight;
        m->weight = change->weight;
        break;
    case ENDPOINT_TURN:
        m->state = (uint8_t)change->state;
        break;
    }
    return ERR_OK;
}

static void edit_undo(Edit *e)
{
    while (e->added) {
        EndpointNode *n = e->added;
        e->added = n->next_fresh;
        node_drop(e->worker, n);
    }
    set_drop(e->worker, e->set);
}

static void edit_publish(Edit *e, Cluster *c)
{
    uint64_t retirement = set_publish(e->worker, c, e->set);
    for (EndpointNode *n = e->added; n; n = n->next_fresh) {
        n->fresh = false;
    }
    while (e->removed) {
        EndpointNode *n = e->removed;
        e->removed = n->next;
        node_leave(e->worker, n, retirement);
    }
}

static Err edit_all(Edit *e, Arena *scratch, const EndpointChange *changes, size_t count)
{
    e->index = (NameIndex){.set = e->set};
    if (count > INDEX_FROM) {
        TRY(index_open(scratch, e->set, e->set->count + count, &e->index));
    }
    for (size_t i = 0; i < count; i++) {
        TRY(edit_one(e, &changes[i]));
    }
    return set_finish(e->set);
}

Err cluster_change(Worker *w, uint32_t number, const EndpointChange *changes, size_t count,
                   uint64_t now_ms)
{
    Cluster *c = &w->clusters.list[number];
    size_t more = 0;
    for (size_t i = 0; i < count; i++) {
        more += changes[i].kind == ENDPOINT_ADD;
    }
    if (!c->newest) {
        return ERR_MISSING;
    }
    Edit e = {.worker = w};
    TRY(set_copy(w, c->newest, more, &e.set));
    Arena scratch;
    arena_init(&scratch, &w->clusters.blocks, SCRATCH_BYTES_MAX);
    Err err = edit_all(&e, &scratch, changes, count);
    arena_reset(&scratch);
    if (err != ERR_OK) {
        edit_undo(&e);
        return err;
    }
    bool costly = e.set->balancer->costly;
    edit_publish(&e, c);
    if (costly && e.reshaped) {
        cluster_is_stale(w, c, now_ms);
    }
    return ERR_OK;
}
