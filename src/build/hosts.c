/* hosts.c - several services at one address: what receives their requests, and which service has
 * which host name. The table of names is kept across snapshots while it does not change. */
#include "build/build.h"

#include "base/number.h"

#define TABLE_BYTES_MAX (256u << 20)

/* ---- the table ---- */

static void table_let_go(NameTable *t)
{
    if (t && --t->holders == 0) {
        arena_reset(&t->arena);
        memory_drop(NULL, t, sizeof *t);
    }
}

void drop_name_tables(Generation *g)
{
    for (size_t i = 0; i < g->table_count; i++) {
        table_let_go(g->tables[i]);
    }
}

static Err fill_table(const Build *b, const ListenerSettings *from, NameTable *t)
{
    size_t most = 0;
    for (size_t i = 0; i < from->service_count; i++) {
        most += b->settings->services[from->services[i]]->host_count;
    }
    TRY(host_names_open(&t->arena, most, &t->names));
    for (uint32_t i = 0; i < from->service_count; i++) {
        const ServiceSettings *service = b->settings->services[from->services[i]];
        for (size_t k = 0; k < service->host_count; k++) {
            Str name = service->hosts[k].name;
            TRY(build_keep(&t->arena, &name));
            host_names_add(&t->names, name, service->hosts[k].below, i);
        }
    }
    return ERR_OK;
}

static Err make_table(Build *b, const ListenerSettings *from, NameTable **ret)
{
    NameTable *t = (NameTable *)memory_new(NULL, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    arena_init(&t->arena, &b->builder->blocks, TABLE_BYTES_MAX);
    t->holders = 1;
    Err err = fill_table(b, from, t);
    if (err != ERR_OK) {
        table_let_go(t);
        return err;
    }
    *ret = t;
    return ERR_OK;
}

/* Whether the services at an address have, one by one, the same hosts as the previous ones. */
static bool is_table_same(const Build *b, const ListenerSettings *from, const Hosts *before)
{
    bool same = from->service_count == before->service_count;
    for (size_t i = 0; same && i < from->service_count; i++) {
        const Part *was = part_of(before->services[i]);
        const Part *is = b->generation->parts[from->services[i]];
        same = was == is || fingerprint_equal(&was->hosts, &is->hosts);
    }
    return same;
}

static Err take_table(Build *b, const ListenerSettings *from, uint32_t place, const Listener *was)
{
    const Generation *before = b->builder->newest;
    NameTable *t = was ? before->tables[place] : NULL;
    if (t && is_table_same(b, from, was->service->hosts)) {
        t->holders++;
    } else {
        TRY(make_table(b, from, &t));
    }
    b->generation->tables[place] = t;
    return ERR_OK;
}

/* ---- the default service ---- */

static void take_least(uint64_t *into, uint64_t n)
{
    *into = u64_min(*into, n);
}

/* Takes the stricter limits, which hold until the service of a request is known. */
static void limits_join(ServiceLimits *into, const ServiceLimits *more)
{
    HeadLimits *head = &into->head;
    head->head_bytes_max = size_min(head->head_bytes_max, more->head.head_bytes_max);
    head->fields_max = size_min(head->fields_max, more->head.fields_max);
    head->target_bytes_max = size_min(head->target_bytes_max, more->head.target_bytes_max);
    into->streams_max = (uint32_t)u64_min(into->streams_max, more->streams_max);
    take_least(&into->head_timeout_ms, more->head_timeout_ms);
    take_least(&into->keep_alive_ms, more->keep_alive_ms);
    take_least(&into->body_timeout_ms, more->body_timeout_ms);
    take_least(&into->send_timeout_ms, more->send_timeout_ms);
    take_least(&into->linger_ms, more->linger_ms);
}

static Err make_hosts(const Build *b, const ListenerSettings *from, const HostNames *names,
                      Hosts **ret)
{
    Arena *a = &b->generation->arena;
    size_t count = from->service_count;
    Hosts *hosts = arena_new(a, Hosts);
    const Service **list = (const Service **)arena_alloc_array(a, count, sizeof *list);
    if (!hosts || !list) {
        return ERR_MEMORY;
    }
    *hosts = (Hosts){.service_count = count, .services = list, .names = names};
    for (size_t i = 0; i < count; i++) {
        const Part *p = b->generation->parts[from->services[i]];
        list[i] = &p->service;
        hosts->otherwise = p->has_hosts ? hosts->otherwise : &p->service;
    }
    *ret = hosts;
    return ERR_OK;
}

Err build_default_service(Build *b, const ListenerSettings *from, uint32_t place,
                          const Listener *was, const Service **ret)
{
    TRY(take_table(b, from, place, was));
    Hosts *hosts = NULL;
    Service *joint = arena_new(&b->generation->arena, Service);
    TRY(make_hosts(b, from, &b->generation->tables[place]->names, &hosts));
    if (!joint) {
        return ERR_MEMORY;
    }
    *joint = hosts->otherwise ? *hosts->otherwise : *hosts->services[0];
    joint->hosts = hosts;
    joint->part = b->generation->part;
    for (size_t i = 0; i < from->service_count; i++) {
        limits_join(&joint->limits, &hosts->services[i]->limits);
    }
    *ret = joint;
    return ERR_OK;
}
