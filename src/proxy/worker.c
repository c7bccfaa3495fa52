/* worker.c - starts and stops the threads, and publishes snapshots. */
#include "proxy/worker.h"

#include <sched.h>
#include <unistd.h>

#include "base/number.h"
#include "loop/crash.h"
#include "pool/origin.h"
#include "pool/summary.h"
#include "proxy/exchange.h"
#include "proxy/file_cache.h"
#include "proxy/listening.h"
#include "proxy/turn.h"

/* An HTTP/2 client has many streams, and each may have one to an origin. */
static ThreadPlan thread_plan(const WorkerPlan *plan)
{
    uint32_t clients = (uint32_t)u64_min(plan->connections_max, THREAD_CLIENTS_MAX);
    uint32_t streams = (uint32_t)u64_min(clients * UINT64_C(256) + 1024, THREAD_STREAMS_MAX);
    return (ThreadPlan){.clients = clients,
                        .exchanges = clients + streams / 2,
                        .streams = streams,
                        .leases = clients + streams / 2 + THREAD_FETCHES_MAX,
                        .fetches = THREAD_FETCHES_MAX,
                        .waits = FILES_WAITS_MAX,
                        .client_bytes = sizeof(Client),
                        .exchange_bytes = sizeof(Exchange)};
}

static Err thread_open_files(Thread *t, const WorkerPlan *plan)
{
    if (!plan->files_max) {
        return ERR_OK;
    }
    uint64_t share = plan->memory_bytes_max / FILE_CONTENTS_SHARE / plan->threads;
    size_t content = (size_t)(plan->memory_bytes_max ? u64_min(share, FILE_CONTENTS_BYTES_MAX)
                                                     : FILE_CONTENTS_BYTES_MAX);
    t->file_cache = file_cache_new(plan->files_max, content);
    return t->file_cache ? ERR_OK : ERR_MEMORY;
}

static Err thread_open(Worker *w, Thread *t, unsigned index)
{
    ThreadPlan plan = thread_plan(&w->plan);
    TRY(thread_init(t, &w->group, index, &plan));
    t->worker = w;
    t->services = (ServiceCounters *)memory_reserve(sizeof(ServiceCounters) * WORKER_SERVICES_MAX);
    t->pins = (Counter *)memory_reserve(sizeof(Counter) * WORKER_PARTS_MAX);
    t->endpoint_pins = (Counter *)memory_reserve(sizeof(Counter) * WORKER_ENDPOINTS_MAX);
    t->listener_clients = (Counter *)memory_reserve(sizeof(Counter) * LISTENER_PLACES_MAX);
    TRY(summaries_open(t));
    TRY(origins_open(t, &plan));
    TRY(thread_open_files(t, &w->plan));
    bool all = t->services && t->pins && t->endpoint_pins && t->listener_clients;
    return all ? ERR_OK : ERR_MEMORY;
}

static void thread_close(Thread *t)
{
    Message m;
    while (t->mailbox.ring && mailbox_take(&t->mailbox, &m)) {
        file_cache_discard(t, &m); /* sent too late by the disk's threads */
    }
    file_cache_drop(t);
    stream_close(&t->accepting.spare, false);
    memory_release(t->services, sizeof(ServiceCounters) * WORKER_SERVICES_MAX);
    memory_release(t->pins, sizeof(Counter) * WORKER_PARTS_MAX);
    memory_release(t->endpoint_pins, sizeof(Counter) * WORKER_ENDPOINTS_MAX);
    memory_release(t->listener_clients, sizeof(Counter) * LISTENER_PLACES_MAX);
    origins_close(t);
    summaries_close(t);
    thread_drop(t);
}

Err worker_build(const WorkerPlan *plan, Worker **ret)
{
    CHECK(plan->threads >= 1 && plan->threads <= THREADS_MAX);
    Worker *w = (Worker *)memory_reserve(sizeof *w);
    if (!w) {
        return ERR_MEMORY;
    }
    w->plan = *plan;
    w->group.budget.max_bytes = plan->memory_bytes_max;
    w->group.idle_upstreams_max = plan->idle_upstreams_max;
    w->group.thread_count = plan->threads;
    gate_init(&w->gate);
    Err err = registry_open(w);
    err = err == ERR_OK ? clusters_open(w) : err;
    if (plan->files_max && err == ERR_OK) {
        err = disk_start(&w->group.budget, &w->disk);
    }
    for (unsigned i = 0; i < plan->threads && err == ERR_OK; i++) {
        w->group.threads[i] = (Thread *)memory_reserve(sizeof(Thread));
        err = w->group.threads[i] ? thread_open(w, w->group.threads[i], i) : ERR_MEMORY;
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
    clusters_close(w);
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        if (w->group.threads[i]) {
            thread_close(w->group.threads[i]);
            memory_release(w->group.threads[i], sizeof(Thread));
        }
    }
    registry_close(w);
    gate_drop(&w->gate);
    memory_release(w, sizeof *w);
}

/* Pins to the index-th processor available to this process. */
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
    listening_keep_spare(t);
    gate_arrive(&t->worker->gate);
    if (gate_pass(&t->worker->gate)) {
        thread_run(t);
    }
    atomic_store(&t->ended, true);
    atomic_fetch_sub(&t->worker->threads_running, 1);
    return NULL;
}

Err worker_begin(Worker *w, const Snapshot *first)
{
    atomic_store(&w->snapshot, first);
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        listening_adopt(w->group.threads[i]);
        TRY(listening_set(w->group.threads[i], true));
    }
    return ERR_OK;
}

static Err start_threads(Worker *w)
{
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        atomic_fetch_add(&w->threads_running, 1);
        if (pthread_create(&w->handles[i], NULL, thread_main, w->group.threads[i]) != 0) {
            atomic_fetch_sub(&w->threads_running, 1);
            return ERR_SYSTEM;
        }
        w->started = i + 1;
    }
    gate_wait(&w->gate, w->started);
    return w->plan.before_serving ? w->plan.before_serving(w->plan.context) : ERR_OK;
}

Err worker_start(Worker *w, const Snapshot *first)
{
    TRY(worker_begin(w, first));
    Err err = start_threads(w);
    gate_open(&w->gate, err == ERR_OK);
    if (err != ERR_OK) {
        worker_join(w);
    }
    return err;
}

void worker_tell(Worker *w, const Message *m)
{
    for (unsigned i = 0; i < w->started; i++) {
        Thread *t = w->group.threads[i];
        while (mailbox_post(&t->mailbox, m) == ERR_FULL && !atomic_load(&t->ended)) {
            (void)usleep(1000); /* only the main thread waits here, never a data thread */
        }
    }
}

void worker_publish(Worker *w, const Snapshot *fresh)
{
    atomic_store_explicit(&w->snapshot, fresh, memory_order_release);
    worker_tell(w, &(Message){.kind = MESSAGE_SNAPSHOT});
}

void worker_forget_files(Worker *w, int root)
{
    worker_tell(w, &(Message){.kind = MESSAGE_ROOT, .fd = root});
}

bool worker_has_adopted(const Worker *w, uint64_t number)
{
    for (unsigned i = 0; i < w->started; i++) {
        if (atomic_load_explicit(&w->group.threads[i]->adopted, memory_order_acquire) < number) {
            return false;
        }
    }
    return true;
}

uint64_t worker_listener_clients(const Worker *w, uint32_t listener)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        sum += counter_read(&w->group.threads[i]->listener_clients[listener]);
    }
    return sum;
}

void worker_drain(Worker *w, uint64_t patience_ms)
{
    worker_tell(w, &(Message){.kind = MESSAGE_DRAIN, .words = {patience_ms}});
}

void worker_stop(Worker *w)
{
    worker_tell(w, &(Message){.kind = MESSAGE_STOP});
}

bool worker_is_deaf(const Worker *w)
{
    return atomic_load(&w->threads_draining) == w->group.thread_count;
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
    w->started = 0;
}
