/* worker_reload.c - adopts the next configuration: from the supervisor's orders to the threads. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "app/activation.h"
#include "app/worker_parts.h"
#include "base/clock.h"
#include "base/region.h"

#define RELOAD_BYTES_MAX (16u << 20)

static void forget_sockets(WorkerProcess *p, bool close_them)
{
    for (size_t i = 0; close_them && i < p->pending_count; i++) {
        (void)close(p->pending[i].fd);
    }
    p->pending_count = 0;
}

void worker_take_sockets(WorkerProcess *p, const ChannelMessage *message)
{
    Str places = message->bytes;
    if (message->value == 1) {
        forget_sockets(p, true);
    }
    for (size_t i = 0; i < message->fd_count; i++) {
        uint32_t place = 0;
        if (message->fds[i] < 0) {
            continue;
        }
        if (places.len < sizeof place || p->pending_count == LISTENER_PLACES_MAX) {
            (void)close(message->fds[i]);
            continue;
        }
        (void)span_copy(span_of(&place, sizeof place), str_take(places, sizeof place));
        places = str_drop(places, sizeof place);
        if ((place & CHANNEL_PASSED) != 0 && !activation_owns(message->fds[i])) {
            activation_adopt(message->fds[i]);
        }
        place &= ~CHANNEL_PASSED;
        p->pending[p->pending_count] = (PendingSocket){.place = place, .fd = message->fds[i]};
        p->pending_count++;
    }
}

static Err build_next(WorkerProcess *p, const Settings *settings)
{
    Arena scratch;
    arena_init(&scratch, &p->blocks, RELOAD_BYTES_MAX);
    size_t count = settings->listener_count;
    int *fds = arena_array(&scratch, int, count);
    int *key_logs = arena_array(&scratch, int, count);
    Err err = fds && key_logs ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        fds[i] = -1; /* the worker already has it */
        key_logs[i] = -1;
    }
    for (size_t i = 0; err == ERR_OK && i < p->pending_count; i++) {
        if (p->pending[i].place < count) {
            fds[p->pending[i].place] = p->pending[i].fd;
        }
    }
    if (err == ERR_OK) {
        BuildInputs inputs = {.count = count, .root_count = p->root_count};
        inputs.fds = fds;
        inputs.key_logs = key_logs;
        inputs.roots = p->roots;
        err = builder_build(&p->builder, settings, &inputs);
    }
    arena_reset(&scratch);
    return err;
}

/* The number stays: threads may be opening files below the old directory meanwhile. */
void worker_take_root(const WorkerProcess *p, const ChannelMessage *message)
{
    int fresh = message->fds[0];
    if (fresh < 0 || message->id >= p->root_count) {
        return;
    }
    int fd = p->roots[message->id];
    if (dup3(fresh, fd, O_CLOEXEC) == fd) {
        worker_forget_files(p->worker, fd);
    } else {
        LOG(ERROR, "a static root stays as it was",
            LOG_STR("why", str_from_c(err_sentence(err_from_errno(errno)))));
    }
    (void)close(fresh);
}

/* Checks only that the settings lie in the region. */
Err worker_map_settings(const ChannelMessage *message, const Settings **ret)
{
    unsigned slot = message->id & ((1u << CHANNEL_BASE_SHIFT) - 1);
    unsigned base = message->id >> CHANNEL_BASE_SHIFT;
    bool over = message->fds[1] >= 0;
    const Settings *settings = (const Settings *)(uintptr_t)message->value;
    TRY(region_map(message->fds[0], slot));
    TRY(over ? region_map(message->fds[1], base) : ERR_OK);
    TRY(message->fds[2] >= 0 ? region_map_secrets(message->fds[2], slot) : ERR_OK);
    TRY(message->fds[3] >= 0 ? region_map_secrets(message->fds[3], base) : ERR_OK);
    *ret = settings;
    return region_holds(slot, settings, sizeof *settings) ? ERR_OK : ERR_SYNTAX;
}

void worker_close_settings(const ChannelMessage *message)
{
    region_unmap_all();
    for (size_t i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0) {
            (void)close(message->fds[i]);
        }
    }
}

void worker_reload(WorkerProcess *p, const ChannelMessage *message)
{
    const Settings *settings = NULL;
    Err err = p->ending ? ERR_CLOSED : worker_map_settings(message, &settings);
    err = err == ERR_OK ? build_next(p, settings) : err;
    worker_close_settings(message);
    forget_sockets(p, err != ERR_OK);
    if (err != ERR_OK) {
        ChannelMessage answer = {.kind = CHANNEL_RELOADED, .bytes = str_from_c(err_sentence(err))};
        (void)!channel_answer(&p->channel, &answer);
        return;
    }
    worker_publish(p->worker, &p->builder.newest->snapshot);
    p->adopting = true;
    p->tidying = true;
}

/* No thread polls a draining listener any more: close its socket; once the supervisor's copy is
 * closed too, the port is free. */
static void close_left(const WorkerProcess *p)
{
    Generation *g = p->builder.newest;
    for (size_t i = 0; i < g->draining_count; i++) {
        if (!g->draining[i].closed) {
            (void)close(g->snapshot.listeners[g->draining[i].place]->fd);
            g->draining[i].closed = true;
        }
    }
}

void worker_tidy(WorkerProcess *p)
{
    if (p->adopting && worker_has_adopted(p->worker, p->builder.number)) {
        p->adopting = false;
        close_left(p);
        ChannelMessage answer = {.kind = CHANNEL_RELOADED, .value = 1};
        (void)!channel_answer(&p->channel, &answer);
    }
    p->clusters_ms = clusters_tidy(p->worker, clock_ms());
    if (p->tidying && !p->adopting) {
        p->tidying = builder_tidy(&p->builder);
    }
}
