/* process_manager.c - births and deaths of workers. */
#include "app/process_manager.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/worker_orders.h"
#include "cage/cage.h"
#include "loop/crash.h"
#include "loop/log.h"

#define LOOK (WNOHANG | WUNTRACED | WCONTINUED)

Err manager_init(ProcessManager *k)
{
    *k = (ProcessManager){.nursery = NURSERY_NONE};
    return nursery_start(&k->nursery);
}

KeptChild *manager_find(ProcessManager *k, KeptRole role)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        if (k->workers[i].role == role) {
            return &k->workers[i];
        }
    }
    return NULL;
}

Err manager_bear(ProcessManager *k, ChildKindId kind, uint64_t now_ms, KeptChild *ret)
{
    KeptChild c = {.kind = kind, .process = -1, .channel = CHANNEL_CLOSED, .started_ms = now_ms};
    Birth birth = {.kind = kind, .channel = CHANNEL_CLOSED, .notes = -1};
    TRY(crash_open(&c.notes, &birth.notes));
    Err err = channel_open(&c.channel, &birth.channel);
    if (err == ERR_OK) {
        err = nursery_bear(&k->nursery, &birth, &c.pid);
        channel_close(&birth.channel);
    }
    (void)close(birth.notes);
    if (err != ERR_OK) {
        channel_close(&c.channel);
        crash_close(c.notes);
        return err;
    }
    c.process = pidfd_open(c.pid, 0);
    *ret = c;
    return ERR_OK;
}

static void place_free(KeptChild *c)
{
    if (c->process >= 0) {
        (void)close(c->process);
    }
    channel_close(&c->channel);
    crash_close(c->notes);
    *c = (KeptChild){0};
}

void manager_end(KeptChild *c)
{
    (void)kill(c->pid, SIGKILL);
    (void)waitpid(c->pid, NULL, 0);
    place_free(c);
}

Err manager_start(ProcessManager *k, const WorkerSetup *setup, KeptRole role, uint64_t now_ms,
                  KeptChild **ret)
{
    KeptChild *place = manager_find(k, KEPT_NONE);
    KeptChild w;
    if (!place) {
        return ERR_FULL;
    }
    TRY(manager_bear(k, CHILD_WORKER, now_ms, &w));
    Err err = worker_send_start(&w.channel, setup);
    if (err != ERR_OK) {
        manager_end(&w);
        return err;
    }
    w.role = role;
    k->restarts.due_ms = 0;
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

/* The ids of the requests being handled: the dead thread's if it is known, else all. */
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

/* What killed a child besides the signal: a forbidden system call; or nothing. */
static Str forbidden_call(const KeptChild *c, Text *room)
{
    uint32_t number = 0;
    uint32_t architecture = 0;
    if (crash_call(c->notes, &number, &architecture)) {
        cage_print_call(room, number, architecture);
    }
    return text_str(room);
}

/* Logs the death of a worker. */
static void log_worker_death(const KeptChild *w, int status)
{
    uint8_t room[1024];
    uint8_t name_room[64];
    Text requests = text_in(span_of(room, sizeof room));
    Text name = text_in(span_of(name_room, sizeof name_room));
    print_requests(w->notes, &requests);
    Str ids = requests.len > 0 ? text_str(&requests) : S("none");
    Str call = WIFSIGNALED(status) ? forbidden_call(w, &name) : STR_NONE;
    if (call.len > 0) {
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)w->pid),
            LOG_STR("signal", signal_name(WTERMSIG(status))), LOG_STR("call", call),
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

static void log_death(const KeptChild *c, int status)
{
    uint8_t room[64];
    Text name = text_in(span_of(room, sizeof room));
    if (c->kind == CHILD_WORKER) {
        log_worker_death(c, status);
        return;
    }
    Str call = WIFSIGNALED(status) ? forbidden_call(c, &name) : STR_NONE;
    LOG(ERROR, "helper died", LOG_STR("kind", child_kinds[c->kind]->name),
        LOG_U64("pid", (uint64_t)c->pid),
        LOG_STR("signal", WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : S("none")),
        LOG_STR("call", call.len > 0 ? call : S("none")),
        LOG_U64("exit_status", WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0));
}

/* A stopped worker keeps clients waiting, so it is replaced if it does not continue soon; a leaving
 * or stuck one already has a deadline. The same goes for helpers. */
static void note_stop(KeptChild *w, bool stopped, uint64_t now_ms)
{
    if (w->role != KEPT_LEAVING && !w->stuck) {
        w->kill_at_ms = stopped ? now_ms + MANAGER_STOPPED_MS : 0;
    }
    bool worker = w->kind == CHILD_WORKER;
    if (stopped && worker) {
        LOG(ERROR, "worker was stopped by a signal", LOG_U64("pid", (uint64_t)w->pid));
    } else if (stopped) {
        LOG(ERROR, "helper was stopped by a signal", LOG_U64("pid", (uint64_t)w->pid));
    } else if (worker) {
        LOG(INFO, "worker goes on", LOG_U64("pid", (uint64_t)w->pid));
    }
}

/* Whether the system reports a change of a child. */
static bool look_at_child(pid_t pid, int *ret_status)
{
    pid_t found = waitpid(pid, ret_status, LOOK);
    if (found < 0 && errno == ECHILD) {
        LOG(ERROR, "a worker is gone, and the system does not tell how",
            LOG_U64("pid", (uint64_t)pid));
        *ret_status = SIGKILL; /* as the wait status of a killed process */
        return true;
    }
    return found == pid;
}

static bool is_kept(const ProcessManager *k, pid_t pid)
{
    bool kept = pid == k->nursery.pid;
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        kept = kept || (k->workers[i].role != KEPT_NONE && k->workers[i].pid == pid);
    }
    for (size_t i = 0; i < CHILD_KINDS; i++) {
        kept = kept || (k->helpers[i].child.role != KEPT_NONE && k->helpers[i].child.pid == pid);
    }
    return kept;
}

void manager_reap_strangers(const ProcessManager *k, pid_t other)
{
    for (;;) {
        siginfo_t child = {0};
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0 ||
            child.si_pid == other) {
            return;
        }
        if (is_kept(k, child.si_pid)) {
            return; /* manager_reap must take this one first; then the others' turn comes */
        }
        (void)waitpid(child.si_pid, NULL, WNOHANG);
    }
}

bool manager_reap_one(KeptChild *c, bool expected, uint64_t now_ms, KeptChild *ret,
                      int *ret_status)
{
    int status = 0;
    if (c->role == KEPT_NONE || !look_at_child(c->pid, &status)) {
        return false;
    }
    if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
        note_stop(c, WIFSTOPPED(status), now_ms);
        return false;
    }
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!expected && !(c->role == KEPT_LEAVING && clean)) {
        log_death(c, status);
    }
    *ret = *c;
    *ret_status = status;
    place_free(c);
    return true;
}

bool manager_reap(ProcessManager *k, bool expected, uint64_t now_ms, KeptChild *ret,
                  int *ret_status)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        if (manager_reap_one(&k->workers[i], expected, now_ms, ret, ret_status)) {
            return true;
        }
    }
    return false;
}

void restarts_plan(Restarts *r, uint64_t now_ms)
{
    uint64_t *oldest = &r->deaths_ms[r->death_count % MANAGER_DEATHS];
    *oldest = now_ms;
    r->death_count++;
    /* The ring's next entry is the fourth death before this one. */
    uint64_t fourth_before = r->deaths_ms[r->death_count % MANAGER_DEATHS];
    bool often = r->death_count >= MANAGER_DEATHS && now_ms - fourth_before < MANAGER_WINDOW_MS;
    r->due_ms = now_ms + (often ? MANAGER_PAUSE_MS : 0);
    r->count++;
}
