/* worker_start.c - from a worker's birth to serving: receives what the supervisor sends, enters the
 * cage, starts the threads. */
#include <unistd.h>

#include "base/clock.h"
#include "app/daemon.h"
#include "app/logs.h"
#include "app/machine.h"
#include "app/worker_parts.h"
#include "app/worker_state.h"
#include "base/number.h"
#include "base/region.h"
#include "loop/crash.h"
#include "net/tls.h"

#define START_BYTES_MAX (16u << 20)
#define ROOTS_MAX (1u << 20)

/* ---- receiving ---- */

static void take_start(WorkerProcess *p, const ChannelMessage *message)
{
    p->threads = (unsigned)size_min((size_t)message->value, THREADS_MAX);
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        p->logs[i] = message->fds[i];
    }
    p->state = message->fds[LOG_STREAMS];
    log_bind_direct(p->logs[LOG_TO_ERROR], LOG_ERROR); /* errors only, for now */
}

static bool take_root(WorkerProcess *p, size_t announced, int fd)
{
    if (p->root_room == 0 && announced <= ROOTS_MAX) {
        p->roots = (int *)memory_new(NULL, announced * sizeof *p->roots);
        p->root_room = p->roots ? announced : 0;
    }
    if (p->root_count == p->root_room) {
        return false;
    }
    p->roots[p->root_count++] = fd;
    return true;
}

/* The path is kept for the worker's lifetime. */
static bool take_key_log(WorkerProcess *p, size_t announced, Str path, int fd)
{
    KeyLogs *k = &p->key_logs;
    if (p->key_log_room == 0 && announced <= LISTENER_PLACES_MAX) {
        k->files = (KeyLog *)memory_new(NULL, announced * sizeof *k->files);
        p->key_log_room = k->files ? announced : 0;
    }
    uint8_t *room = k->count < p->key_log_room ? (uint8_t *)memory_new(NULL, path.len) : NULL;
    if (!room) {
        return false;
    }
    (void)span_copy(span_of(room, path.len), path);
    KeyLog *files = k->files;
    files[k->count] = (KeyLog){.fd = fd, .path = str_of(room, path.len)};
    k->count++;
    return true;
}

bool worker_take_start(WorkerProcess *p, const ChannelMessage *message)
{
    bool good = true;
    switch ((int)message->kind) {
    case CHANNEL_START:
        take_start(p, message);
        return true;
    case CHANNEL_ROOTS:
        for (size_t i = 0; good && i < message->fd_count && message->fds[i] >= 0; i++) {
            good = take_root(p, (size_t)message->value, message->fds[i]);
        }
        return good;
    case CHANNEL_KEY_LOG:
        return take_key_log(p, (size_t)message->value, message->bytes, message->fds[0]);
    case CHANNEL_LISTENERS:
        worker_take_sockets(p, message);
        return true;
    default:
        return false;
    }
}

/* ---- building ---- */

static AccessStyle access_style(AccessFormat format)
{
    switch (format) {
    case ACCESS_JSON:
        return ACCESS_STYLE_JSON;
    case ACCESS_LOGFMT:
        return ACCESS_STYLE_LOGFMT;
    case ACCESS_COMBINED:
        return ACCESS_STYLE_COMBINED;
    }
    return ACCESS_STYLE_JSON;
}

/* Starts the log's rings; this thread uses the one after those of the data threads. */
static Err start_log(WorkerProcess *p, const Settings *settings)
{
    LogOptions options = {.producers = p->threads + 1,
                          .fds = {p->logs[LOG_TO_ERROR], p->logs[LOG_TO_ACCESS]},
                          .level = logs_level(&settings->system.log)};
    TRY(log_start(&options, NULL, &p->log));
    log_bind(p->log, p->threads);
    return ERR_OK;
}

/* The key log of each listener; -1: none. */
static void place_key_logs(const KeyLogs *k, const Settings *settings, int *fds)
{
    for (size_t i = 0; i < settings->listener_count; i++) {
        Str path = settings->listeners[i].tls.key_log_path;
        fds[i] = -1;
        for (size_t at = 0; path.len > 0 && at < k->count; at++) {
            fds[i] = str_equal(k->files[at].path, path) ? k->files[at].fd : fds[i];
        }
    }
}

/* Builds the first snapshot from what the supervisor has opened. */
static Err build_first(WorkerProcess *p, const Settings *settings)
{
    Arena scratch;
    size_t count = settings->listener_count;
    arena_init(&scratch, &p->blocks, START_BYTES_MAX);
    int *fds = arena_array(&scratch, int, count);
    int *key_logs = arena_array(&scratch, int, count);
    Err err = fds && key_logs ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        fds[i] = -1;
    }
    for (size_t i = 0; err == ERR_OK && i < p->pending_count; i++) {
        if (p->pending[i].place < count) {
            fds[p->pending[i].place] = p->pending[i].fd;
        }
    }
    if (err == ERR_OK) {
        place_key_logs(&p->key_logs, settings, key_logs);
        BuildInputs inputs = {.count = count, .root_count = p->root_count};
        inputs.fds = fds;
        inputs.key_logs = key_logs;
        inputs.roots = p->roots;
        err = builder_build(&p->builder, settings, &inputs);
        p->pending_count = 0;
    }
    arena_reset(&scratch);
    return err;
}

/* The client is served as if it had sent no name. */
static void on_odd_name(Str name)
{
    LOG(DEBUG, "a client's TLS server name is no DNS name, and counts as none",
        LOG_STR("name", name));
}

/* The settings, and the bytes of keys with them, are unmapped once everything is built. */
static Err start_threads(WorkerProcess *p, const Settings *settings)
{
    const SystemSettings *system = &settings->system;
    MachineShares shares = machine_shares(settings, p->threads);
    CertificateCache *cache = NULL;
    WorkerPlan plan = {
        .threads = p->threads,
        .pin = true,
        .connections_max = shares.clients,
        .idle_upstreams_max = system->idle_upstreams_max,
        .files_max = shares.files,
        .memory_bytes_max = config_memory_bytes(system),
        .log = p->log,
        .access_log = system->log.access != LOG_PLACE_OFF,
        .access_style = access_style(system->log.access_format),
        .before_serving = cage_close,
        .context = &p->cage,
    };
    p->system = *system;
    TRY(worker_build(&plan, &p->worker));
    TRY(certificate_cache_new(&cache));
    TRY(builder_open(&p->builder, p->worker, cache));
    TRY(build_first(p, settings));
    region_unmap_all();
    worker_state_restore(p->worker, &p->builder.newest->snapshot, p->state);
    p->state = -1;
    tls_report_odd_names(on_odd_name);
    return worker_start(p->worker, &p->builder.newest->snapshot);
}

/* The cage has been told of the directories after those of the settings; they are not served. */
static void close_holders(WorkerProcess *p, const Settings *settings)
{
    while (p->root_count > settings->root_count) {
        (void)close(p->roots[--p->root_count]);
    }
}

/* In the order that the cage requires (cage/cage.h). */
Err worker_start_by(WorkerProcess *p, const Settings *settings)
{
    CagePlan plan = cage_plan(settings, p->root_count, p->roots);
    if (settings->system.daemonize) {
        daemon_let_go();
    }
    log_bind_direct(p->logs[LOG_TO_ERROR], logs_level(&settings->system.log));
    TRY(orphan_prepare(&p->orphan));
    TRY(cage_enter(&p->cage, &plan));
    close_holders(p, settings);
    crash_enter_thread(p->threads);
    TRY(start_log(p, settings));
    TRY(start_threads(p, settings));
    p->started = true;
    return ERR_OK;
}
