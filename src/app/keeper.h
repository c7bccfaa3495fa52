/* keeper.h - keeps one worker alive: starts it, notices its death, says what it died of, and starts
 * the next one.
 *
 * A worker that dies is replaced at once; from the fifth death within ten seconds on, after a
 * second, so that a worker that cannot live does not eat a processor. */
#ifndef APP_KEEPER_H
#define APP_KEEPER_H

#include <sys/types.h>

#include "app/cage.h"
#include "app/worker_process.h"

#define KEEPER_DEATHS 5u
#define KEEPER_WINDOW_MS 10000u
#define KEEPER_PAUSE_MS 1000u

typedef struct Keeper {
    WorkerSetup setup;
    pid_t pid;    /* 0: there is no worker */
    int process;  /* a descriptor that becomes readable when it ends; -1: none */
    int channel;  /* to the worker; -1: none */
    bool ready;   /* it serves */
    CageState cage; /* what the last worker that served had closed */
    bool failed;  /* the first worker could not start: give up */
    unsigned restarts;
    uint64_t started_ms;
    uint64_t start_at_ms; /* when the next one is due; 0: not waiting */
    unsigned death_count;
    uint64_t deaths_ms[KEEPER_DEATHS]; /* a ring */
} Keeper;

void keeper_init(Keeper *k, const WorkerSetup *setup);
/* Forks a worker. */
MUST_USE Err keeper_start(Keeper *k, uint64_t now_ms);
/* Looks whether the worker has ended. Then *ret_status is its wait status, what it died of is
 * logged unless `expected`, and the keeper is without a worker. */
bool keeper_reap(Keeper *k, bool expected, int *ret_status);
/* Decides when the next worker starts. */
void keeper_plan_restart(Keeper *k, uint64_t now_ms);

#endif
