/* world.c - one site, and a worker thread that the test turns by hand. */
#include "network.h"

#include <stdio.h>

#define SETTLE_TURNS_MAX 500000u
#define SCRATCH_BYTES 64u

void world_open(SimWorld *w, uint64_t seed, void (*change)(SimWorld *w))
{
    *w = (SimWorld){0};
    check_soft_traps = true;
    sim_start(&w->network, seed);
    IpAddress ip = {.family = 4, .bytes = {192, 0, 2, 80}};
    site_make(&w->site, SIM_LISTENER_FD, address_ip(ip, 80));
    if (change) {
        change(w);
    }
    WorkerPlan plan = {.threads = 1,
                       .connections_max = 100,
                       .idle_upstreams_max = 100,
                       .memory_bytes_max = 64u << 20};
    w->worker = site_work(&w->site, &plan, false);
    random_seed_from(&w->worker->group.threads[0]->random, seed);
}

/* Whether anything would happen in another turn without time passing. */
static bool world_is_busy(const SimWorld *w)
{
    bool knocks = w->network.listening && w->network.pending_count > 0;
    if (w->worker->group.threads[0]->again_count > 0 || knocks) {
        return true;
    }
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        const SimSocket *s = &w->network.sockets[i];
        if (s->used && s->registered && s->edges) {
            return true;
        }
    }
    return false;
}

void world_settle(SimWorld *w)
{
    unsigned turns = 0;
    do {
        Thread *t = w->worker->group.threads[0];
        span_fill(span_take(t->input, SCRATCH_BYTES), 'x'); /* nothing in it outlives a turn */
        span_fill(span_take(t->output, SCRATCH_BYTES), 'x');
        thread_turn(t, 0);
        CHECK(++turns < SETTLE_TURNS_MAX); /* else something spins */
    } while (world_is_busy(w));
}

void world_wait(SimWorld *w, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms > 50 ? 50 : ms;
        w->network.now_ns += step * 1000000;
        ms -= step;
        world_settle(w);
    }
}

size_t world_close(SimWorld *w)
{
    Thread *t = w->worker->group.threads[0];
    w->network.fail_one_in = 0;
    w->network.fail_call = -1;
    thread_stop_now(t);
    size_t left = t->clients.used + t->exchanges.used + t->upstreams.used +
                  t->arena_blocks.out_count + t->buf_blocks.out_count +
                  sim_open_count(&w->network) + atomic_load(&w->site.active);
    if (left) {
        printf("  left: %u clients, %u exchanges, %u upstreams, %u arena blocks, %u queue blocks, "
               "%zu sockets, %u active\n",
               t->clients.used, t->exchanges.used, t->upstreams.used, t->arena_blocks.out_count,
               t->buf_blocks.out_count, sim_open_count(&w->network), atomic_load(&w->site.active));
    }
    worker_free(w->worker);
    sim_stop(&w->network);
    return left;
}
