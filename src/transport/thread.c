/* thread.c - a worker thread's resources, and its services to the objects that live on it. */
#include "transport/thread.h"

#include "base/number.h"
#include "loop/crash.h"
#include "loop/system.h"
#include "transport/mux.h"

#include <time.h>

#define WALL_CLOCK_MS 1000u /* between two looks at the wall clock */
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

static Err thread_memory(Thread *t, const ThreadPlan *plan)
{
    TRY(pool_init(&t->clients, plan->client_bytes, plan->clients));
    TRY(pool_init(&t->exchanges, plan->exchange_bytes, plan->exchanges));
    TRY(pool_init(&t->streams, sizeof(MuxStream), plan->streams));
    TRY(wheel_init(&t->wheel, plan->clients + THREAD_UPSTREAMS_MAX + plan->streams +
                   plan->fetches + 3, t->now_ms));
    t->flush_room = plan->clients + THREAD_UPSTREAMS_MAX;
    t->again_room = t->flush_room + plan->streams + plan->leases + 2 * plan->fetches + plan->waits;
    t->again = (Token *)memory_reserve(sizeof(Token) * t->again_room);
    t->flush = (Token *)memory_reserve(sizeof(Token) * t->flush_room);
    t->out_fields = (H2Field *)memory_reserve(sizeof(H2Field) * THREAD_OUT_FIELDS_MAX);
    t->raw = memory_reserve_span(THREAD_RAW_BYTES);
    t->input = memory_reserve_span(THREAD_INPUT_BYTES);
    t->output = memory_reserve_span(THREAD_OUTPUT_BYTES);
    t->field_room = (Field *)memory_reserve(sizeof(Field) * THREAD_FIELDS_MAX);
    t->fields = fields_in(t->field_room, THREAD_FIELDS_MAX);
    t->wires = (WireRoom){.thread = t, .blocks = &t->buf_blocks, .raw = t->raw};
    bool rooms = t->input.len && t->raw.len && t->output.len && t->field_room && t->out_fields;
    return rooms && t->again && t->flush ? ERR_OK : ERR_MEMORY;
}

/* The number of requests that a thread counts at once: few for a small budget, so that what is
 * counted ahead stays below a sixteenth of it. */
static uint32_t admit_step(const ThreadGroup *g)
{
    uint64_t share = g->budget.max_bytes / 16 / g->thread_count / THREAD_REQUEST_BYTES_MIN;
    bool limited = g->budget.max_bytes > 0;
    return (uint32_t)(limited ? u64_max(1, u64_min(share, THREAD_ADMIT_STEP_MAX))
                              : THREAD_ADMIT_STEP_MAX);
}

/* How many free blocks a thread may keep: all threads together at most a sixteenth of the budget,
 * since the others cannot use what one keeps. */
static uint32_t free_most(const ThreadGroup *g, uint32_t block_bytes, uint32_t most)
{
    uint64_t share = g->budget.max_bytes / 32 / g->thread_count / block_bytes;
    return g->budget.max_bytes ? (uint32_t)u64_min(share, most) : most;
}

Err thread_init(Thread *t, ThreadGroup *g, unsigned index, const ThreadPlan *plan)
{
    *t = (Thread){.group = g, .index = index, .poller = {.fd = -1}, .mailbox = {.wake_fd = -1}};
    t->heartbeat = crash_heartbeat(index);
    thread_clock(t);
    random_seed(&t->random);
    t->admit_step = admit_step(g);
    TRY(thread_memory(t, plan));
    blocks_init(&t->arena_blocks, &g->budget, THREAD_ARENA_BLOCK_BYTES,
                free_most(g, THREAD_ARENA_BLOCK_BYTES, FREE_ARENA_BLOCKS_MAX));
    blocks_init(&t->buf_blocks, &g->budget, THREAD_BUF_BLOCK_BYTES,
                free_most(g, THREAD_BUF_BLOCK_BYTES, FREE_BUF_BLOCKS_MAX));
    TRY(poller_open(&t->poller));
    TRY(mailbox_open(&t->mailbox));
    TRY(poller_add_input(&t->poller, t->mailbox.wake_fd, token_of(TOKEN_MAILBOX, HANDLE_NONE)));
    return ERR_OK;
}

void thread_drop(Thread *t)
{
    blocks_drop(&t->arena_blocks);
    blocks_drop(&t->buf_blocks);
    memory_release(t->again, sizeof(Token) * t->again_room);
    memory_release(t->flush, sizeof(Token) * t->flush_room);
    memory_release(t->out_fields, sizeof(H2Field) * THREAD_OUT_FIELDS_MAX);
    memory_release_span(t->raw);
    memory_release_span(t->input);
    memory_release_span(t->output);
    memory_release(t->field_room, sizeof(Field) * THREAD_FIELDS_MAX);
    pool_drop(&t->clients);
    pool_drop(&t->exchanges);
    pool_drop(&t->streams);
    wheel_drop(&t->wheel);
    mailbox_close(&t->mailbox);
    poller_close(&t->poller);
}

/* --- memory ---------------------------------------------------------------------------------- */

size_t thread_spare(const Thread *t)
{
    const ThreadGroup *g = t->group;
    size_t max = g->budget.max_bytes;
    size_t used = atomic_load_explicit(&g->budget.used_bytes, memory_order_relaxed);
    size_t admitted = atomic_load_explicit(&g->admitted, memory_order_relaxed);
    size_t settled = atomic_load_explicit(&g->settled, memory_order_relaxed);
    size_t open = admitted - size_min(settled, admitted);
    size_t coming = size_max(THREAD_INPUT_BYTES, budget_room(&g->budget) / 16);
    size_t needed = used + open * THREAD_REQUEST_BYTES_MIN + coming;
    return max == 0 ? SIZE_MAX : max - size_min(needed, max);
}

bool thread_is_tight(const Thread *t)
{
    return thread_spare(t) == 0;
}

bool thread_is_scarce(const Thread *t, size_t spare)
{
    return spare < budget_room(&t->group->budget) / 4;
}

bool thread_is_filled(const Thread *t)
{
    const Budget *b = &t->group->budget;
    size_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    return b->max_bytes > 0 && used > b->max_bytes - budget_room(b) / 2;
}

void thread_wants_memory(Thread *t)
{
    ThreadGroup *g = t->group;
    uint64_t next_ms = atomic_load_explicit(&g->relief_ms, memory_order_relaxed);
    uint64_t after_ms = t->now_ms + THREAD_RELIEF_APART_MS;
    if (g->budget.max_bytes > 0 && t->now_ms >= next_ms &&
        atomic_compare_exchange_strong(&g->relief_ms, &next_ms, after_ms)) {
        t->relief.hops = g->thread_count;
    }
}

void thread_starves(Thread *t)
{
    t->relief.starved = true;
    if (t->now_ms >= t->relief.look_ms && t->relief.hops == 0) {
        t->relief.hops = t->group->thread_count; /* who holds it may be another thread's client */
    }
}

void thread_settle(Thread *t, bool settled)
{
    t->settled += settled ? 1 : UINT32_MAX;
    if (t->settled >= t->settled_told + t->admit_step) {
        t->settled_told += t->admit_step;
        atomic_fetch_add(&t->group->settled, t->admit_step);
    } else if (t->settled < t->settled_told) {
        t->settled_told -= t->admit_step;
        atomic_fetch_sub(&t->group->settled, t->admit_step);
    }
}

void thread_admit(Thread *t)
{
    counter_add(&t->exchange_count, 1);
    if (t->exchanges.used > t->admitted) {
        t->admitted += t->admit_step;
        atomic_fetch_add(&t->group->admitted, t->admit_step);
    }
}

void thread_dismiss(Thread *t)
{
    counter_add(&t->exchange_count, UINT64_MAX);
    if (t->exchanges.used + 2 * t->admit_step <= t->admitted) {
        t->admitted -= t->admit_step;
        atomic_fetch_sub(&t->group->admitted, t->admit_step);
    }
}

/* --- turns ----------------------------------------------------------------------------------- */

void thread_again_wire(Thread *t, Wire *g)
{
    if (!g->again) {
        g->again = true;
        thread_again_token(t, g->owner);
    }
}

void thread_again_token(Thread *t, Token token)
{
    CHECK(t->again_count < t->again_room);
    t->again[t->again_count++] = token;
}

void thread_again_done(Thread *t, uint32_t count)
{
    for (uint32_t i = count; i < t->again_count; i++) {
        t->again[i - count] = t->again[i];
    }
    t->again_count -= count;
}

void thread_flush_token(Thread *t, Token token)
{
    CHECK(t->flush_count < t->flush_room);
    t->flush[t->flush_count++] = token;
}
