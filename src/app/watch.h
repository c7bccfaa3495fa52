/* watch.h - the supervisor watches the worker that serves, and each helper: it looks at the
 * heartbeats of their threads, and ends one of which a thread is stuck (stuck.h). What follows is
 * what follows each death.
 *
 * A worker that starts or leaves is not watched: it has a deadline anyway. */
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "app/process_manager.h"
#include "app/stuck.h"
#include "proxy/worker.h"

#define WATCH_LOOK_MS 2000u  /* between two looks */
#define WATCH_GRACE_MS 1000u /* for a worker to die of SIGABRT, before it is killed */

typedef struct Watch {
    pid_t worker;        /* whom all of this is about; 0: nobody */
    uint64_t started_ms; /* ... as KeptChild says, for numbers come again */
    uint64_t due_ms;     /* the next look; 0: none */
    bool blind;          /* the log says that the system tells nothing of threads */
    StuckWatch threads[THREADS_MAX];
} Watch;

/* Looks, if it is time for that or nearly so (a supervisor that is awake anyway need not wake once
 * more). `serving` is the worker or helper that serves; NULL: none does, or River ends. One with a
 * stuck thread is marked (KeptChild.stuck), the log says so, the thread is sent SIGABRT, and
 * `kill_at_ms` is set. */
void watch_keep(Watch *w, KeptChild *serving, uint64_t now_ms);
/* When watch_keep must run; 0: no need. */
uint64_t watch_due_ms(const Watch *w);

#endif
