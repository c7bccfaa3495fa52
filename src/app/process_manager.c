/* process_manager.c - births and deaths of workers. */
#include "app/process_manager.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage/cage.h"
#include "loop/crash.h"
#include "loop/log.h"

#define LOOK (WNOHANG | WUNTRACED | WCONTINUED)

Err manager_init(ProcessManager *k)
{
    *k = (ProcessManager){.nursery = NURSERY_NONE};
    return nursery_start(&k->nursery);
}

KeptWorker *manager_find(ProcessManager *k, KeptRole role)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        if (k->workers[i].role == role) {
            return &k->workers[i];
        }
    }
    return NULL;
}

/* Birth, and what it begins with. */
static Err bear_worker(ProcessManager *k, KeptWorker *w, const WorkerSetup *setup)
{
    Birth birth = {.kind = CHILD_WORKER, .channel = CHANNEL_CLOSED, .notes = -1};
    TRY(crash_open(&w->notes, &birth.notes));
    Err err = channel_open(&w->channel, &birth.channel);
    if (err == ERR_OK) {
        err = nursery_bear(&k->nursery, &birth, &w->pid);
        channel_close(&birth.channel);
    }
    (void)close(birth.notes);
    if (err == ERR_OK) {
        err = worker_send_start(&w->channel, setup);
        if (err != ERR_OK) {
            (void)kill(w->pid, SIGKILL);
            (void)waitpid(w->pid, NULL, 0);
        }
    }
    return err;
}

Err manager_start(ProcessManager *k, const WorkerSetup *setup, KeptRole role, uint64_t now_ms,
                  KeptWorker **ret)
{
    KeptWorker *place = manager_find(k, KEPT_NONE);
    KeptWorker w = {.role = role, .process = -1, .channel = CHANNEL_CLOSED, .started_ms = now_ms};
    if (!place) {
        return ERR_FULL;
    }
    Err err = bear_worker(k, &w, setup);
    if (err != ERR_OK) {
        channel_close(&w.channel);
        crash_close(w.notes);
        return err;
    }
    w.process = pidfd_open(w.pid, 0);
    k->start_at_ms = 0;
    *place = w;
    *ret = place;
    return ERR_OK;
}

/* "SEGV" for SIGSEGV. */
static Str signal_name(int number)
{
    const char *name = sigabbrev_np(number);
    return name ? str_from_c(name) : S("unknown");
}

/* The ids of the requests that were being handled: the dead thread's if it is known, else all. */
static void print_requests(CrashNotes *notes, Text *out)
{
    uint32_t dead = atomic_load(&notes->thread);
    uint8_t bytes[CRASH_ID_BYTES_MAX];
    Span room = span_of(bytes, sizeof bytes);
    Str id;
    if (dead > 0 && crash_read(notes, dead - 1, room, &id)) {
        text_add(out, id);
        return;
    }
    for (unsigned i = 0; dead == 0 && i < CRASH_THREADS_MAX; i++) {
        if (crash_read(notes, i, room, &id)) {
            text_add(out, out->len > 0 ? S(",") : S(""));
            text_add(out, id);
        }
    }
}

/* The crash line. */
static void log_death(const KeptWorker *w, int status)
{
    uint8_t room[1024];
    Text requests = text_in(span_of(room, sizeof room));
    print_requests(w->notes, &requests);
    Str ids = requests.len > 0 ? text_str(&requests) : S("none");
    uint32_t number = 0;
    uint32_t architecture = 0;
    if (WIFSIGNALED(status) && crash_call(w->notes, &number, &architecture)) {
        uint8_t name_room[64];
        Text name = text_in(span_of(name_room, sizeof name_room));
        cage_print_call(&name, number, architecture);
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)w->pid),
            LOG_STR("signal", signal_name(WTERMSIG(status))), LOG_STR("call", text_str(&name)),
            LOG_U64("thread", atomic_load(&w->notes->thread)), LOG_STR("request_id", ids));
    } else if (WIFSIGNALED(status)) {
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)w->pid),
            LOG_STR("signal", signal_name(WTERMSIG(status))),
            LOG_U64("thread", atomic_load(&w->notes->thread)), LOG_STR("request_id", ids));
    } else {
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)w->pid),
            LOG_U64("exit_status", (uint64_t)WEXITSTATUS(status)), LOG_STR("request_id", ids));
    }
}

/* A worker that somebody has stopped keeps clients waiting. If it does not go on soon, another one
 * serves them better; one that leaves or was told to die has its deadline already. */
static void note_stop(KeptWorker *w, bool stopped, uint64_t now_ms)
{
    if (w->role != KEPT_LEAVING && !w->stuck) {
        w->kill_at_ms = stopped ? now_ms + MANAGER_STOPPED_MS : 0;
    }
    if (stopped) {
        LOG(ERROR, "worker was stopped by a signal", LOG_U64("pid", (uint64_t)w->pid));
    } else {
        LOG(INFO, "worker goes on", LOG_U64("pid", (uint64_t)w->pid));
    }
}

static void place_free(KeptWorker *w)
{
    if (w->process >= 0) {
        (void)close(w->process);
    }
    channel_close(&w->channel);
    crash_close(w->notes);
    *w = (KeptWorker){0};
}

/* Whether the system has news of a child. */
static bool look(pid_t pid, int *ret_status)
{
    pid_t found = waitpid(pid, ret_status, LOOK);
    if (found < 0 && errno == ECHILD) {
        LOG(ERROR, "a worker is gone, and the system does not tell how",
            LOG_U64("pid", (uint64_t)pid));
        *ret_status = SIGKILL; /* as the status of a process that was killed */
        return true;
    }
    return found == pid;
}

void manager_reap_strangers(const ProcessManager *k, pid_t other)
{
    for (;;) {
        siginfo_t child = {0};
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0 ||
            child.si_pid == other || child.si_pid == k->nursery.pid) {
            return;
        }
        for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
            if (k->workers[i].role != KEPT_NONE && k->workers[i].pid == child.si_pid) {
                return; /* manager_reap takes it, then the others' turn comes */
            }
        }
        (void)waitpid(child.si_pid, NULL, WNOHANG);
    }
}

bool manager_reap(ProcessManager *k, bool expected, uint64_t now_ms, KeptWorker *ret,
                  int *ret_status)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        KeptWorker *w = &k->workers[i];
        int status = 0;
        if (w->role == KEPT_NONE || !look(w->pid, &status)) {
            continue;
        }
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            note_stop(w, WIFSTOPPED(status), now_ms);
            continue;
        }
        bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!expected && !(w->role == KEPT_LEAVING && clean)) {
            log_death(w, status);
        }
        *ret = *w;
        *ret_status = status;
        place_free(w);
        return true;
    }
    return false;
}

void manager_plan_restart(ProcessManager *k, uint64_t now_ms)
{
    uint64_t *oldest = &k->deaths_ms[k->death_count % MANAGER_DEATHS];
    *oldest = now_ms;
    k->death_count++;
    /* The ring's next entry is the fourth death before this one. */
    uint64_t fourth_before = k->deaths_ms[k->death_count % MANAGER_DEATHS];
    bool often = k->death_count >= MANAGER_DEATHS && now_ms - fourth_before < MANAGER_WINDOW_MS;
    k->start_at_ms = now_ms + (often ? MANAGER_PAUSE_MS : 0);
    k->restarts++;
}
