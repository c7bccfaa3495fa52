/* endpoint_set.c - creates, publishes and retires endpoint sets. */
#include "base/number.h"
#include "proxy/cluster_inside.h"

#define SET_BYTES_MAX (64u << 20)

Err set_new(Worker *w, const Balancer *balancer, bool hash_source, size_t room, EndpointSet **ret)
{
    if (room > CLUSTER_PLACES_MAX) {
        return ERR_FULL;
    }
    EndpointSet *s = (EndpointSet *)memory_new(NULL, sizeof *s);
    if (!s) {
        return ERR_MEMORY;
    }
    *s = (EndpointSet){.balancer = balancer, .hash_source = hash_source};
    arena_init(&s->arena, &w->clusters.blocks, SET_BYTES_MAX);
    w->clusters.sets_live++;
    s->number = ++w->clusters.sets_made;
    Member *members = arena_array(&s->arena, Member, room + 1);
    uint32_t *takers = arena_array(&s->arena, uint32_t, room + 1);
    if (!members || !takers) {
        set_drop(w, s);
        return ERR_MEMORY;
    }
    s->members = members;
    s->takers = takers;
    *ret = s;
    return ERR_OK;
}

Err set_copy(Worker *w, const EndpointSet *from, size_t more, EndpointSet **ret)
{
    EndpointSet *s = NULL;
    TRY(set_new(w, from->balancer, from->hash_source, from->count + more, &s));
    s->count = from->count;
    size_t bytes = from->count * sizeof(Member);
    (void)span_copy(span_of(s->members, bytes), str_of(from->members, bytes));
    if (from->costly) {
        set_use_table(s, from->costly);
    }
    *ret = s;
    return ERR_OK;
}

void set_drop(Worker *w, EndpointSet *s)
{
    if (s->costly) {
        costly_table_release(s->costly);
    }
    arena_reset(&s->arena);
    memory_drop(NULL, s, sizeof *s);
    w->clusters.sets_live--;
}

void set_use_table(EndpointSet *s, CostlyTable *t)
{
    if (s->costly) {
        costly_table_release(s->costly);
    }
    t->holders++;
    s->costly = t;
    s->table = t->table;
}

static bool is_reusable(const EndpointSet *s, const Member *m)
{
    return !m->endpoint && (!s->costly || (int32_t)((uint32_t)s->costly->set - m->hash) >= 0);
}

size_t set_place(EndpointSet *s, size_t *at)
{
    while (*at < s->count && !is_reusable(s, &s->members[*at])) {
        ++*at;
    }
    s->count += *at == s->count;
    return *at;
}

static bool some_is_up(const EndpointSet *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (member_counts(&s->members[i]) && s->members[i].state == ENDPOINT_UP) {
            return true;
        }
    }
    return false;
}

/* If all are down, they are tried anyway: that verdict may be wrong, and a failed request is no
 * worse than one not tried. */
static void find_takers(EndpointSet *s)
{
    uint8_t state = some_is_up(s) ? ENDPOINT_UP : ENDPOINT_DOWN;
    s->taker_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        Member *m = &s->members[i];
        m->takes = member_counts(m) && m->state == state;
        if (m->takes) {
            s->taker_count++;
            s->takers[s->taker_count - 1] = (uint32_t)i;
        }
    }
    s->only = s->taker_count == 1 ? s->members[s->takers[0]].endpoint : NULL;
}

Err set_finish(EndpointSet *s)
{
    while (s->count > 0 && is_reusable(s, &s->members[s->count - 1])) {
        s->count--;
    }
    find_takers(s);
    if (s->balancer->costly || s->taker_count < 2) {
        return ERR_OK;
    }
    s->table = s->balancer->build(s, &s->arena);
    return s->table ? ERR_OK : ERR_MEMORY;
}

/* The order of the two stores matters: a thread that sees the number also sees the new set. */
uint64_t set_retire(Worker *w, EndpointSet *s)
{
    Clusters *all = &w->clusters;
    all->retirements++;
    s->retired = all->retirements;
    s->older = all->retired;
    all->retired = s;
    atomic_store_explicit(&w->group.sets_epoch, all->retirements, memory_order_release);
    return all->retirements;
}

uint64_t set_publish(Worker *w, Cluster *c, EndpointSet *s)
{
    EndpointSet *before = c->newest;
    c->newest = s;
    atomic_store_explicit(&c->set, s, memory_order_release);
    return before ? set_retire(w, before) : w->clusters.retirements;
}
