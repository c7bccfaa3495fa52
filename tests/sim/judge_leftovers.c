/* judge_leftovers.c - when all have gone, wheel, queues, pools, counters and budget are as at the
 * start. */
#include "loop/system.h"
#include "pool/summary.h"
#include "proxy/file_cache.h"
#include "judge_inside.h"
#include "trial.h"

static size_t blocks_bytes(const Blocks *b)
{
    return (size_t)b->free_count * (b->block_bytes + sizeof(Block));
}

static void left(const char *what, uint64_t count)
{
    if (count > 0) {
        trial_fail("left over: %llu %s", (unsigned long long)count, what);
    }
}

/* A deadline that is still armed, by what it is for. */
static void judge_deadlines(Thread *t)
{
    Token token;
    if (t->wheel.armed > 0 && !trial_failed()) {
        uint64_t next_ms = wheel_next_ms(&t->wheel);
        wheel_advance(&t->wheel, UINT64_MAX / 4);
        unsigned kind = wheel_expired(&t->wheel, &token) ? token_kind(token) : 0;
        trial_fail("left over: a deadline of kind %u at %llu ms", kind,
                   (unsigned long long)next_ms);
    }
}

/* Each place on the wheel is free again, but for those of the thread itself: `rest`, `relief`. */
static void judge_wheel(Thread *t)
{
    uint32_t touched = t->wheel.entries_touched;
    uint32_t free = 0;
    for (Timer timer = 0; timer_set(&t->wheel, &timer, 1, TOKEN_NONE) == ERR_OK; timer = 0) {
        if (t->wheel.entries_touched > touched) {
            break;
        }
        free++;
    }
    left("places on the wheel", touched - free - (t->accept_again > 0) - (t->relief.timer > 0));
}

static void judge_thread(const Thread *t)
{
    left("leases", t->leases.used);
    left("requests of River's own", t->fetches.used);
    left("clients", t->clients.used);
    left("exchanges", t->exchanges.used);
    left("connections to origins", t->upstreams.used);
    left("streams", t->streams.used);
    left("blocks of arenas", t->arena_blocks.out_count);
    left("blocks of queues", t->buf_blocks.out_count);
    left("parked connections", t->parked);
    left("clients counted", atomic_load(&t->client_count));
    left("exchanges counted", counter_read(&t->exchange_count));
    left("messages", t->mailbox.count);
    left("turns", t->again_count + t->flush_count);
    left("requests admitted", t->admitted > 2 * t->admit_step);
    left("requests that need no more memory", t->settled);
}

/* Connections to origins that are left, in words. */
static void judge_left_upstreams(const Thread *t)
{
    for (uint32_t i = 0; i < t->upstreams.slots_touched; i++) {
        Handle h;
        const Upstream *u = (const Upstream *)pool_at(&t->upstreams, i, &h);
        if (u) {
            trial_fail("left over: a connection to an origin (state %u, %u streams, %zu bytes "
                       "wait, readable %d, writable %d, ended %d, broken %d)", u->state,
                       u->mux ? u->mux->count : 0, u->wire.out.len, u->wire.readable,
                       u->wire.writable, u->wire.ended, u->wire.broken);
        }
    }
}

static size_t judge_origins(const Worker *w)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < w->origin_names.touched; i++) {
        const Origin *o = &w->group.origins[i];
        if (roster_name(&w->origin_names, i).len > 0) {
            left("open connections counted", atomic_load(&o->open));
            left("leaving connections counted", atomic_load(&o->leaving));
            left("dials counted", atomic_load(&o->dialing));
            left("waiters", atomic_load(&o->waiting));
            bytes += sizeof(WaiterNode) * o->waiters_room;
        }
    }
    return bytes;
}

/* The last lines about faults are written, and each fault is in one of them. */
static void judge_summaries(const Worker *w)
{
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        summary_end(w->group.threads[i]);
    }
    for (unsigned i = 0; i < SUMMARY_KINDS * (unsigned)FAULT_COUNT; i++) {
        SummaryKind kind = (SummaryKind)(i / FAULT_COUNT);
        Fault fault = (Fault)(i % FAULT_COUNT);
        left("faults that no log line has told",
             summary_noted(&w->group, kind, fault) - summary_told(&w->group, kind, fault));
    }
}

void judge_leftovers(void)
{
    const Worker *w = trial->worker;
    unsigned draining = atomic_load(&w->threads_draining);
    left("threads that have not drained", trial->drained && draining < trial->plan.threads);
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        judge_left_upstreams(w->group.threads[i]);
    }
    size_t kept = judge_origins(w);
    judge_summaries(w);
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        file_cache_drop(w->group.threads[i]); /* what it keeps is meant to stay */
    }
    left("open files", disk_files_open());
    size_t spares = 0;
    left("slots of filters", (size_t)trial->slots);
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        spares += stream_is_open(&w->group.threads[i]->accepting.spare);
        judge_thread(w->group.threads[i]);
        judge_deadlines(w->group.threads[i]);
        judge_wheel(w->group.threads[i]);
        kept += blocks_bytes(&w->group.threads[i]->arena_blocks);
        kept += blocks_bytes(&w->group.threads[i]->buf_blocks);
    }
    left("clients of the worker", atomic_load(&w->client_count));
    left("sockets", lan_river_open() - spares); /* which are kept to refuse newcomers with */
    left("requests of a service", atomic_load(&trial->site.active));
    for (unsigned i = 0; i < SERVICES; i++) {
        left("uses of a service", worker_pins(w, trial->site.services[i].part));
    }
    sets_judge_left();
    for (int i = 0; i < LISTENERS; i++) {
        left("clients of a listener", worker_listener_clients(w, (uint32_t)i));
        left("clients that are not accepted", trial->drained ? 0 : lan_waiting(i));
        unsigned watchers = trial->drained || !trial->site.listener_list[0][i]
                                ? 0
                                : trial->plan.threads;
        left("threads that watch a listener, or do not", lan_watchers(i) != watchers);
    }
    if (!trial_failed()) {
        size_t used = atomic_load(&w->group.budget.used_bytes);
        left("bytes of the budget", used - kept);
    }
}
