/* worker_status.c - collects a worker's counters. */
#include "proxy/worker.h"

#include "proxy/exchange.h"

typedef struct ServiceMarks {
    const uint32_t *places; /* list position of each origin */
    uint32_t *marks;        /* per origin: the last service that listed it */
    uint32_t mark;
} ServiceMarks;

static const EndpointSet *set_of(const Route *route)
{
    return route->cluster ? route->cluster->newest : NULL;
}

/* Adds the origins of a route that the service of this mark has not listed yet. */
static void add_origins(const Route *route, const ServiceMarks *m, uint32_t *list, size_t *count)
{
    const EndpointSet *set = set_of(route);
    for (size_t i = 0; set && i < set->count; i++) {
        const Endpoint *e = set->members[i].endpoint;
        if (e && m->marks[e->origin] != m->mark) {
            m->marks[e->origin] = m->mark;
            list[(*count)++] = m->places[e->origin];
        }
    }
}

static bool is_special(const Member *m)
{
    return m->endpoint && (m->state != ENDPOINT_UP || m->weight != 1);
}

static void add_endpoints(const Route *route, EndpointStatus *list, size_t *count)
{
    const EndpointSet *set = set_of(route);
    for (size_t i = 0; set && i < set->count; i++) {
        const Member *m = &set->members[i];
        if (is_special(m)) {
            list[(*count)++] = (EndpointStatus){.name = m->endpoint->name,
                                                .route = route->path,
                                                .state = (EndpointState)m->state,
                                                .weight = m->weight};
        }
    }
}

/* Counts places, and those in an unusual state (EndpointStatus). */
static void count_places(const Route *route, size_t *places, size_t *special)
{
    const EndpointSet *set = set_of(route);
    for (size_t i = 0; set && i < set->count; i++) {
        *special += is_special(&set->members[i]);
    }
    *places += set ? set->count : 0;
}

/* The origins of a service's routes, each once, and its listed endpoints. */
static Err service_origins(Arena *arena, const Service *s, const ServiceMarks *m,
                           ServiceStatus *ret)
{
    size_t places = 0;
    size_t special = 0;
    size_t routes = s->router ? s->router->rule_count : 0;
    count_places(&s->route, &places, &special);
    for (size_t i = 0; i < routes; i++) {
        count_places(&s->router->rules[i].route, &places, &special);
    }
    uint32_t *list = arena_array(arena, uint32_t, places + 1);
    EndpointStatus *endpoints = arena_array(arena, EndpointStatus, special + 1);
    if (!list || !endpoints) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    size_t listed = 0;
    add_origins(&s->route, m, list, &count);
    add_endpoints(&s->route, endpoints, &listed);
    for (size_t i = 0; i < routes; i++) {
        add_origins(&s->router->rules[i].route, m, list, &count);
        add_endpoints(&s->router->rules[i].route, endpoints, &listed);
    }
    ret->origin_count = count;
    ret->origins = list;
    ret->endpoint_count = listed;
    ret->endpoints = endpoints;
    return ERR_OK;
}

static Err service_status(Worker *w, Arena *arena, const Service *s, const ServiceMarks *m,
                          ServiceStatus *ret)
{
    *ret = (ServiceStatus){.name = s->name};
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        counters_sum(&service_counters, &w->group.threads[i]->services[s->index], &ret->sums);
    }
    return service_origins(arena, s, m, ret);
}

static void origin_status(Worker *w, Origin *o, OriginStatus *ret)
{
    *ret = (OriginStatus){.name = o->endpoint->name};
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        counters_sum(&origin_counters, &w->group.threads[i]->origins[o->index], &ret->sums);
        ret->idle += atomic_load_explicit(&o->lists[i].count, memory_order_relaxed);
    }
    uint32_t open = atomic_load(&o->open);
    ret->connecting = atomic_load(&o->dialing);
    ret->waiting = atomic_load(&o->waiting);
    uint32_t away = ret->idle + ret->connecting;
    ret->active = open > away ? open - away : 0;
}

static Err faults_status(Worker *w, Arena *arena, WorkerStatus *s)
{
    s->faults = arena_array(arena, FaultStatus, FAULT_COUNT);
    if (!s->faults) {
        return ERR_MEMORY;
    }
    for (unsigned f = 1; f < FAULT_COUNT; f++) {
        uint64_t count = 0;
        for (unsigned i = 0; i < w->group.thread_count; i++) {
            count += counter_read(&w->group.threads[i]->faults[f]);
        }
        if (count) {
            s->fault_count++;
            s->faults[s->fault_count - 1] =
                (FaultStatus){.code = fault_row((Fault)f)->code, .count = count};
        }
    }
    return ERR_OK;
}

static void add_totals(Worker *w, WorkerStatus *s)
{
    s->threads = w->group.thread_count;
    s->connections = atomic_load(&w->client_count);
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        s->accepted += counter_read(&w->group.threads[i]->accepted);
        s->refused += counter_read(&w->group.threads[i]->refused);
        s->active += counter_read(&w->group.threads[i]->exchange_count);
    }
    s->memory_used_bytes = atomic_load(&w->group.budget.used_bytes);
    s->memory_peak_bytes = atomic_load(&w->group.budget.peak_bytes);
    s->memory_max_bytes = w->group.budget.max_bytes;
    if (w->plan.log) {
        s->access_dropped = log_dropped(w->plan.log, LOG_TO_ACCESS);
        s->error_dropped = log_dropped(w->plan.log, LOG_TO_ERROR);
    }
}

/* The existing origins, in an order of their own; `places` maps numbers to positions. */
static size_t origins_status(Worker *w, uint32_t *places, OriginStatus *list)
{
    size_t count = 0;
    for (uint32_t i = 0; i < w->origin_names.touched; i++) {
        places[i] = (uint32_t)count;
        if (roster_is_held(&w->origin_names, i)) {
            origin_status(w, &w->group.origins[i], &list[count++]);
        }
    }
    return count;
}

Err worker_status(Worker *w, Arena *arena, const WorkerStatus **ret)
{
    const Snapshot *snapshot = atomic_load(&w->snapshot);
    size_t numbers = w->origin_names.touched;
    WorkerStatus *s = arena_new(arena, WorkerStatus);
    ServiceStatus *services = arena_array(arena, ServiceStatus, snapshot->service_count + 1);
    OriginStatus *origins = arena_array(arena, OriginStatus, numbers + 1);
    uint32_t *places = arena_array(arena, uint32_t, numbers + 1);
    uint32_t *marks = arena_array(arena, uint32_t, numbers + 1);
    if (!s || !services || !origins || !places || !marks) {
        return ERR_MEMORY;
    }
    add_totals(w, s);
    s->snapshot = snapshot->number;
    s->requests = w->requests_gone;
    s->origin_count = origins_status(w, places, origins);
    for (size_t i = 0; i < snapshot->service_count; i++) {
        ServiceMarks m = {.places = places, .marks = marks, .mark = (uint32_t)i + 1};
        TRY(service_status(w, arena, snapshot->services[i], &m, &services[i]));
        s->requests += services[i].sums.requests;
    }
    s->service_count = snapshot->service_count;
    s->services = services;
    s->origins = origins;
    TRY(faults_status(w, arena, s));
    *ret = s;
    return ERR_OK;
}
