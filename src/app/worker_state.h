/* worker_state.h - what a worker has counted and remembers (proxy/dump.h), to a file and back. */
#ifndef APP_WORKER_STATE_H
#define APP_WORKER_STATE_H

#include "proxy/worker.h"

/* Writes it to `fd`, which is closed, and stands at its beginning for whoever has it, too. */
MUST_USE Err worker_state_save(Worker *w, int fd);
/* Goes on with what stands in `fd` (-1: nothing does), as far as that can be; it is closed. */
void worker_state_restore(Worker *w, const Snapshot *first, int fd);

#endif
