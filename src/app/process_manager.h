/* process_manager.h - keeps one worker alive: starts it, notices its death, says what it died of,
 * and plans the next one. While one takes over from another there are two, or more where several
 * leave.
 *
 * A worker that dies is replaced at once; from the fifth death within ten seconds on, after a
 * second, so that a worker that cannot live does not eat a processor. */
#ifndef APP_PROCESS_MANAGER_H
#define APP_PROCESS_MANAGER_H

#include <sys/types.h>

#include "app/nursery.h"
#include "app/worker_orders.h"
#include "cage/cage.h"
#include "loop/crash.h"

#define MANAGER_DEATHS 5u
#define MANAGER_WINDOW_MS 10000u
#define MANAGER_PAUSE_MS 1000u
#define MANAGER_STOPPED_MS 700u /* a worker that is stopped (SIGSTOP) for so long is killed */
#define MANAGER_WORKERS_MAX 8u

typedef enum KeptRole {
    KEPT_NONE,    /* the place is free */
    KEPT_COMING,  /* it starts, to take over from the one that serves */
    KEPT_SERVING, /* or it starts, and there is no other */
    KEPT_LEAVING  /* it finishes what it has */
} KeptRole;

typedef struct KeptWorker {
    KeptRole role;
    pid_t pid;
    int process; /* a descriptor that becomes readable when it ends; -1: none */
    ChannelEnd channel; /* closed: it has closed its side */
    bool ready;  /* it serves */
    bool stuck;  /* one of its threads is, so it was told to die (watch.h) */
    CageState cage; /* what it has closed, once it is ready */
    CrashNotes *notes;
    uint64_t started_ms;
    uint64_t kill_at_ms; /* 0: it may live */
} KeptWorker;

typedef struct ProcessManager {
    Nursery nursery;
    KeptWorker workers[MANAGER_WORKERS_MAX];
    unsigned restarts;
    uint64_t start_at_ms; /* when the next one is due; 0: not waiting */
    unsigned death_count;
    uint64_t deaths_ms[MANAGER_DEATHS]; /* a ring */
} ProcessManager;

/* Before anything is read: makes the nursery. */
MUST_USE Err manager_init(ProcessManager *k);
/* Starts a worker. ERR_FULL: there are too many that leave. */
MUST_USE Err manager_start(ProcessManager *k, const WorkerSetup *setup, KeptRole role,
                           uint64_t now_ms, KeptWorker **ret);
/* The worker in that role, or NULL. Of those that leave, any. */
KeptWorker *manager_find(ProcessManager *k, KeptRole role);
/* Looks whether a worker has ended. Then *ret is what it was, *ret_status its wait status, and its
 * place is free. What it died of is logged unless `expected`. Call again until false. A worker of
 * which the system knows nothing (ECHILD) is gone, too; it counts as killed. */
bool manager_reap(ProcessManager *k, bool expected, uint64_t now_ms, KeptWorker *ret,
                  int *ret_status);
/* Reaps children that are no workers and not `other` (0: none): those that came with exec, and as
 * process 1 every orphan. */
void manager_reap_strangers(const ProcessManager *k, pid_t other);
/* Decides when the next worker starts. */
void manager_plan_restart(ProcessManager *k, uint64_t now_ms);

#endif
