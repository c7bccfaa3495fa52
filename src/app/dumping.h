/* dumping.h - asks the worker that serves for what it has counted and remembers (proxy/dump.h), for
 * the one that takes over from it. */
#ifndef APP_DUMPING_H
#define APP_DUMPING_H

#include "app/keeper.h"

typedef struct Supervisor Supervisor;

/* What comes then: `fd` is a file with the dump, closed by the caller behind the call; -1: there is
 * none, and one goes on without. */
typedef void DumpThen(Supervisor *s, int fd);

typedef struct Dumping {
    int fd; /* -1: nobody is asked */
    uint64_t deadline_ms;
    DumpThen *then;
} Dumping;

/* Asks; `then` is called later, or at once where there is nobody to ask. One at a time. */
void dumping_begin(Supervisor *s, DumpThen *then);
/* The worker has answered, or has died, or does not answer in time. */
void dumping_on_message(Supervisor *s, const KeptWorker *from, bool good);
void dumping_on_death(Supervisor *s, KeptRole role);
void dumping_keep_deadlines(Supervisor *s, uint64_t now_ms);

#endif
