/* supervisor.h - the process that stays: it owns listeners, files and signals, keeps the worker
 * alive, and never reads a byte from the network. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

#include "app/notify.h"
#include "app/source.h"

/* How this process was started, and from whom it takes over. */
typedef struct Launch {
    int count;
    char **words; /* the command line */
    bool upgrade; /* take over from the one that hands over at the upgrade socket */
    int hand_over_fd; /* ... from the one that has started us; -1: nobody has */
    const NotifyVariables *notify; /* how the service manager hears of us */
} Launch;

/* Runs River by the configuration at that source (which is not open) until it is told to end;
 * returns the exit status. The arena holds what is made at the start, and must live as long, as
 * must all the rest. */
int supervisor_run(const Source *source, const Launch *launch, Arena *arena);

#endif
