/* supervisor.c - start, one loop over everything that can happen, end.
 *
 *     SERVING --SIGTERM--> DRAINING --SIGTERM, SIGINT, deadline--> STOPPING --> the end
 *        \-----SIGINT-------------------------------------------------/
 */
#include "app/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin/status.h"
#include "app/cage.h"
#include "app/channel.h"
#include "app/control.h"
#include "app/daemon.h"
#include "app/exit.h"
#include "app/keeper.h"
#include "app/pidfile.h"
#include "app/renew.h"
#include "base/number.h"
#include "loop/crash.h"

#define STOP_GRACE_MS 3000u  /* for a worker that was told to stop, before it is killed */
#define DRAIN_GRACE_MS 5000u /* beyond the drain's own deadline */
#define CONTROL_TICK_MS 500
#define STATUS_BYTES_MAX (64u << 20)
#define POLL_MAX (3 + 1 + CONTROL_CLIENTS_MAX)

typedef enum State { STATE_SERVING, STATE_DRAINING, STATE_STOPPING, STATE_OVER } State;

typedef struct Supervisor {
    const Settings *settings;
    Files *files;
    Renewal renewal;
    size_t key_log_count;
    int *key_logs COUNTED_BY(key_log_count); /* one for each listener; -1: none */
    int *roots; /* the directories of file servers, as in Settings.roots */
    State state;
    int exit_status;
    ListenSet listeners;
    Logs logs;
    Control control;
    Keeper keeper;
    int signals;
    int pid_file;
    int daemon_pipe;
    uint64_t started_ms;
    uint64_t kill_at_ms; /* 0: the worker may live */
    uint8_t room[CHANNEL_BYTES_MAX];
} Supervisor;

static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- orders to the worker ---- */

static void order(Supervisor *s, ChannelKind kind, uint64_t value)
{
    ChannelMessage message = {.kind = kind, .value = value};
    if (s->keeper.pid != 0 && channel_send(s->keeper.channel, &message) != ERR_OK) {
        LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)s->keeper.pid));
    }
}

static void begin_stop(Supervisor *s)
{
    LOG(INFO, "stopping");
    listen_close(&s->listeners, true);
    s->state = s->keeper.pid == 0 ? STATE_OVER : STATE_STOPPING;
    s->kill_at_ms = clock_ms() + STOP_GRACE_MS;
    order(s, CHANNEL_STOP, 0);
}

static void begin_drain(Supervisor *s)
{
    uint64_t limit_ms = s->settings->system.drain_timeout_ms;
    LOG(INFO, "draining", LOG_U64("timeout_ms", limit_ms));
    /* Our copies would keep the ports open with nobody to accept. */
    listen_close(&s->listeners, true);
    s->state = s->keeper.pid == 0 ? STATE_OVER : STATE_DRAINING;
    s->kill_at_ms = clock_ms() + limit_ms + DRAIN_GRACE_MS;
    order(s, CHANNEL_DRAIN, limit_ms);
}

static void reopen_logs(Supervisor *s)
{
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    Logs fresh = LOGS_NONE;
    if (logs_reopen(&s->settings->system.log, &fresh, &why) != ERR_OK) {
        LOG(ERROR, "logs not opened again", LOG_STR("why", text_str(&why)));
        return;
    }
    ChannelMessage message = {.kind = CHANNEL_LOGS,
                              .fd_count = LOG_STREAMS,
                              .fds = {fresh.fds[LOG_TO_ERROR], fresh.fds[LOG_TO_ACCESS]}};
    if (s->keeper.pid != 0 && channel_send(s->keeper.channel, &message) != ERR_OK) {
        LOG(WARN, "worker does not take orders", LOG_U64("pid", (uint64_t)s->keeper.pid));
    }
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (fresh.fds[i] >= 0) {
            (void)close(s->logs.fds[i]);
            s->logs.fds[i] = fresh.fds[i];
        }
    }
    log_bind_direct(s->logs.fds[LOG_TO_ERROR], logs_level(&s->settings->system.log));
    LOG(INFO, "logs opened again");
}

/* ---- certificates ---- */

/* Hands new bytes to the worker; one that starts later gets them anyway. */
static void send_material(Supervisor *s, const Material *fresh)
{
    ChannelMessage message = {.kind = CHANNEL_RENEW, .fd_count = 1, .fds = {-1, -1}};
    Err err = s->keeper.pid != 0 ? renewal_pack(fresh, &message.fds[0]) : ERR_OK;
    if (err == ERR_OK && s->keeper.pid != 0) {
        err = channel_send(s->keeper.channel, &message);
        (void)close(message.fds[0]);
    }
    if (err != ERR_OK) {
        LOG(ERROR, "certificates did not reach the worker",
            LOG_STR("why", str_from_c(err_sentence(err))));
    }
}

static void renew_certificates(Supervisor *s)
{
    Material fresh = {0};
    Err err = renewal_read(&s->renewal, &fresh);
    if (err == ERR_MISSING) {
        if (s->renewal.refused == 0) {
            LOG(INFO, "certificates read again: nothing new");
        }
        return;
    }
    if (err != ERR_OK) {
        LOG(ERROR, "certificates not read again", LOG_STR("why", str_from_c(err_sentence(err))));
        return;
    }
    for (size_t i = 0; i < fresh.count; i++) {
        if (fresh.parts[i].count > 0) {
            LOG(INFO, "new certificates",
                LOG_STR("listener", s->settings->listeners[i].address.text));
        }
    }
    send_material(s, &fresh);
}

/* ---- what can happen ---- */

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
    case SIGHUP:
        LOG(WARN, "only certificates are read again: reloading the configuration is not "
                  "supported yet");
        renew_certificates(s);
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

/* Adds the certificates to an answer. */
static void answer_certificates(Supervisor *s, ControlClient *client)
{
    Arena arena;
    const CertificateStatus *list = NULL;
    size_t count = 0;
    Span room = {0};
    bool json = client->ask == CONTROL_STATUS_JSON;
    arena_init(&arena, &s->renewal.blocks, STATUS_BYTES_MAX);
    files_look_at_clock(s->files);
    if (renewal_status(&s->renewal, &arena, &list, &count) != ERR_OK ||
        !arena_span(&arena, status_certificates_bytes(list, count), &room)) {
        count = 0;
        list = NULL;
    }
    uint8_t least[64];
    Text t = text_in(room.len > 0 ? room : span_of(least, sizeof least));
    status_print_certificates(&t, list, count, s->files->config.now_s, json);
    control_answer(&s->control, client, text_str(&t));
    arena_reset(&arena);
}

/* Ends an answer: as text the certificates stand last. */
static void finish_answer(Supervisor *s, ControlClient *client, Str text, Str json)
{
    bool is_json = client->ask == CONTROL_STATUS_JSON;
    control_answer(&s->control, client, is_json ? json : text);
    if (!is_json) {
        answer_certificates(s, client);
    }
    control_finish(client);
}

/* Whoever waits for the dead worker's part of the status gets the rest without it. */
static void answer_without_worker(Supervisor *s)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        ControlClient *client = &s->control.clients[i];
        if (client->fd >= 0 && client->ask != CONTROL_NOTHING && !client->answered) {
            bool json = client->ask == CONTROL_STATUS_JSON && !client->begun;
            finish_answer(s, client, S("the worker died\n"),
                          json ? S("null}\n") : S("the worker died\n"));
        }
    }
}

static void on_worker_end(Supervisor *s, int status)
{
    answer_without_worker(s);
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
    if (s->state != STATE_SERVING) {
        s->state = STATE_OVER;
        s->exit_status = clean ? EXIT_OK : EXIT_FAILED;
        return;
    }
    if (s->keeper.failed) {
        LOG(ERROR, "the first worker could not start");
        s->state = STATE_OVER;
        s->exit_status = EXIT_FAILED;
        return;
    }
    keeper_plan_restart(&s->keeper, clock_ms());
}

static CagePlan cage_plan(const Supervisor *s)
{
    const SystemSettings *system = &s->settings->system;
    return (CagePlan){.account = &system->account, .sandbox = system->sandbox};
}

static void log_serving(const Supervisor *s)
{
    LOG(INFO, "serving", LOG_STR("version", S(RIVER_VERSION)),
        LOG_U64("pid", (uint64_t)getpid()), LOG_U64("worker", (uint64_t)s->keeper.pid),
        LOG_U64("threads", s->keeper.setup.threads),
        LOG_U64("services", s->settings->service_count),
        LOG_U64("listeners", s->listeners.count));
}

static void on_message(Supervisor *s, const ChannelMessage *message)
{
    if (message->kind == CHANNEL_READY && !s->keeper.ready) {
        CagePlan plan = cage_plan(s);
        if (s->keeper.cage != message->value) {
            cage_log(&plan, message->value);
        }
        s->keeper.ready = true;
        s->keeper.cage = message->value;
        log_serving(s);
        daemon_ready(s->daemon_pipe);
        s->daemon_pipe = -1;
    }
    ControlClient *client = control_find(&s->control, message->id);
    if (!client) {
        return;
    }
    client->begun = true;
    if (message->kind == CHANNEL_STATUS_PART) {
        control_answer(&s->control, client, message->bytes);
    } else if (message->kind == CHANNEL_STATUS_END) {
        finish_answer(s, client, S(""), S("}\n"));
    }
}

static void take_messages(Supervisor *s)
{
    ChannelMessage message;
    while (s->keeper.channel >= 0) {
        Err err = channel_receive(s->keeper.channel, span_of(s->room, sizeof s->room), false,
                                  &message);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK && err != ERR_SYNTAX) {
            /* It ends now, or has closed its side: either way there is nothing to wait for here. */
            (void)close(s->keeper.channel);
            s->keeper.channel = -1;
            return;
        }
        if (err == ERR_OK) {
            on_message(s, &message);
        }
    }
}

/* ---- the control socket ---- */

static ProcessStatus process_status(const Supervisor *s)
{
    uint64_t now = clock_ms();
    return (ProcessStatus){
        .version = S(RIVER_VERSION),
        .state = s->state == STATE_SERVING ? S("serving") : S("draining"),
        .supervisor_pid = (uint64_t)getpid(),
        .worker_pid = (uint64_t)s->keeper.pid,
        .up_ms = now - s->started_ms,
        .worker_up_ms = s->keeper.pid == 0 ? 0 : now - s->keeper.started_ms,
        .restarts = s->keeper.restarts,
    };
}

/* Answers with what the supervisor knows; the worker adds its part when it can. */
static void answer_status(Supervisor *s, ControlClient *client)
{
    bool json = client->ask == CONTROL_STATUS_JSON;
    ProcessStatus status = process_status(s);
    uint8_t room[1024];
    uint8_t cage_room[256];
    Text t = text_in(span_of(room, sizeof room));
    status.cage = cage_text(span_of(cage_room, sizeof cage_room), s->keeper.cage);
    status_print_process(&t, &status, json);
    control_answer(&s->control, client, text_str(&t));
    if (json) {
        answer_certificates(s, client);
        control_answer(&s->control, client, S("\"worker\":"));
    }
    ChannelMessage question = {.kind = CHANNEL_STATUS, .id = client->id, .value = json};
    if (s->keeper.ready && channel_send(s->keeper.channel, &question) == ERR_OK) {
        return;
    }
    finish_answer(s, client, S("no worker serves now\n"), S("null}\n"));
}

static void serve_control(Supervisor *s)
{
    ControlClient *client;
    while ((client = control_serve(&s->control, clock_ms())) != NULL) {
        answer_status(s, client);
    }
}

/* ---- the loop ---- */

static void keep_deadlines(Supervisor *s)
{
    uint64_t now = clock_ms();
    Keeper *k = &s->keeper;
    if (s->state == STATE_SERVING && k->pid == 0 && now >= k->start_at_ms) {
        if (keeper_start(k, now) != ERR_OK) {
            k->start_at_ms = now + KEEPER_PAUSE_MS;
            LOG(ERROR, "worker cannot be forked");
        }
    }
    if (s->state == STATE_SERVING && renewal_is_due(&s->renewal, now)) {
        renew_certificates(s);
    }
    if (s->kill_at_ms != 0 && now >= s->kill_at_ms && k->pid != 0) {
        LOG(ERROR, "worker did not end in time: killed", LOG_U64("pid", (uint64_t)k->pid));
        (void)kill(k->pid, SIGKILL);
        s->kill_at_ms = now + STOP_GRACE_MS;
    }
}

/* Milliseconds until keep_deadlines has something to do; -1: nothing. */
static int wait_ms(const Supervisor *s, size_t control_count)
{
    uint64_t now = clock_ms();
    uint64_t due = s->kill_at_ms;
    if (s->state == STATE_SERVING && s->keeper.pid == 0) {
        due = s->keeper.start_at_ms;
    }
    if (s->state == STATE_SERVING && s->renewal.tls_count > 0 &&
        (due == 0 || s->renewal.look_at_ms < due)) {
        due = s->renewal.look_at_ms;
    }
    int wait = control_count > 1 ? CONTROL_TICK_MS : -1;
    if (due != 0) {
        uint64_t left = due > now ? due - now : 0;
        wait = wait < 0 || left < (uint64_t)wait ? (int)u64_min(left, 60000) : wait;
    }
    return wait;
}

static void run_loop(Supervisor *s)
{
    while (s->state != STATE_OVER) {
        struct pollfd fds[POLL_MAX] = {
            {.fd = s->signals, .events = POLLIN},
            {.fd = s->keeper.process, .events = POLLIN},
            {.fd = s->keeper.channel, .events = POLLIN},
        };
        size_t control = control_poll(&s->control, &fds[3], POLL_MAX - 3);
        (void)poll(fds, 3 + control, wait_ms(s, control));
        take_messages(s);
        int status = 0;
        if (keeper_reap(&s->keeper, s->state != STATE_SERVING, &status)) {
            on_worker_end(s, status);
        }
        take_signals(s);
        serve_control(s);
        if (s->state != STATE_OVER) {
            keep_deadlines(s);
        }
    }
}

/* ---- start and end ---- */

static Err block_signals(int *ret)
{
    sigset_t ours;
    (void)sigemptyset(&ours);
    /* SIGCHLD only ends the wait, should the system have no descriptors for processes. */
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&ours, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &ours, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    *ret = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    return *ret < 0 ? err_from_errno(errno) : ERR_OK;
}

/* As many descriptors as we may have: each connection is one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static unsigned count_threads(const Settings *settings)
{
    cpu_set_t cpus;
    unsigned threads = settings->system.threads;
    if (threads == 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
        threads = (unsigned)CPU_COUNT(&cpus);
    }
    return (unsigned)size_min(threads == 0 ? 1 : threads, WORKER_THREADS_MAX);
}

/* A River without a control socket serves all the same, unless the socket was asked for. */
static Err open_control(Supervisor *s, Arena *arena, Text *why)
{
    control_none(&s->control);
    Str path = s->settings->system.control_socket;
    if (path.len > 0) {
        return control_open(&s->control, path, why);
    }
    uint8_t room[128];
    uint8_t why_room[512];
    Text own_why = text_in(span_of(why_room, sizeof why_room));
    Text found = text_in(span_of(room, sizeof room));
    Err err = control_default_path(true, &found);
    if (err == ERR_OK && arena_copy(arena, text_str(&found), &path)) {
        err = control_open(&s->control, path, &own_why);
    }
    if (err != ERR_OK) {
        control_none(&s->control);
        LOG(WARN, "no control socket", LOG_STR("path", text_str(&found)),
            LOG_STR("why", own_why.len > 0 ? text_str(&own_why)
                                           : str_from_c(err_sentence(err))));
    }
    return ERR_OK;
}

/* Opens the key logs; listeners that name one file share it. */
static Err open_key_logs(Supervisor *s, Arena *arena, Text *why)
{
    size_t count = s->renewal.material.count;
    int *fds = arena_array(arena, int, count);
    if (!fds) {
        return ERR_MEMORY;
    }
    s->key_logs = fds;
    s->key_log_count = count;
    for (size_t i = 0; i < count; i++) {
        Str path = s->settings->listeners[i].tls.key_log_path;
        s->key_logs[i] = -1;
        for (size_t k = 0; k < i && path.len > 0; k++) {
            if (str_equal(s->settings->listeners[k].tls.key_log_path, path)) {
                s->key_logs[i] = s->key_logs[k];
            }
        }
        if (path.len == 0 || s->key_logs[i] >= 0) {
            continue;
        }
        Err err = files_append(path, &s->key_logs[i]);
        if (err != ERR_OK) {
            text_format(why, "cannot write %.*s: %s", STR_ARG(path), err_sentence(err));
            return err;
        }
        LOG(WARN, "the secrets of TLS sessions are written to a file", LOG_STR("path", path));
    }
    return ERR_OK;
}

/* Everything that can fail before the first fork of a worker; `why` tells a person what did. */
static Err prepare(Supervisor *s, Arena *arena, Text *why)
{
    const SystemSettings *system = &s->settings->system;
    raise_descriptor_limit();
    TRY(block_signals(&s->signals));
    TRY(logs_open(&system->log, &s->logs, why));
    log_bind_direct(s->logs.fds[LOG_TO_ERROR], logs_level(&system->log));
    CagePlan plan = cage_plan(s);
    TRY(cage_check(&plan, why));
    cage_hide(&plan);
    cage_warn(&plan);
    TRY(renewal_open(&s->renewal, s->settings, s->files, clock_ms()));
    TRY(open_key_logs(s, arena, why));
    TRY(files_roots(s->files, s->settings, arena, &s->roots, why));
    TRY(listen_open(arena, s->settings, &s->listeners, why));
    TRY(open_control(s, arena, why));
    if (system->daemonize) {
        TRY(daemon_start(&s->daemon_pipe));
    }
    if (system->pid_file.len > 0) {
        TRY(pidfile_write(system->pid_file, &s->pid_file, why));
    }
    WorkerSetup setup = {.settings = s->settings,
                         .listeners = &s->listeners,
                         .logs = &s->logs,
                         .material = &s->renewal.material,
                         .key_log_count = s->key_log_count,
                         .root_count = s->settings->root_count,
                         .threads = count_threads(s->settings)};
    setup.key_logs = s->key_logs;
    setup.roots = s->roots;
    keeper_init(&s->keeper, &setup);
    TRY(crash_open(setup.threads + 1));
    s->started_ms = clock_ms();
    return keeper_start(&s->keeper, s->started_ms);
}

static void tidy_up(Supervisor *s)
{
    listen_close(&s->listeners, true);
    control_close(&s->control);
    pidfile_remove(s->settings->system.pid_file, s->pid_file);
    renewal_close(&s->renewal);
}

int supervisor_run(const Settings *settings, Files *files, Arena *arena)
{
    static Supervisor supervisor; /* large, and there is only one */
    Supervisor *s = &supervisor;
    *s = (Supervisor){.settings = settings,
                      .files = files,
                      .logs = LOGS_NONE,
                      .signals = -1,
                      .pid_file = -1,
                      .daemon_pipe = -1};
    control_none(&s->control);
    uint8_t room[1024];
    Text why = text_in(span_of(room, sizeof room));
    Err err = prepare(s, arena, &why);
    if (err != ERR_OK) {
        Str reason = why.len > 0 ? text_str(&why) : str_from_c(err_sentence(err));
        (void)fprintf(stderr, "river: %.*s\n", STR_ARG(reason));
        tidy_up(s);
        return EXIT_FAILED;
    }
    run_loop(s);
    tidy_up(s);
    LOG(INFO, "stopped");
    logs_close(&s->logs);
    return s->exit_status;
}
