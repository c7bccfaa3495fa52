/* watch.h - the supervisor watches the serving worker and each helper: it looks at the heartbeats
 * of their threads, and ends a process with a stuck thread (stuck.h). From there on it is a death
 * like any other.
 *
 * A worker that is starting or leaving is not watched: it has a deadline anyway. */
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "app/process_manager.h"
#include "app/stuck.h"
#include "proxy/worker.h"

#define WATCH_LOOK_MS 2000u  /* between two looks */
#define WATCH_GRACE_MS 1000u /* for a worker to die of SIGABRT before it is killed */

typedef struct Watch {
    pid_t worker;        /* the process watched; 0: none */
    uint64_t started_ms; /* its KeptChild.started_ms, since process ids are reused */
    uint64_t due_ms;     /* of the next look; 0: none */
    bool blind;          /* logged already that the system gives no thread statistics */
    StuckWatch threads[THREADS_MAX];
} Watch;

/* Looks if a look is due or nearly so (which saves an extra wakeup). `serving` is the serving
 * worker or helper; NULL: there is none, or River ends. For a stuck thread it sets KeptChild.stuck,
 * logs it, sends the thread SIGABRT, and sets `kill_at_ms`. */
void watch_keep(Watch *w, KeptChild *serving, uint64_t now_ms);
/* When watch_keep must run; 0: no need. */
uint64_t watch_due_ms(const Watch *w);

#endif
