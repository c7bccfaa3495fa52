/* process_manager.h - keeps children alive: one worker, and helpers (helpers.h). It starts them,
 * notices their deaths, logs the causes, and plans restarts. While one worker takes over from
 * another there are two, or more if several are leaving.
 *
 * A dead child is replaced at once; from the fifth death within ten seconds, after one second, so
 * that a worker that cannot live does not use up a processor. */
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
    KEPT_NONE,    /* the slot is free */
    KEPT_COMING,  /* starting, to take over from the serving one */
    KEPT_SERVING, /* serving, or starting with no other worker */
    KEPT_LEAVING  /* finishing open work */
} KeptRole;

typedef struct KeptChild {
    ChildKindId kind;
    KeptRole role;
    pid_t pid;
    int process; /* pidfd, readable when the process ends; -1: none */
    ChannelEnd channel; /* closed: the child has closed its side */
    bool ready;  /* it serves */
    bool stuck;  /* told to die because a thread of it is stuck (watch_keep) */
    CageState cage; /* what it has closed, once `ready` */
    CrashNotes *notes;
    uint64_t started_ms;
    uint64_t kill_at_ms; /* 0: never */
} KeptChild;

/* When the next child of a kind is started. */
typedef struct Restarts {
    unsigned count;
    uint64_t due_ms; /* 0: no restart planned */
    unsigned death_count;
    uint64_t deaths_ms[MANAGER_DEATHS]; /* a ring buffer */
} Restarts;

/* A helper that stays (helpers.h). */
typedef struct KeptHelper {
    KeptChild child; /* KEPT_SERVING, or KEPT_NONE */
    Restarts restarts;
    uint64_t window_ms; /* start of the window in which records are counted */
    unsigned records;
} KeptHelper;

typedef struct ProcessManager {
    Nursery nursery;
    KeptChild workers[MANAGER_WORKERS_MAX];
    Restarts restarts; /* of workers */
    KeptHelper helpers[CHILD_KINDS];
} ProcessManager;

/* Starts the nursery; call before anything is read. */
MUST_USE Err manager_init(ProcessManager *k);
/* Creates a child of that kind with its channel, notes and pidfd; the caller sets its role. Errors
 * as of nursery_bear. */
MUST_USE Err manager_bear(ProcessManager *k, ChildKindId kind, uint64_t now_ms, KeptChild *ret);
/* Kills it, reaps it, and frees its slot. */
void manager_end(KeptChild *c);
/* Starts a worker. ERR_FULL: too many are leaving. */
MUST_USE Err manager_start(ProcessManager *k, const WorkerSetup *setup, KeptRole role,
                           uint64_t now_ms, KeptChild **ret);
/* The worker in that role, or NULL. For KEPT_LEAVING, any of them. */
KeptChild *manager_find(ProcessManager *k, KeptRole role);
/* Reaps a worker that has ended: *ret is a copy of it, *ret_status its wait status, and its slot is
 * free. Logs the cause of death unless `expected`. Call again until false. A worker that the system
 * does not know (ECHILD) is gone too, and counts as killed. */
bool manager_reap(ProcessManager *k, bool expected, uint64_t now_ms, KeptChild *ret,
                  int *ret_status);
/* The same for one child (KEPT_NONE: false). */
bool manager_reap_one(KeptChild *c, bool expected, uint64_t now_ms, KeptChild *ret,
                      int *ret_status);
/* Reaps children that are neither ours nor `other` (0: none): those inherited over exec, and, as
 * process 1, every orphaned process. */
void manager_reap_strangers(const ProcessManager *k, pid_t other);
/* After a death: plans the restart. */
void restarts_plan(Restarts *r, uint64_t now_ms);

#endif
