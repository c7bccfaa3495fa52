/* worker.c - starting and stopping the threads, and the picture of their counters. */
#include "proxy/worker.h"

#include <sched.h>
#include <unistd.h>

#include "base/number.h"
#include "loop/crash.h"
#include "proxy/exchange.h"

static Err limiters_open(Worker *w)
{
    const Snapshot *s = w->plan.snapshot;
    w->limiters = (Limiter **)memory_reserve(sizeof(Limiter *) * (s->limiter_count + 1));
    if (!w->limiters) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < s->limiter_count; i++) {
        TRY(limiter_open(s->limiters[i], 0, &w->budget, &w->limiters[i]));
        w->limiter_count = i + 1;
    }
    return ERR_OK;
}

static void limiters_close(Worker *w)
{
    for (size_t i = 0; i < w->limiter_count; i++) {
        limiter_close(w->limiters[i]);
    }
    memory_release(w->limiters, sizeof(Limiter *) * (w->plan.snapshot->limiter_count + 1));
}

Err worker_build(const WorkerPlan *plan, Worker **ret)
{
    CHECK(plan->threads >= 1 && plan->threads <= WORKER_THREADS_MAX);
    Worker *w = (Worker *)memory_reserve(sizeof *w);
    if (!w) {
        return ERR_MEMORY;
    }
    w->plan = *plan;
    w->budget.max_bytes = plan->memory_bytes_max;
    w->thread_count = plan->threads;
    gate_init(&w->gate);
    Err err = ERR_OK;
    size_t origins = plan->snapshot->origin_count;
    w->origins = (Origin *)memory_reserve(sizeof(Origin) * (origins + 1));
    err = w->origins ? ERR_OK : ERR_MEMORY;
    for (uint32_t i = 0; i < origins && err == ERR_OK; i++) {
        err = origin_init(&w->origins[i], plan->snapshot->origins[i], i, plan->threads);
        w->origin_count = i + 1;
    }
    if (plan->files_max && err == ERR_OK) {
        err = disk_start(&w->budget, &w->disk);
    }
    err = err == ERR_OK ? limiters_open(w) : err;
    for (unsigned i = 0; i < plan->threads && err == ERR_OK; i++) {
        w->threads[i] = (Thread *)memory_reserve(sizeof(Thread));
        err = w->threads[i] ? thread_init(w->threads[i], w, i) : ERR_MEMORY;
    }
    if (err != ERR_OK) {
        worker_free(w);
        return err;
    }
    *ret = w;
    return ERR_OK;
}

void worker_free(Worker *w)
{
    disk_stop(w->disk);
    for (unsigned i = 0; i < w->thread_count; i++) {
        if (w->threads[i]) {
            thread_drop(w->threads[i]);
            memory_release(w->threads[i], sizeof(Thread));
        }
    }
    for (size_t i = 0; i < w->origin_count; i++) {
        origin_drop(&w->origins[i]);
    }
    limiters_close(w);
    gate_drop(&w->gate);
    memory_release(w->origins, sizeof(Origin) * (w->plan.snapshot->origin_count + 1));
    memory_release(w, sizeof *w);
}

/* Pins to the index-th processor that this process may use. */
static void pin_thread(unsigned index)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    unsigned nth = index % (unsigned)CPU_COUNT(&allowed);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

static void *thread_main(void *argument)
{
    Thread *t = (Thread *)argument;
    if (t->worker->plan.pin) {
        pin_thread(t->index);
    }
    crash_enter_thread(t->index);
    gate_arrive(&t->worker->gate);
    if (gate_pass(&t->worker->gate)) {
        thread_run(t);
    }
    atomic_fetch_sub(&t->worker->threads_running, 1);
    return NULL;
}

static Err start_threads(Worker *w)
{
    for (unsigned i = 0; i < w->thread_count; i++) {
        atomic_fetch_add(&w->threads_running, 1);
        if (pthread_create(&w->handles[i], NULL, thread_main, w->threads[i]) != 0) {
            atomic_fetch_sub(&w->threads_running, 1);
            return ERR_SYSTEM;
        }
        w->started = i + 1;
    }
    gate_wait(&w->gate, w->started);
    return w->plan.before_serving ? w->plan.before_serving(w->plan.context) : ERR_OK;
}

Err worker_start(const WorkerPlan *plan, Worker **ret)
{
    Worker *w = NULL;
    TRY(worker_build(plan, &w));
    Err err = start_threads(w);
    gate_open(&w->gate, err == ERR_OK);
    if (err != ERR_OK) {
        worker_join(w);
        return err;
    }
    *ret = w;
    return ERR_OK;
}

static void tell_all(Worker *w, uint32_t kind)
{
    for (unsigned i = 0; i < w->started; i++) {
        while (mailbox_post(&w->threads[i]->mailbox, &(Message){.kind = kind}) == ERR_FULL) {
            (void)usleep(1000); /* only the main thread waits here, never a data thread */
        }
    }
}

void worker_drain(Worker *w)
{
    tell_all(w, MESSAGE_DRAIN);
}

void worker_stop(Worker *w)
{
    tell_all(w, MESSAGE_STOP);
}

bool worker_is_done(const Worker *w)
{
    return atomic_load(&w->threads_running) == 0;
}

void worker_join(Worker *w)
{
    for (unsigned i = 0; i < w->started; i++) {
        (void)pthread_join(w->handles[i], NULL);
    }
    worker_free(w);
}

/* --- status ---------------------------------------------------------------------------------- */

/* Adds the origins of a route that the service of this mark does not have yet. */
static void add_origins(const Route *route, uint32_t *marks, uint32_t mark, uint32_t *list,
                        size_t *count)
{
    for (size_t i = 0; route->cluster && i < route->cluster->endpoint_count; i++) {
        uint32_t origin = route->cluster->endpoints[i].origin;
        if (marks[origin] != mark) {
            marks[origin] = mark;
            list[(*count)++] = origin;
        }
    }
}

static size_t endpoints_of(const Route *route)
{
    return route->cluster ? route->cluster->endpoint_count : 0;
}

/* The origins of a service's routes, each once. */
static Err service_origins(Arena *arena, const Service *s, uint32_t *marks, ServiceStatus *ret)
{
    size_t room = endpoints_of(&s->route);
    size_t routes = s->router ? s->router->rule_count : 0;
    for (size_t i = 0; i < routes; i++) {
        room += endpoints_of(&s->router->rules[i].route);
    }
    uint32_t *list = arena_array(arena, uint32_t, room + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    add_origins(&s->route, marks, s->index + 1, list, &count);
    for (size_t i = 0; i < routes; i++) {
        add_origins(&s->router->rules[i].route, marks, s->index + 1, list, &count);
    }
    ret->origin_count = count;
    ret->origins = list;
    return ERR_OK;
}

static Err service_status(Worker *w, Arena *arena, const Service *s, uint32_t *marks,
                          ServiceStatus *ret)
{
    *ret = (ServiceStatus){.name = s->name};
    for (unsigned i = 0; i < w->thread_count; i++) {
        const ServiceCounters *c = &w->threads[i]->services[s->index];
        ret->requests += counter_read(&c->requests);
        ret->bytes_in += counter_read(&c->bytes_in);
        ret->bytes_out += counter_read(&c->bytes_out);
        for (unsigned k = 0; k < 6; k++) {
            ret->status[k] += counter_read(&c->status[k]);
        }
    }
    return service_origins(arena, s, marks, ret);
}

static void origin_status(Worker *w, Origin *o, OriginStatus *ret)
{
    *ret = (OriginStatus){.name = o->endpoint->name};
    for (unsigned i = 0; i < w->thread_count; i++) {
        const OriginCounters *c = &w->threads[i]->origins[o->index];
        ret->requests += counter_read(&c->requests);
        ret->failures += counter_read(&c->failures);
        ret->opened += counter_read(&c->opened);
        ret->reused += counter_read(&c->reused);
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
        for (unsigned i = 0; i < w->thread_count; i++) {
            count += counter_read(&w->threads[i]->faults[f]);
        }
        if (count) {
            s->fault_count++;
            s->faults[s->fault_count - 1] =
                (FaultStatus){.code = fault_row((Fault)f)->code, .count = count};
        }
    }
    return ERR_OK;
}

static void totals(Worker *w, WorkerStatus *s)
{
    s->threads = w->thread_count;
    s->connections = atomic_load(&w->client_count);
    for (unsigned i = 0; i < w->thread_count; i++) {
        s->accepted += counter_read(&w->threads[i]->accepted);
        s->refused += counter_read(&w->threads[i]->refused);
        s->active += counter_read(&w->threads[i]->exchange_count);
    }
    s->memory_used_bytes = atomic_load(&w->budget.used_bytes);
    s->memory_peak_bytes = atomic_load(&w->budget.peak_bytes);
    s->memory_max_bytes = w->budget.max_bytes;
    if (w->plan.log) {
        s->access_dropped = log_dropped(w->plan.log, LOG_TO_ACCESS);
        s->error_dropped = log_dropped(w->plan.log, LOG_TO_ERROR);
    }
}

Err worker_status(Worker *w, Arena *arena, const WorkerStatus **ret)
{
    const Snapshot *snapshot = w->plan.snapshot;
    WorkerStatus *s = arena_new(arena, WorkerStatus);
    ServiceStatus *services = arena_array(arena, ServiceStatus, snapshot->service_count + 1);
    OriginStatus *origins = arena_array(arena, OriginStatus, w->origin_count + 1);
    uint32_t *marks = arena_array(arena, uint32_t, w->origin_count + 1);
    if (!s || !services || !origins || !marks) {
        return ERR_MEMORY;
    }
    totals(w, s);
    for (size_t i = 0; i < snapshot->service_count; i++) {
        TRY(service_status(w, arena, &snapshot->services[i], marks, &services[i]));
        s->requests += services[i].requests;
    }
    for (size_t i = 0; i < w->origin_count; i++) {
        origin_status(w, &w->origins[i], &origins[i]);
    }
    s->service_count = snapshot->service_count;
    s->services = services;
    s->origin_count = w->origin_count;
    s->origins = origins;
    TRY(faults_status(w, arena, s));
    *ret = s;
    return ERR_OK;
}
