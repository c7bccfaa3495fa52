/* registry.c - the parts of a worker that outlive its snapshots: counters of services, pools of
 * origins, and limiters, each numbered; a name keeps its number while any snapshot holds it. */
#include "proxy/worker.h"

#include "proxy/exchange.h"

Err registry_open(Worker *w)
{
    w->services = (ServiceState *)memory_reserve(sizeof(ServiceState) * WORKER_SERVICES_MAX);
    w->group.origins = (Origin *)memory_reserve(sizeof(Origin) * POOL_ORIGINS_MAX);
    w->limiters = (Limiter **)memory_reserve(sizeof(Limiter *) * WORKER_LIMITERS_MAX);
    if (!w->services || !w->group.origins || !w->limiters) {
        return ERR_MEMORY;
    }
    TRY(roster_open(&w->service_names, WORKER_SERVICES_MAX));
    TRY(roster_open(&w->origin_names, POOL_ORIGINS_MAX));
    TRY(roster_open(&w->limiter_names, WORKER_LIMITERS_MAX));
    return roster_open(&w->part_names, WORKER_PARTS_MAX);
}

void registry_close(Worker *w)
{
    for (uint32_t i = 0; i < w->origin_names.touched; i++) {
        if (roster_name(&w->origin_names, i).len > 0) {
            origin_drop(&w->group.origins[i]);
        }
    }
    for (uint32_t i = 0; i < w->limiter_names.touched; i++) {
        limiter_close(w->limiters[i]);
    }
    roster_close(&w->part_names);
    roster_close(&w->limiter_names);
    roster_close(&w->origin_names);
    roster_close(&w->service_names);
    memory_release(w->limiters, sizeof(Limiter *) * WORKER_LIMITERS_MAX);
    memory_release(w->group.origins, sizeof(Origin) * POOL_ORIGINS_MAX);
    memory_release(w->services, sizeof(ServiceState) * WORKER_SERVICES_MAX);
}

/* --- services -------------------------------------------------------------------------------- */

Err worker_hold_service(Worker *w, Str name, uint32_t *ret)
{
    bool fresh = false;
    return roster_hold(&w->service_names, name, ret, &fresh);
}

/* The counters restart with the next name that gets the number. */
void worker_release_service(Worker *w, uint32_t number)
{
    if (!roster_release(&w->service_names, number)) {
        return;
    }
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        ServiceCounters *c = &w->group.threads[i]->services[number];
        w->requests_gone += counter_read(&c->requests);
        *c = (ServiceCounters){0};
    }
    atomic_store(&w->services[number].active, 0);
    roster_forget(&w->service_names, number);
}

/* --- origins --------------------------------------------------------------------------------- */

/* No longer named: threads close their parked connections, and park no more. */
static void begin_end(Worker *w, Origin *o)
{
    atomic_store(&o->ends, true);
    o->ends_told += o->thread_count;
    worker_tell(w, &(Message){.kind = MESSAGE_ORIGIN_ENDS, .words = {o->index}});
}

/* Whether nothing of it is left on any thread. */
static bool is_over(const Origin *o)
{
    return atomic_load(&o->ends) && atomic_load(&o->ends_done) == o->ends_told &&
           atomic_load(&o->open) == 0;
}

Err worker_hold_origin(Worker *w, Str key, const Endpoint *e, uint32_t *ret)
{
    bool fresh = false;
    CHECK(str_starts(key, e->name));
    TRY(roster_hold(&w->origin_names, key, ret, &fresh));
    Origin *o = &w->group.origins[*ret];
    if (!fresh) {
        atomic_store(&o->ends, false);
        return ERR_OK;
    }
    Endpoint own = *e;
    own.name = str_take(roster_name(&w->origin_names, *ret), e->name.len);
    Err err = origin_init(o, &own, *ret, w->group.thread_count);
    if (err != ERR_OK) {
        (void)roster_release(&w->origin_names, *ret);
        roster_forget(&w->origin_names, *ret);
    }
    return err;
}

void worker_release_origin(Worker *w, uint32_t number)
{
    if (roster_release(&w->origin_names, number)) {
        w->origins_end = true;
        begin_end(w, &w->group.origins[number]);
    }
}

static void origin_forget(Worker *w, uint32_t number)
{
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        w->group.threads[i]->origins[number] = (OriginCounters){0};
    }
    origin_drop(&w->group.origins[number]);
    roster_forget(&w->origin_names, number);
}

bool worker_tidy_origins(Worker *w)
{
    bool more = false;
    for (uint32_t i = 0; i < w->origin_names.touched; i++) {
        bool ends = roster_name(&w->origin_names, i).len > 0 &&
                    !roster_is_held(&w->origin_names, i);
        if (ends && is_over(&w->group.origins[i])) {
            origin_forget(w, i);
        } else if (ends) {
            more = true;
        }
    }
    w->origins_end = more;
    return more;
}

/* --- limiters -------------------------------------------------------------------------------- */

Err worker_hold_limiter(Worker *w, Str key, const LimiterRule *rule, uint32_t *ret)
{
    bool fresh = false;
    TRY(roster_hold(&w->limiter_names, key, ret, &fresh));
    Err err = fresh ? limiter_open(rule, 0, &w->group.budget, &w->limiters[*ret]) : ERR_OK;
    if (err != ERR_OK) {
        (void)roster_release(&w->limiter_names, *ret);
        roster_forget(&w->limiter_names, *ret);
    }
    return err;
}

void worker_release_limiter(Worker *w, uint32_t number)
{
    if (roster_release(&w->limiter_names, number)) {
        limiter_close(w->limiters[number]);
        w->limiters[number] = NULL;
        roster_forget(&w->limiter_names, number);
    }
}

/* --- parts ----------------------------------------------------------------------------------- */

Err worker_take_part(Worker *w, uint32_t *ret)
{
    bool fresh = false;
    uint64_t number = ++w->parts_made;
    return roster_hold(&w->part_names, str_of(&number, sizeof number), ret, &fresh);
}

void worker_give_part(Worker *w, uint32_t part)
{
    CHECK(worker_pins(w, part) == 0 && roster_release(&w->part_names, part));
    roster_forget(&w->part_names, part);
}

uint64_t worker_pins(const Worker *w, uint32_t part)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        sum += atomic_load_explicit(&w->group.threads[i]->pins[part], memory_order_acquire);
    }
    return sum;
}

uint64_t worker_endpoint_pins(const Worker *w, uint32_t number)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        const Counter *pins = w->group.threads[i]->endpoint_pins;
        sum += atomic_load_explicit(&pins[number], memory_order_acquire);
    }
    return sum;
}
