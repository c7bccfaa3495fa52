/* status.h - what a running River is doing, as text for people and as JSON for programs.
 *
 * Pure printing: the supervisor prints what it knows of processes, the worker what it knows of
 * traffic, and one behind the other is the whole answer to `river status`. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "base/text.h"
#include "proxy/worker.h"

typedef struct ProcessStatus {
    Str version;
    Str state; /* "serving" or "draining" */
    uint64_t supervisor_pid;
    uint64_t worker_pid; /* 0: none now */
    uint64_t up_ms;
    uint64_t worker_up_ms;
    uint64_t restarts;
} ProcessStatus;

/* As JSON this opens an object and ends in `"worker":`; what follows is status_print_worker's
 * object or null, and the closing brace. */
void status_print_process(Text *t, const ProcessStatus *p, bool json);
void status_print_worker(Text *t, const WorkerStatus *w, bool json);

#endif
