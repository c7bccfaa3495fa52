/* process_manager.h - keeps children alive: one worker, and helpers (helpers.h). It starts them,
 * notices their deaths, says what they died of, and plans the next ones. While one worker takes
 * over from another there are two, or more where several leave.
 *
 * One that dies is replaced at once; from the fifth death within ten seconds on, after a second, so
 * that a worker that cannot live does not eat a processor. */
#ifndef APP_PROCESS_MANAGER_H
#define APP_PROCESS_MANAGER_H

#include <sys/types.h>

#include "app/nursery.h"
#include "cage/cage.h"
#include "loop/crash.h"

#define MANAGER_DEATHS 5u
#define MANAGER_WINDOW_MS 10000u
#define MANAGER_PAUSE_MS 1000u
#define MANAGER_STOPPED_MS 700u /* a worker that is stopped (SIGSTOP) for so long is killed */
#define MANAGER_WORKERS_MAX 8u

typedef struct WorkerSetup WorkerSetup; /* worker_orders.h */

typedef enum KeptRole {
    KEPT_NONE,    /* the place is free */
    KEPT_COMING,  /* it starts, to take over from the one that serves */
    KEPT_SERVING, /* or it starts, and there is no other */
    KEPT_LEAVING  /* it finishes what it has */
} KeptRole;

typedef struct KeptChild {
    ChildKindId kind;
    KeptRole role;
    pid_t pid;
    int process; /* a descriptor that becomes readable when it ends; -1: none */
    ChannelEnd channel; /* closed: it has closed its side */
    bool ready;  /* it serves */
    bool stuck;  /* one of its threads is, so it was told to die (watch_keep) */
    CageState cage; /* what it has closed, once it is ready */
    CrashNotes *notes;
    uint64_t started_ms;
    uint64_t kill_at_ms; /* 0: it may live */
} KeptChild;

/* When the next child of a kind starts. */
typedef struct Restarts {
    unsigned count;
    uint64_t due_ms; /* 0: not waiting */
    unsigned death_count;
    uint64_t deaths_ms[MANAGER_DEATHS]; /* a ring */
} Restarts;

/* A helper that stays (helpers.h). */
typedef struct KeptHelper {
    KeptChild child; /* KEPT_SERVING, or there is none */
    Restarts restarts;
    uint64_t window_ms; /* since when records are counted */
    unsigned records;
} KeptHelper;

typedef struct ProcessManager {
    Nursery nursery;
    KeptChild workers[MANAGER_WORKERS_MAX];
    Restarts restarts; /* of workers */
    KeptHelper helpers[CHILD_KINDS];
} ProcessManager;

/* Before anything is read: makes the nursery. */
MUST_USE Err manager_init(ProcessManager *k);
/* A child of that kind, with its channel, notes and descriptor; its role is the caller's to set.
 * Errors as of nursery_bear. */
MUST_USE Err manager_bear(ProcessManager *k, ChildKindId kind, uint64_t now_ms, KeptChild *ret);
/* Kills it, waits for its end, and frees its place. */
void manager_end(KeptChild *c);
/* Starts a worker. ERR_FULL: there are too many that leave. */
MUST_USE Err manager_start(ProcessManager *k, const WorkerSetup *setup, KeptRole role,
                           uint64_t now_ms, KeptChild **ret);
/* The worker in that role, or NULL. Of those that leave, any. */
KeptChild *manager_find(ProcessManager *k, KeptRole role);
/* Looks whether a worker has ended. Then *ret is what it was, *ret_status its wait status, and its
 * place is free. What it died of is logged unless `expected`. Call again until false. A worker of
 * which the system knows nothing (ECHILD) is gone, too; it counts as killed. */
bool manager_reap(ProcessManager *k, bool expected, uint64_t now_ms, KeptChild *ret,
                  int *ret_status);
/* The same for one child (of KEPT_NONE: false). */
bool manager_reap_one(KeptChild *c, bool expected, uint64_t now_ms, KeptChild *ret,
                      int *ret_status);
/* Reaps children that are none of ours and not `other` (0: none): those that came with exec, and as
 * process 1 every orphan. */
void manager_reap_strangers(const ProcessManager *k, pid_t other);
/* After a death: decides when the next one starts. */
void restarts_plan(Restarts *r, uint64_t now_ms);

#endif
