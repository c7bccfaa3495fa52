/* supervisor.h - the process that stays: owns listeners, files and signals, keeps the worker alive,
 * and never reads a byte from the network. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

#include "app/notify.h"
#include "app/source.h"

/* How this process was started, and what it takes over from. */
typedef struct Launch {
    int count;
    char **words; /* the command line */
    bool upgrade; /* take over from the River that hands over at the upgrade socket */
    int hand_over_fd; /* take over from the River that started us; -1: none */
    Str greeting; /* printed for people once it serves; empty: nothing */
    const NotifyVariables *notify; /* how to reach the service manager */
} Launch;

/* Runs River with the configuration at that source (not yet open) until it is told to end, and
 * returns the exit status. The arena holds startup data; it and the other arguments must outlive
 * the call. */
int supervisor_run(const Source *source, const Launch *launch, Arena *arena);

#endif
