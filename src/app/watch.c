/* watch.c - looks at heartbeats, asks the system about threads that seem stuck, and acts. */
#include "app/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "app/breakin.h"
#include "loop/log.h"

#define PATH_BYTES 64u
#define EARLY_SHARE 8u /* a look may be early by this fraction of the interval */

static uint64_t pause_ms(void)
{
    return breakin_look_ms(WATCH_LOOK_MS);
}

/* The system's statistics of a thread. The worker claims the thread id, but the path, like tgkill,
 * only reaches threads of that very worker. */
static Err read_stat(pid_t worker, uint32_t thread_id, ThreadStat *ret)
{
    char path[PATH_BYTES] = {0};
    uint8_t bytes[THREAD_STAT_BYTES_MAX];
    Text t = text_in(span_of(path, sizeof path - 1));
    text_format(&t, "/proc/%d/task/%u/stat", worker, thread_id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    ssize_t n = read(fd, bytes, sizeof bytes); /* the kernel returns all of it in one read */
    Err err = n < 0 ? err_from_errno(errno) : ERR_OK;
    (void)close(fd);
    return err == ERR_OK ? thread_stat_parse(str_of(bytes, (size_t)n), ret) : err;
}

static Str state_name(uint8_t state)
{
    switch (state) {
    case 'R':
        return S("running");
    case 'D':
        return S("waiting in the kernel, which cannot be interrupted");
    default:
        return S("waiting in a system call");
    }
}

/* Ends a worker whose thread `index` is stuck: the SIGABRT handler notes the thread, as for any
 * death (crash.h); if the signal does not arrive, SIGKILL follows. */
static void end_stuck(KeptChild *k, unsigned index, uint32_t thread_id, uint8_t state,
                      uint64_t now_ms)
{
    uint8_t room[CRASH_ID_BYTES_MAX];
    Str id = STR_NONE;
    bool busy = crash_read(k->notes, index, span_of(room, sizeof room), &id);
    if (k->kind == CHILD_WORKER) {
        LOG(ERROR, "a thread of the worker is stuck: the worker is ended",
            LOG_U64("pid", (uint64_t)k->pid), LOG_U64("thread", index + 1),
            LOG_U64("thread_id", thread_id), LOG_STR("state", state_name(state)),
            LOG_STR("request_id", busy ? id : S("none")));
    } else {
        LOG(ERROR, "a helper is stuck: it is ended", LOG_U64("pid", (uint64_t)k->pid),
            LOG_STR("kind", child_kinds[k->kind]->name), LOG_STR("state", state_name(state)));
    }
    k->stuck = true;
    k->kill_at_ms = now_ms + WATCH_GRACE_MS;
    (void)tgkill(k->pid, (pid_t)thread_id, SIGABRT);
}

static uint32_t thread_id_of(const KeptChild *k, unsigned index)
{
    return atomic_load_explicit(&k->notes->heartbeats[index].thread_id, memory_order_relaxed);
}

/* Starts watching another process. Without thread statistics nothing is ever found stuck, so probe
 * for them now and warn. */
static void watch_begin(Watch *w, const KeptChild *k, uint64_t now_ms)
{
    ThreadStat stat;
    bool was_blind = w->blind;
    Err err = read_stat(k->pid, thread_id_of(k, 0), &stat);
    *w = (Watch){.worker = k->pid, .started_ms = k->started_ms, .due_ms = now_ms + pause_ms()};
    w->blind = err != ERR_OK;
    if (w->blind && !was_blind) {
        LOG(WARN, "stuck threads will not be found: /proc does not tell of the worker's threads",
            LOG_STR("why", str_from_c(err_sentence(err))));
    }
}

/* Looks at one thread; true: it is stuck. */
static bool look_at(Watch *w, KeptChild *k, unsigned index, uint64_t now_ms)
{
    uint32_t thread_id = thread_id_of(k, index);
    uint64_t beat = heartbeat_read(&k->notes->heartbeats[index]);
    StuckWatch *watch = &w->threads[index];
    ThreadStat stat;
    bool known = stuck_asks(watch, beat) && read_stat(k->pid, thread_id, &stat) == ERR_OK;
    uint64_t second = (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t run_ticks = pause_ms() * second / 1000 / STUCK_RUN_SHARE;
    if (stuck_judge(watch, beat, known ? &stat : NULL, run_ticks) != STUCK_YES) {
        return false;
    }
    end_stuck(k, index, thread_id, stat.state, now_ms);
    return true;
}

/* Threads are numbered without gaps; the first without an id ends the list. */
static void look_at_all(Watch *w, KeptChild *k, uint64_t now_ms)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        if (thread_id_of(k, i) == 0 || look_at(w, k, i, now_ms)) {
            return;
        }
    }
}

void watch_keep(Watch *w, KeptChild *serving, uint64_t now_ms)
{
    if (!serving || !serving->ready || serving->stuck) {
        w->worker = 0;
        w->due_ms = 0;
        return;
    }
    if (w->worker != serving->pid || w->started_ms != serving->started_ms) {
        watch_begin(w, serving, now_ms);
        return;
    }
    if (now_ms + pause_ms() / EARLY_SHARE >= w->due_ms) {
        look_at_all(w, serving, now_ms);
        w->due_ms = serving->stuck ? 0 : now_ms + pause_ms();
    }
}

uint64_t watch_due_ms(const Watch *w)
{
    return w->due_ms;
}
