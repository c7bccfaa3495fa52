/* rlimits.h - resource limits of a caged worker. */
#ifndef CAGE_RLIMITS_H
#define CAGE_RLIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Opens the file that tells how much memory this process has mapped; -1: unavailable. */
int limits_open_sizes(void);
/* No core dumps, locked memory, message queues or real-time priority; the soft descriptor limit
 * becomes the hard one. */
MUST_USE Err limits_lower(void);
/* Forbids further processes and threads, once all exist. Root is exempt from this limit, but not
 * from seccomp. */
MUST_USE Err limits_forbid_processes(void);
/* Limits writable memory to what is mapped now plus what a worker with this budget may need later
 * (limits_growth). Returns whether a limit is in force. */
bool limits_bound_memory(int sizes, uint64_t budget_bytes);
/* The same for `bytes` beyond what is mapped now. */
bool limits_bound_more(int sizes, uint64_t bytes);
/* How much a worker with this budget may map beyond its start, given this machine's memory. */
uint64_t limits_growth(uint64_t budget_bytes, uint64_t machine_bytes);

#endif
