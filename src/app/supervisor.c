/* supervisor.c - start, one loop over everything that can happen, end.
 *
 *     SERVING --SIGTERM--> DRAINING --SIGTERM, SIGINT, deadline--> STOPPING --> the end
 *        \-----SIGINT-------------------------------------------------/
 */
#include "app/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "app/channel.h"
#include "app/daemon.h"
#include "app/exit.h"
#include "app/machine.h"
#include "app/pidfile.h"
#include "app/store.h"
#include "app/upgrade.h"
#include "base/number.h"
#include "proxy/worker.h"

#define BLOCK_BYTES 65536u
#define MESSAGES_A_TURN 64u /* per worker, so that the others get their turn */
#define POLL_MAX (4 + 2 * MANAGER_WORKERS_MAX + 2 * CHILD_KINDS + 1 + CONTROL_CLIENTS_MAX)

/* ---- orders to workers ---- */

/* Dismisses all workers. */
static void dismiss_all(Supervisor *s, ChannelKind kind)
{
    bool any = false;
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE) {
            supervisor_dismiss(s, w, kind);
            any = true;
        }
    }
    if (!any) {
        s->state = STATE_OVER;
    }
}

/* The workers' copies would keep the ports open with nobody accepting, so the sockets are shut
 * down, not only closed. */
static void refuse_newcomers(Supervisor *s)
{
    store_remove(&s->notify, &s->current->listeners, NULL);
    listen_refuse(&s->current->listeners);
    listen_close(&s->current->listeners, NULL, true);
}

static void begin_stop(Supervisor *s)
{
    LOG(INFO, "stopping");
    reload_abandon(s);
    s->state = STATE_STOPPING;
    notify_stopping(&s->notify, S("stopping"), clock_ms());
    dismiss_all(s, CHANNEL_STOP);
    refuse_newcomers(s);
}

static void begin_drain(Supervisor *s)
{
    LOG(INFO, "draining", LOG_U64("timeout_ms", s->current->settings->system.drain_timeout_ms));
    reload_abandon(s);
    s->state = STATE_DRAINING;
    notify_stopping(&s->notify, S("draining: open requests finish"), clock_ms());
    dismiss_all(s, CHANNEL_DRAIN);
    refuse_newcomers(s);
}

/* Workers that have a file of that path switch to the new one. */
static void reopen_key_log(Supervisor *s, const KeyLog *file)
{
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    if (key_log_reopen(file, &why) != ERR_OK) {
        LOG(ERROR, "a key log stays as it was", LOG_STR("why", text_str(&why)));
        return;
    }
    ChannelMessage message = {
        .kind = CHANNEL_KEY_LOG, .bytes = file->path, .fd_count = 1, .fds = {file->fd}};
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        const KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE && channel_order_patiently(&w->channel, &message) != ERR_OK) {
            LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)w->pid));
        }
    }
}

static void reopen_logs(Supervisor *s)
{
    for (size_t i = 0; i < s->current->key_logs.count; i++) {
        reopen_key_log(s, &s->current->key_logs.files[i]);
    }
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    Logs fresh = LOGS_NONE;
    if (logs_reopen(&s->current->settings->system.log, &fresh, &why) != ERR_OK) {
        LOG(ERROR, "logs not opened again", LOG_STR("why", text_str(&why)));
        return;
    }
    ChannelMessage message = {.kind = CHANNEL_LOGS,
                              .fd_count = LOG_STREAMS,
                              .fds = {fresh.fds[LOG_TO_ERROR], fresh.fds[LOG_TO_ACCESS]}};
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        const KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE && channel_order(&w->channel, &message) != ERR_OK) {
            LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)w->pid));
        }
    }
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (fresh.fds[i] >= 0) {
            (void)close(s->logs.fds[i]);
            s->logs.fds[i] = fresh.fds[i];
        }
    }
    log_bind_direct(s->logs.fds[LOG_TO_ERROR], logs_level(&s->current->settings->system.log));
    LOG(INFO, "logs opened again");
}

/* ---- the service manager ---- */

/* Whether traffic is served, as far as the supervisor can tell; only then the watchdog is fed. */
static bool worker_is_well(Supervisor *s)
{
    const KeptChild *w = manager_find(&s->manager, KEPT_SERVING);
    return s->state == STATE_SERVING ? w && w->ready && !w->stuck : supervisor_has_workers(s);
}

/* ---- events ---- */

static void on_signal(Supervisor *s, uint32_t number)
{
    switch (number) {
    case SIGTERM:
        if (s->state == STATE_SERVING) {
            begin_drain(s);
            return;
        }
        begin_stop(s);
        return;
    case SIGINT:
        begin_stop(s);
        return;
    case SIGUSR1:
        reopen_logs(s);
        return;
    case SIGQUIT:
        upgrade_to_waiting(s);
        return;
    case SIGHUP:
        reload_begin(s, RELOAD_FILE, NULL, false);
        return;
    default:
        return;
    }
}

static void take_signals(Supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        on_signal(s, info.ssi_signo);
    }
}

static void on_worker_end(Supervisor *s, const KeptChild *w, int status)
{
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
    if (s->state != STATE_SERVING) {
        s->exit_status = clean ? s->exit_status : EXIT_FAILED;
        if (!supervisor_has_workers(s)) {
            s->state = STATE_OVER;
        }
        return;
    }
    dumping_on_death(s, w->role);
    reload_on_death(s, w);
    reload_mend_listeners(s);
    if (w->role != KEPT_SERVING) {
        return;
    }
    s->reload.anew = false; /* the next worker gets our sockets */
    answers_without_worker(s);
    if (!w->ready && s->manager.restarts.count == 0 && s->reload.count == 0) {
        LOG(ERROR, "the first worker could not start");
        s->state = STATE_OVER;
        s->exit_status = EXIT_FAILED;
        return;
    }
    notify_status(&s->notify, S("the worker died; the next one starts"), clock_ms());
    restarts_plan(&s->manager.restarts, clock_ms());
}

static void log_serving(const Supervisor *s, const KeptChild *w)
{
    const Settings *settings = s->current->settings;
    unsigned threads = supervisor_worker_setup(s, s->current).threads;
    MachineShares shares = machine_shares(settings, threads);
    LOG(INFO, "serving", LOG_STR("version", S(RIVER_VERSION)),
        LOG_U64("pid", (uint64_t)getpid()), LOG_U64("worker", (uint64_t)w->pid),
        LOG_U64("threads", threads),
        LOG_U64("services", settings->service_count),
        LOG_U64("listeners", settings->listener_count), LOG_U64("clients_max", shares.clients));
    if (shares.clients > shares.fitting) {
        LOG(WARN, "there are fewer descriptors than `max-connections` needs",
            LOG_U64("descriptors", shares.limit), LOG_U64("clients_fitting", shares.fitting));
    }
}

static void on_ready(Supervisor *s, KeptChild *w, CageState cage)
{
    w->ready = true;
    w->cage = cage;
    cage_log(&s->cage_told, cage, s->current->settings->system.sandbox);
    if (w->role == KEPT_COMING) {
        reload_on_ready(s, w);
    }
    supervisor_confirm(s, w);
    log_serving(s, w);
    listen_settle(&s->current->listeners);
    if (s->takeover.fd >= 0) {
        takeover_ready(s); /* the service manager hears from us once the old one has named us */
    } else {
        supervisor_notify_serving(s);
    }
    if (s->manager.restarts.count == 0 && s->reload.count == 0) {
        (void)fprintf(stderr, "%.*s", STR_ARG(s->launch->greeting));
    }
    daemon_ready(s->daemon_pipe);
    s->daemon_pipe = -1;
}

static void on_message(Supervisor *s, KeptChild *w, const ChannelMessage *message)
{
    if (message->kind == CHANNEL_READY && !w->ready && w->role != KEPT_LEAVING) {
        on_ready(s, w, message->value);
        return;
    }
    if (message->kind == CHANNEL_DUMPED) {
        dumping_on_message(s, w, message->value == 1);
        return;
    }
    if (message->kind == CHANNEL_RELOADED) {
        reload_on_message(s, w, message);
        return;
    }
    if (message->kind == CHANNEL_DEAF) {
        reload_on_deaf(s, w);
        return;
    }
    answers_on_message(s, message);
}

static void take_messages(Supervisor *s, KeptChild *w)
{
    ChannelMessage message;
    for (unsigned i = 0; i < MESSAGES_A_TURN && w->role != KEPT_NONE && w->channel.answers >= 0;
         i++) {
        Err err = channel_take_answer(&w->channel, span_of(s->room, sizeof s->room), &message);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK && err != ERR_SYNTAX) {
            /* It is ending or has closed its side: there is nothing to wait for here. */
            channel_close(&w->channel);
            return;
        }
        if (err == ERR_OK) {
            on_message(s, w, &message);
        }
    }
}

/* ---- the loop ---- */

static void start_worker(Supervisor *s, uint64_t now)
{
    KeptChild *w = NULL;
    WorkerSetup setup = supervisor_worker_setup(s, s->current);
    if (manager_start(&s->manager, &setup, KEPT_SERVING, now, &w) != ERR_OK) {
        s->manager.restarts.due_ms = now + MANAGER_PAUSE_MS;
        LOG(ERROR, "worker cannot be forked");
    }
}

/* Passes a finished dump to the requester. */
static void take_dump(Supervisor *s)
{
    Dump dump;
    if (!dumping_take(s, &dump)) {
        return;
    }
    if (dump.purpose == DUMP_FOR_RELOAD) {
        reload_on_dump(s, dump.fd);
    } else {
        upgrade_on_dump(s, dump.fd);
    }
    if (dump.fd >= 0) {
        (void)close(dump.fd);
    }
}

/* There is no serving worker, and none is starting. */
static bool needs_worker(Supervisor *s)
{
    return s->state == STATE_SERVING && !manager_find(&s->manager, KEPT_SERVING);
}

/* Helpers end when River stops serving: they have no work to finish. */
static void keep_helpers(Supervisor *s, uint64_t now)
{
    const SystemSettings *system = &s->current->settings->system;
    HelperSetup setup = {.account = &system->account,
                         .sandbox = system->sandbox,
                         .log = s->logs.fds[LOG_TO_ERROR]};
    if (s->state == STATE_SERVING) {
        helpers_keep(&s->manager, s->helper_watches, &setup, now);
    } else {
        helpers_end(&s->manager);
    }
}

static void keep_deadlines(Supervisor *s)
{
    uint64_t now = clock_ms();
    if (needs_worker(s) && now >= s->manager.restarts.due_ms) {
        start_worker(s, now);
    }
    if (s->state == STATE_SERVING) {
        dumping_keep_deadlines(s, now);
        reload_keep_deadlines(s, now);
        roots_keep(s, now);
        upgrade_keep_deadlines(s, now);
        if (s->store_at_ms != 0 && now >= s->store_at_ms) {
            supervisor_store_listeners(s);
        }
        if (s->claim_at_ms != 0 && now >= s->claim_at_ms) {
            supervisor_claim_files(s);
        }
    }
    keep_helpers(s, now);
    bool serves = s->state == STATE_SERVING;
    watch_keep(&s->watch, serves ? manager_find(&s->manager, KEPT_SERVING) : NULL, now);
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE && w->kill_at_ms != 0 && now >= w->kill_at_ms) {
            LOG(ERROR, "worker did not end in time: killed", LOG_U64("pid", (uint64_t)w->pid));
            (void)kill(w->pid, SIGKILL);
            w->kill_at_ms = now + STOP_GRACE_MS;
        }
    }
    /* Until the old River has named us as the main process, it sends the messages. */
    notify_keep(&s->notify, worker_is_well(s) && s->takeover.fd < 0, now);
}

/* Milliseconds until keep_deadlines must run; -1: never. */
static int wait_ms(Supervisor *s)
{
    uint64_t now = clock_ms();
    uint64_t due = 0;
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        const KeptChild *w = &s->manager.workers[i];
        clock_sooner(&due, w->role != KEPT_NONE ? w->kill_at_ms : 0);
    }
    if (needs_worker(s)) {
        clock_sooner(&due, u64_max(s->manager.restarts.due_ms, 1));
    }
    if (s->state == STATE_SERVING) {
        clock_sooner(&due, reload_due_ms(s));
        clock_sooner(&due, roots_due_ms(s));
        clock_sooner(&due, s->upgrade.deadline_ms);
        clock_sooner(&due, s->dumping.deadline_ms);
        clock_sooner(&due, s->store_at_ms);
        clock_sooner(&due, s->claim_at_ms);
    }
    if (s->state == STATE_SERVING) {
        clock_sooner(&due, helpers_due_ms(&s->manager, s->helper_watches));
    }
    clock_sooner(&due, watch_due_ms(&s->watch));
    clock_sooner(&due, notify_due_ms(&s->notify));
    int wait = control_wait_ms(&s->control, now);
    if (due != 0) {
        uint64_t left = due > now ? due - now : 0;
        wait = left < (uint64_t)INT32_MAX && (wait < 0 || left < (uint64_t)wait) ? (int)left : wait;
    }
    return wait;
}

/* Everything to poll: signals, workers, helpers, control clients. */
static size_t gather_fds(Supervisor *s, struct pollfd *fds)
{
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        const KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE) {
            fds[count++] = (struct pollfd){.fd = w->process, .events = POLLIN};
            fds[count++] = (struct pollfd){.fd = w->channel.answers, .events = POLLIN};
        }
    }
    fds[count++] = (struct pollfd){.fd = s->takeover.fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = s->upgrade.fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = s->manager.nursery.fd, .events = POLLIN};
    count += helpers_poll(&s->manager, &fds[count]);
    return count + control_poll(&s->control, &fds[count], POLL_MAX - count);
}

static void run_loop(Supervisor *s)
{
    while (s->state != STATE_OVER) {
        struct pollfd fds[POLL_MAX];
        size_t count = gather_fds(s, fds);
        (void)poll(fds, count, wait_ms(s));
        for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
            take_messages(s, &s->manager.workers[i]);
        }
        int status = 0;
        KeptChild ended;
        while (manager_reap(&s->manager, s->state != STATE_SERVING, clock_ms(), &ended,
                           &status)) {
            on_worker_end(s, &ended, status);
        }
        helpers_hear(&s->manager, clock_ms());
        helpers_reap(&s->manager, clock_ms());
        nursery_look(&s->manager.nursery);
        manager_reap_strangers(&s->manager, s->upgrade.pid);
        if (s->takeover.fd >= 0) {
            takeover_on_readable(s);
        }
        if (s->upgrade.fd >= 0) {
            upgrade_on_readable(s);
        }
        take_signals(s);
        answers_serve(s);
        take_dump(s);
        key_checker_end(&s->source.files->keys); /* started for an answer or a note */
        if (s->state != STATE_OVER) {
            keep_deadlines(s);
        }
    }
}

/* ---- start and end ---- */

static void tidy_up(Supervisor *s)
{
    listen_close(&s->current->listeners, NULL, true);
    control_close(&s->control);
    supervisor_close_orphan(s);
    notify_close(&s->notify);
    pidfile_remove(s->system.pid_file, s->pid_file);
    helpers_end(&s->manager);
    nursery_end(&s->manager.nursery);
    source_close(&s->source);
    configuration_close(s->current, NULL);
    configuration_drop(s->current);
    if (s->previous) {
        configuration_drop(s->previous);
    }
}

int supervisor_run(const Source *source, const Launch *launch, Arena *arena)
{
    static Supervisor supervisor; /* too large for the stack */
    Supervisor *s = &supervisor;
    static Files files;
    *s = (Supervisor){.source = *source,
                      .launch = launch,
                      .arena = arena,
                      .takeover = {.fd = -1, .state = -1},
                      .upgrade = {.fd = -1},
                      .dumping = {.fd = -1},
                      .orphan = {.fd = -1},
                      .logs = LOGS_NONE,
                      .reload = {.logs = LOGS_NONE},
                      .signals = -1,
                      .pid_file = -1,
                      .daemon_pipe = -1};
    s->current = &s->configurations[0];
    control_none(&s->control);
    blocks_init(&s->blocks, NULL, BLOCK_BYTES, 0);
    uint8_t room[1024];
    Text why = text_in(span_of(room, sizeof room));
    s->takeover.fd = launch->hand_over_fd;
    int status = supervisor_begin(s, &files, &why);
    status = status == EXIT_OK ? supervisor_load(s, arena, &why) : status;
    if (status != EXIT_OK) {
        takeover_failed(&s->takeover, text_str(&why));
        nursery_end(&s->manager.nursery);
        source_close(&s->source);
        return status;
    }
    Err err = supervisor_keep_system(s, arena);
    err = err == ERR_OK ? supervisor_prepare(s, arena, &why) : err;
    if (err != ERR_OK) {
        Str reason = why.len > 0 ? text_str(&why) : str_from_c(err_sentence(err));
        (void)fprintf(stderr, "river: %.*s\n", STR_ARG(reason));
        takeover_failed(&s->takeover, reason);
        tidy_up(s);
        return EXIT_FAILED;
    }
    run_loop(s);
    tidy_up(s);
    LOG(INFO, "stopped");
    logs_close(&s->logs);
    return s->exit_status;
}
