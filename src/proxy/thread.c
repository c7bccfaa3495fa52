/* thread.c - what a worker thread has, and does for those who live on it. */
#include "proxy/thread.h"

#include "base/number.h"
#include "loop/crash.h"
#include "loop/system.h"
#include "proxy/exchange.h"
#include "proxy/file_cache.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#include <time.h>

#define WALL_CLOCK_MS 1000u /* how often the wall clock is looked at */
#define FREE_ARENA_BLOCKS_MAX 1024u
#define FREE_BUF_BLOCKS_MAX 64u

/* --- life ------------------------------------------------------------------------------------ */

static void wall_clock_update(Thread *t)
{
    struct timespec wall;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    t->wall_offset_us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000 -
                        t->now_ns / 1000;
    t->wall_next_ms = t->now_ms + WALL_CLOCK_MS;
}

void thread_clock(Thread *t)
{
    t->now_ns = system_calls->now_ns();
    t->now_ms = t->now_ns / 1000000;
    if (t->now_ms >= t->wall_next_ms) {
        wall_clock_update(t);
    }
}

static size_t again_room(const Thread *t)
{
    return (size_t)t->clients.slots_max + t->streams.slots_max + t->leases.slots_max +
           THREAD_UPSTREAMS_MAX + FILES_WAITS_MAX;
}

static Err thread_memory(Thread *t, const WorkerPlan *plan)
{
    uint32_t clients = (uint32_t)u64_min(plan->connections_max, THREAD_CLIENTS_MAX);
    TRY(pool_init(&t->clients, sizeof(Client), clients));
    TRY(pool_init(&t->upstreams, sizeof(Upstream), THREAD_UPSTREAMS_MAX));
    /* A client that speaks HTTP/2 has many streams, and each may have one to an origin. */
    uint64_t wanted = clients * UINT64_C(256) + 1024;
    uint32_t streams = (uint32_t)u64_min(wanted, THREAD_STREAMS_MAX);
    TRY(pool_init(&t->exchanges, sizeof(Exchange), clients + streams / 2));
    TRY(pool_init(&t->leases, sizeof(Lease), clients + streams / 2));
    TRY(pool_init(&t->streams, sizeof(MuxStream), streams));
    TRY(wheel_init(&t->wheel, clients + THREAD_UPSTREAMS_MAX + streams + 2, t->now_ms));
    t->park_nodes = (ParkNode *)memory_reserve(sizeof(ParkNode) * THREAD_UPSTREAMS_MAX);
    t->again = (Token *)memory_reserve(sizeof(Token) * again_room(t));
    t->flush = (Token *)memory_reserve(sizeof(Token) * (clients + THREAD_UPSTREAMS_MAX));
    t->out_fields = (H2Field *)memory_reserve(sizeof(H2Field) * THREAD_OUT_FIELDS_MAX);
    t->raw = memory_reserve_span(THREAD_RAW_BYTES);
    t->input = memory_reserve_span(THREAD_INPUT_BYTES);
    t->output = memory_reserve_span(THREAD_OUTPUT_BYTES);
    t->field_room = (Field *)memory_reserve(sizeof(Field) * THREAD_FIELDS_MAX);
    t->fields = fields_in(t->field_room, THREAD_FIELDS_MAX);
    t->services = (ServiceCounters *)memory_reserve(sizeof(ServiceCounters) * WORKER_SERVICES_MAX);
    t->origins = (OriginCounters *)memory_reserve(sizeof(OriginCounters) * WORKER_ORIGINS_MAX);
    t->places = (MuxPlace *)memory_reserve(sizeof(MuxPlace) * WORKER_ORIGINS_MAX);
    t->pins = (Counter *)memory_reserve(sizeof(Counter) * WORKER_PARTS_MAX);
    t->listener_clients = (Counter *)memory_reserve(sizeof(Counter) * LISTENER_PLACES_MAX);
    t->wires = (WireRoom){.thread = t, .blocks = &t->buf_blocks, .raw = t->raw};
    bool rooms = t->input.len && t->raw.len && t->output.len && t->field_room && t->out_fields;
    uint64_t share = plan->memory_bytes_max / FILE_CONTENTS_SHARE / plan->threads;
    size_t content = (size_t)(plan->memory_bytes_max ? u64_min(share, FILE_CONTENTS_BYTES_MAX)
                                                     : FILE_CONTENTS_BYTES_MAX);
    t->file_cache = plan->files_max ? file_cache_new(plan->files_max, content) : NULL;
    rooms = rooms && (t->file_cache || !plan->files_max);
    bool counters = t->services && t->origins && t->pins && t->listener_clients;
    bool all = rooms && counters && t->park_nodes && t->places && t->again && t->flush;
    return all ? ERR_OK : ERR_MEMORY;
}

/* How many requests a thread counts at once: few where the budget is small, so that what is counted
 * ahead stays below a sixteenth of it. */
static uint32_t admit_step(const Worker *w)
{
    uint64_t share = w->budget.max_bytes / 16 / w->thread_count / EXCHANGE_BYTES_MIN;
    bool limited = w->budget.max_bytes > 0;
    return (uint32_t)(limited ? u64_max(1, u64_min(share, THREAD_ADMIT_STEP_MAX))
                              : THREAD_ADMIT_STEP_MAX);
}

/* How many free blocks a thread keeps: all threads together have a sixteenth of the budget so, at
 * most, for what one keeps the others cannot use. */
static uint32_t free_most(const WorkerPlan *plan, uint32_t block_bytes, uint32_t most)
{
    uint64_t share = plan->memory_bytes_max / 32 / plan->threads / block_bytes;
    return plan->memory_bytes_max ? (uint32_t)u64_min(share, most) : most;
}

Err thread_init(Thread *t, Worker *w, unsigned index)
{
    *t = (Thread){.worker = w, .index = index, .poller = {.fd = -1}, .mailbox = {.wake_fd = -1}};
    t->heartbeat = crash_heartbeat(index);
    thread_clock(t);
    random_seed(&t->random);
    t->admit_step = admit_step(w);
    TRY(thread_memory(t, &w->plan));
    blocks_init(&t->arena_blocks, &w->budget, THREAD_ARENA_BLOCK_BYTES,
                free_most(&w->plan, THREAD_ARENA_BLOCK_BYTES, FREE_ARENA_BLOCKS_MAX));
    blocks_init(&t->buf_blocks, &w->budget, THREAD_BUF_BLOCK_BYTES,
                free_most(&w->plan, THREAD_BUF_BLOCK_BYTES, FREE_BUF_BLOCKS_MAX));
    TRY(poller_open(&t->poller));
    TRY(mailbox_open(&t->mailbox));
    TRY(poller_add_input(&t->poller, t->mailbox.wake_fd, token_of(TOKEN_MAILBOX, HANDLE_NONE)));
    return ERR_OK;
}

/* What the disk's threads have sent too late. */
static void late_files_drop(Thread *t)
{
    Message m;
    while (t->mailbox.ring && mailbox_take(&t->mailbox, &m)) {
        file_cache_discard(t, &m);
    }
    file_cache_drop(t);
}

void thread_drop(Thread *t)
{
    late_files_drop(t);
    stream_close(&t->accepting.spare, false);
    blocks_drop(&t->arena_blocks);
    blocks_drop(&t->buf_blocks);
    memory_release(t->park_nodes, sizeof(ParkNode) * THREAD_UPSTREAMS_MAX);
    memory_release(t->again, sizeof(Token) * again_room(t));
    memory_release(t->flush, sizeof(Token) * (t->clients.slots_max + THREAD_UPSTREAMS_MAX));
    memory_release(t->out_fields, sizeof(H2Field) * THREAD_OUT_FIELDS_MAX);
    memory_release(t->places, sizeof(MuxPlace) * WORKER_ORIGINS_MAX);
    memory_release_span(t->raw);
    memory_release_span(t->input);
    memory_release_span(t->output);
    memory_release(t->field_room, sizeof(Field) * THREAD_FIELDS_MAX);
    memory_release(t->services, sizeof(ServiceCounters) * WORKER_SERVICES_MAX);
    memory_release(t->origins, sizeof(OriginCounters) * WORKER_ORIGINS_MAX);
    memory_release(t->pins, sizeof(Counter) * WORKER_PARTS_MAX);
    memory_release(t->listener_clients, sizeof(Counter) * LISTENER_PLACES_MAX);
    pool_drop(&t->clients);
    pool_drop(&t->upstreams);
    pool_drop(&t->exchanges);
    pool_drop(&t->leases);
    pool_drop(&t->streams);
    wheel_drop(&t->wheel);
    mailbox_close(&t->mailbox);
    poller_close(&t->poller);
}

/* --- memory ---------------------------------------------------------------------------------- */

size_t thread_spare(const Thread *t)
{
    const Worker *w = t->worker;
    size_t max = w->budget.max_bytes;
    size_t used = atomic_load_explicit(&w->budget.used_bytes, memory_order_relaxed);
    size_t admitted = atomic_load_explicit(&w->admitted, memory_order_relaxed);
    size_t settled = atomic_load_explicit(&w->settled, memory_order_relaxed);
    size_t open = admitted - size_min(settled, admitted);
    size_t coming = size_max(THREAD_INPUT_BYTES, budget_room(&w->budget) / 16);
    size_t needed = used + open * EXCHANGE_BYTES_MIN + coming;
    return max == 0 ? SIZE_MAX : max - size_min(needed, max);
}

bool thread_is_tight(const Thread *t)
{
    return thread_spare(t) == 0;
}

bool thread_is_scarce(const Thread *t, size_t spare)
{
    return spare < budget_room(&t->worker->budget) / 4;
}

bool thread_is_filled(const Thread *t)
{
    const Budget *b = &t->worker->budget;
    size_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    return b->max_bytes > 0 && used > b->max_bytes - budget_room(b) / 2;
}

void thread_wants_memory(Thread *t)
{
    Worker *w = t->worker;
    uint64_t next_ms = atomic_load_explicit(&w->relief_ms, memory_order_relaxed);
    uint64_t after_ms = t->now_ms + THREAD_RELIEF_APART_MS;
    if (w->budget.max_bytes > 0 && t->now_ms >= next_ms &&
        atomic_compare_exchange_strong(&w->relief_ms, &next_ms, after_ms)) {
        t->relief.hops = w->thread_count;
    }
}

void thread_starves(Thread *t)
{
    t->relief.starved = true;
    if (t->now_ms >= t->relief.look_ms && t->relief.hops == 0) {
        t->relief.hops = 1;
    }
}

void thread_settle(Thread *t, bool settled)
{
    t->settled += settled ? 1 : UINT32_MAX;
    if (t->settled >= t->settled_told + t->admit_step) {
        t->settled_told += t->admit_step;
        atomic_fetch_add(&t->worker->settled, t->admit_step);
    } else if (t->settled < t->settled_told) {
        t->settled_told -= t->admit_step;
        atomic_fetch_sub(&t->worker->settled, t->admit_step);
    }
}

void thread_admit(Thread *t)
{
    counter_add(&t->exchange_count, 1);
    if (t->exchanges.used > t->admitted) {
        t->admitted += t->admit_step;
        atomic_fetch_add(&t->worker->admitted, t->admit_step);
    }
}

void thread_dismiss(Thread *t)
{
    counter_add(&t->exchange_count, UINT64_MAX);
    if (t->exchanges.used + 2 * t->admit_step <= t->admitted) {
        t->admitted -= t->admit_step;
        atomic_fetch_sub(&t->worker->admitted, t->admit_step);
    }
}

/* --- turns ----------------------------------------------------------------------------------- */

void thread_again_wire(Thread *t, Wire *w)
{
    if (!w->again) {
        w->again = true;
        thread_again_token(t, w->owner);
    }
}

void thread_again_token(Thread *t, Token token)
{
    CHECK(t->again_count < again_room(t));
    t->again[t->again_count++] = token;
}

void thread_flush_token(Thread *t, Token token)
{
    CHECK(t->flush_count < t->clients.slots_max + THREAD_UPSTREAMS_MAX);
    t->flush[t->flush_count++] = token;
}
