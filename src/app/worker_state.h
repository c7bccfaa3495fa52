/* worker_state.h - saves a worker's dump (proxy/dump.h) to a file, and restores it. */
#ifndef APP_WORKER_STATE_H
#define APP_WORKER_STATE_H

#include "proxy/worker.h"

/* Writes the dump to `fd`, rewinds it, which other holders of the file see too, and closes it. */
MUST_USE Err worker_state_save(Worker *w, int fd);
/* Restores what it can from `fd` (-1: none), and closes it. */
void worker_state_restore(Worker *w, const Snapshot *first, int fd);

#endif
