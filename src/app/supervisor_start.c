/* supervisor_start.c - from the configuration to the first worker: everything that can fail before
 * River serves. */
#include "app/supervision.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "app/activation.h"
#include "app/channel.h"
#include "app/daemon.h"
#include "app/exit.h"
#include "app/terminal.h"
#include "app/upgrade.h"

#define START_PATIENCE_MS 1000u /* to wait for an address that is in use */
#define START_TICK_MS 20u

static Err block_signals(int *ret)
{
    sigset_t ours;
    (void)sigemptyset(&ours);
    /* SIGCHLD only ends the wait, for systems without pidfds. */
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&ours, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &ours, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a full log file is like a full disk */
    *ret = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    return *ret < 0 ? err_from_errno(errno) : ERR_OK;
}

/* Copies the parts of `system` that hold until River ends to permanent memory. */
Err supervisor_keep_system(Supervisor *s, Arena *arena)
{
    s->system = s->current->settings->system;
    bool kept = arena_copy(arena, s->system.pid_file, &s->system.pid_file) &&
                arena_copy(arena, s->system.control_socket, &s->system.control_socket) &&
                arena_copy(arena, s->system.upgrade_socket, &s->system.upgrade_socket);
    return kept ? ERR_OK : ERR_MEMORY;
}

/* Takes over the sockets of a worker that still serves after its supervisor has died. If the orphan
 * fails to cooperate, River starts anyway. */
static void meet_orphan(Supervisor *s, Arena *arena)
{
    Takeover *t = &s->takeover;
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    if (!orphan_meet(s->control_path, &t->fd, &t->go_between)) {
        return;
    }
    LOG(INFO, "a worker without a supervisor serves: its listeners are taken over");
    if (takeover_receive(t, s->launch, &s->system, arena, &why) != ERR_OK) {
        LOG(ERROR, "nothing is taken over", LOG_STR("why", text_str(&why)));
        (void)kill(t->go_between, SIGKILL);
        (void)close(t->fd);
        t->fd = -1;
    }
}

/* Opens what the configuration names, except what is taken over. */
static Err open_configured(Supervisor *s, Arena *arena, Text *why)
{
    Err err = configuration_open(s->current, s->source.files, &s->takeover.sockets, why);
    if (err == ERR_EXISTS && s->takeover.fd < 0) {
        meet_orphan(s, arena); /* its supervisor may have died only now */
    }
    return err;
}

/* A River that has just ended or been killed may still hold an address or a file. */
static Err open_patiently(Supervisor *s, Err (*open)(Supervisor *, Arena *, Text *), Arena *arena,
                          Text *why)
{
    const struct timespec pause = {.tv_nsec = START_TICK_MS * 1000000L};
    uint64_t deadline_ms = clock_ms() + START_PATIENCE_MS;
    for (;;) {
        why->len = 0;
        Err err = open(s, arena, why);
        if (err != ERR_EXISTS || clock_ms() >= deadline_ms) {
            return err;
        }
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}

int supervisor_begin(Supervisor *s, Files *files, Text *why)
{
    Err err = block_signals(&s->signals);
    err = err == ERR_OK ? region_reserve() : err;
    err = err == ERR_OK ? manager_init(&s->manager) : err;
    err = err == ERR_OK ? source_open(&s->source, files, &s->manager) : err;
    if (err != ERR_OK) {
        text_format(why, "no process can be made: %s", err_sentence(err));
        (void)fprintf(stderr, "river: %.*s\n", STR_ARG(text_str(why)));
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

/* Children belong to the process that stays, in the background. The old nursery belongs to the one
 * that goes; the next birth creates another. */
static Err go_to_background(Supervisor *s)
{
    nursery_end(&s->manager.nursery);
    s->manager.nursery.let_go = true;
    return daemon_start(&s->daemon_pipe);
}

/* Everything that can fail before the first worker; `why` tells the user what did. */
Err supervisor_prepare(Supervisor *s, Arena *arena, Text *why)
{
    const SystemSettings *system = &s->system;
    TRY(logs_open(&system->log, &s->logs, why));
    log_bind_direct(s->logs.fds[LOG_TO_ERROR], logs_level(&system->log));
    TRY(cage_prepare(s->current->settings, why));
    notify_open(&s->notify, s->launch->notify, clock_ms());
    supervisor_find_control(s, arena);
    if (s->launch->upgrade || s->launch->hand_over_fd >= 0) {
        TRY(takeover_receive(&s->takeover, s->launch, system, arena, why));
    } else {
        meet_orphan(s, arena);
    }
    TRY(open_patiently(s, open_configured, arena, why));
    listen_close(&s->takeover.sockets, &s->current->listeners, false);
    activation_close_rest(&s->notify);
    if (system->daemonize && s->launch->hand_over_fd < 0) {
        TRY(go_to_background(s));
    }
    if (s->takeover.fd < 0) {
        TRY(open_patiently(s, supervisor_open_control, arena, why));
        TRY(open_patiently(s, supervisor_open_pid_file, arena, why));
    }
    s->started_ms = clock_ms();
    reload_first(s, s->started_ms);
    KeptChild *w = NULL;
    WorkerSetup setup = supervisor_worker_setup(s, s->current);
    setup.state = s->takeover.state;
    Err err = manager_start(&s->manager, &setup, KEPT_SERVING, s->started_ms, &w);
    if (s->takeover.state >= 0) {
        (void)close(s->takeover.state);
        s->takeover.state = -1;
    }
    return err;
}

/* Reads the configuration, and prints what is wrong with it on standard error. */
int supervisor_load(Supervisor *s, Arena *arena, Text *why)
{
    uint8_t room[1024];
    ConfigurationReport report = {.arena = arena,
                                  .colour = terminal_colour(STDERR_FILENO),
                                  .why = text_in(span_of(room, sizeof room))};
    Err err = configuration_load(s->current, &s->source, NULL, &report);
    (void)fwrite(report.shown.at, 1, report.shown.len, stderr); /* system call */
    if (err == ERR_OK) {
        return EXIT_OK;
    }
    if (report.mistakes > 0) {
        text_format(why, "%zu mistake%s in %.*s; nothing was started", report.mistakes,
                    report.mistakes == 1 ? "" : "s", STR_ARG(s->source.path));
    } else {
        text_add(why, report.why.len > 0 ? text_str(&report.why)
                                         : str_from_c(err_sentence(err)));
    }
    (void)fprintf(stderr, "river: %.*s\n", STR_ARG(text_str(why)));
    return EXIT_CONFIGURATION;
}
