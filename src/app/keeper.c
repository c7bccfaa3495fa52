/* keeper.c - births and deaths of workers. */
#include "app/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cage.h"
#include "app/channel.h"
#include "loop/crash.h"
#include "loop/log.h"

void keeper_init(Keeper *k, const WorkerSetup *setup)
{
    *k = (Keeper){.setup = *setup, .process = -1, .channel = -1};
}

Err keeper_start(Keeper *k, uint64_t now_ms)
{
    int worker_end = -1;
    TRY(channel_open(&k->channel, &worker_end));
    crash_reset();
    int supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(k->channel);
        worker_process_run(&k->setup, worker_end, supervisor);
    }
    int number = errno;
    (void)close(worker_end);
    if (pid < 0) {
        (void)close(k->channel);
        k->channel = -1;
        return err_from_errno(number);
    }
    k->pid = pid;
    k->process = pidfd_open(pid, 0);
    k->ready = false;
    k->started_ms = now_ms;
    k->start_at_ms = 0;
    return ERR_OK;
}

/* "SEGV" for SIGSEGV. */
static Str signal_name(int number)
{
    const char *name = sigabbrev_np(number);
    return name ? str_from_c(name) : S("unknown");
}

/* The ids of the requests that were being handled: the dead thread's if it is known, else all. */
static void print_requests(Text *out)
{
    uint32_t dead = atomic_load(&crash_notes->thread);
    Str id;
    if (dead > 0 && crash_read(dead - 1, &id)) {
        text_add(out, id);
        return;
    }
    for (unsigned i = 0; dead == 0 && i < crash_notes->threads_max; i++) {
        if (crash_read(i, &id)) {
            text_add(out, out->len > 0 ? S(",") : S(""));
            text_add(out, id);
        }
    }
}

/* The crash line. */
static void log_death(const Keeper *k, int status)
{
    uint8_t room[1024];
    Text requests = text_in(span_of(room, sizeof room));
    print_requests(&requests);
    Str ids = requests.len > 0 ? text_str(&requests) : S("none");
    uint32_t number = 0;
    uint32_t architecture = 0;
    if (WIFSIGNALED(status) && crash_call(&number, &architecture)) {
        uint8_t name_room[64];
        Text name = text_in(span_of(name_room, sizeof name_room));
        cage_print_call(&name, number, architecture);
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)k->pid),
            LOG_STR("signal", signal_name(WTERMSIG(status))), LOG_STR("call", text_str(&name)),
            LOG_U64("thread", atomic_load(&crash_notes->thread)), LOG_STR("request_id", ids));
    } else if (WIFSIGNALED(status)) {
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)k->pid),
            LOG_STR("signal", signal_name(WTERMSIG(status))),
            LOG_U64("thread", atomic_load(&crash_notes->thread)), LOG_STR("request_id", ids));
    } else {
        LOG(ERROR, "worker died", LOG_U64("pid", (uint64_t)k->pid),
            LOG_U64("exit_status", (uint64_t)WEXITSTATUS(status)), LOG_STR("request_id", ids));
    }
}

bool keeper_reap(Keeper *k, bool expected, int *ret_status)
{
    int status = 0;
    if (k->pid == 0 || waitpid(k->pid, &status, WNOHANG) != k->pid) {
        return false;
    }
    if (!expected) {
        log_death(k, status);
    }
    if (!k->ready && k->restarts == 0) {
        k->failed = true;
    }
    for (size_t i = 0; i < 2; i++) {
        int fd = i == 0 ? k->process : k->channel;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    k->process = k->channel = -1;
    k->pid = 0;
    k->ready = false;
    *ret_status = status;
    return true;
}

void keeper_plan_restart(Keeper *k, uint64_t now_ms)
{
    uint64_t *oldest = &k->deaths_ms[k->death_count % KEEPER_DEATHS];
    *oldest = now_ms;
    k->death_count++;
    /* The ring's next entry is the fourth death before this one. */
    uint64_t fourth_before = k->deaths_ms[k->death_count % KEEPER_DEATHS];
    bool often = k->death_count >= KEEPER_DEATHS && now_ms - fourth_before < KEEPER_WINDOW_MS;
    k->start_at_ms = now_ms + (often ? KEEPER_PAUSE_MS : 0);
    k->restarts++;
}
