/* worker_process.h - the worker as a process: from the fork to its exit.
 *
 * Its first thread starts the others, then serves the channel to the supervisor; it never touches
 * traffic. The cage closes before the threads start. */
#ifndef APP_WORKER_PROCESS_H
#define APP_WORKER_PROCESS_H

#include "app/channel.h"
#include "app/configuration.h"
#include "app/logs.h"

/* What the supervisor has made ready; the worker's memory is a copy of the supervisor's. */
typedef struct WorkerSetup {
    const Configuration *configuration; /* open */
    const Logs *logs;
    CertificateCache *cache; /* what was parsed when the configuration was checked */
    unsigned threads;
    int state; /* what the worker before has written (proxy/dump.h); -1: nothing */
} WorkerSetup;

/* The child of the fork, for the rest of its life. `supervisor` is the process that it must not
 * outlive. */
_Noreturn void worker_process_run(const WorkerSetup *setup, const ChannelEnd *channel,
                                  int supervisor);

#endif
