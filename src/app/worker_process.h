/* worker_process.h - the worker as a process: from the fork to its exit.
 *
 * Its first thread starts the others, then serves the channel to the supervisor; it never touches
 * traffic. The cage closes before the threads start. */
#ifndef APP_WORKER_PROCESS_H
#define APP_WORKER_PROCESS_H

#include "app/listen.h"
#include "app/logs.h"
#include "config/material.h"
#include "config/settings.h"

/* What the supervisor has made ready; the worker's memory is a copy of the supervisor's. */
typedef struct WorkerSetup {
    const Settings *settings;
    ListenSet *listeners;
    Logs *logs;
    const Material *material; /* what certificates, keys and their like hold now */
    TlsShelf *shelf;          /* what was parsed when they were checked */
    size_t key_log_count;     /* as many as listeners in all services */
    const int *key_logs COUNTED_BY(key_log_count); /* -1: none */
    size_t root_count; /* directories of file servers, as in Settings.roots */
    const int *roots COUNTED_BY(root_count);
    unsigned threads;
} WorkerSetup;

/* The child of the fork, for the rest of its life. `supervisor` is the process that it must not
 * outlive. */
_Noreturn void worker_process_run(const WorkerSetup *setup, int channel, int supervisor);

#endif
