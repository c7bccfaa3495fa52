/* supervision.c - shared functions of the supervisor's files: orders to workers, and messages to
 * the service manager. */
#include "app/supervision.h"

#include <time.h>

#include "base/clock.h"
#include "app/machine.h"
#include "app/store.h"
#include "base/number.h"
#include "proxy/worker.h"

#define DRAIN_GRACE_MS 5000u /* beyond the drain's own deadline */

/* ---- workers ---- */

static unsigned count_threads(const Settings *settings)
{
    unsigned threads = settings->system.threads;
    return (unsigned)size_min(threads == 0 ? machine_cores() : threads, THREADS_MAX);
}

WorkerSetup supervisor_worker_setup(const Supervisor *s, const Configuration *c)
{
    return (WorkerSetup){
        .configuration = c,
        .logs = &s->logs,
        .threads = count_threads(c->settings),
        .state = -1};
}

void supervisor_order(const KeptChild *w, ChannelKind kind, uint64_t value)
{
    ChannelMessage message = {.kind = kind, .value = value};
    if (w->role != KEPT_NONE && channel_order(&w->channel, &message) != ERR_OK) {
        LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)w->pid));
    }
}

void supervisor_dismiss(Supervisor *s, KeptChild *w, ChannelKind kind)
{
    uint64_t limit_ms = kind == CHANNEL_STOP ? 0 : s->current->settings->system.drain_timeout_ms;
    uint64_t grace_ms = kind == CHANNEL_STOP ? STOP_GRACE_MS : DRAIN_GRACE_MS;
    w->role = KEPT_LEAVING;
    if (!w->stuck) { /* else it already has an earlier deadline */
        w->kill_at_ms = clock_ms() + limit_ms + grace_ms;
    }
    supervisor_order(w, kind, limit_ms);
}

bool supervisor_has_workers(const Supervisor *s)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        if (s->manager.workers[i].role != KEPT_NONE) {
            return true;
        }
    }
    return false;
}

void supervisor_confirm(const Supervisor *s, const KeptChild *w)
{
    ChannelMessage order = {
        .kind = CHANNEL_CONFIRMED, .fd_count = 1, .fds = {s->orphan.fd}};
    if (channel_order_patiently(&w->channel, &order) != ERR_OK) {
        LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)w->pid));
    }
}

void supervisor_retire(Supervisor *s)
{
    listen_close(&s->current->listeners, NULL, false);
    s->state = STATE_DRAINING;
    KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    if (serving) {
        supervisor_dismiss(s, serving, CHANNEL_HAND_OVER);
    } else if (!supervisor_has_workers(s)) {
        s->state = STATE_OVER;
    }
}

/* ---- the service manager ---- */

void supervisor_store_listeners(Supervisor *s)
{
    bool done = store_add(&s->notify, &s->current->listeners);
    s->store_at_ms = done ? 0 : clock_ms() + NOTIFY_AGAIN_MS;
}

void supervisor_notify_serving(Supervisor *s)
{
    const KeptChild *w = manager_find(&s->manager, KEPT_SERVING);
    if (s->state == STATE_SERVING && w && w->ready) {
        const Settings *settings = s->current->settings;
        notify_ready(&s->notify, settings->service_count, settings->listener_count,
                     (uint64_t)w->pid, clock_ms());
        supervisor_store_listeners(s);
    }
}
