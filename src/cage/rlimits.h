/* rlimits.h - what the system gives a caged worker at most. */
#ifndef CAGE_RLIMITS_H
#define CAGE_RLIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Opens what tells how much memory this process has mapped; -1: nothing does. */
int limits_open_sizes(void);
/* No core dumps, no locked memory, no queues, no more descriptors than now. */
MUST_USE Err limits_lower(void);
/* No further process or thread, once all are there. Root is exempt: seccomp is not. */
MUST_USE Err limits_forbid_processes(void);
/* Bounds the memory that may be written to what is mapped now and what a worker of this budget may
 * come to need (limits_growth). Returns whether there is a bound now. */
bool limits_bound_memory(int sizes, uint64_t budget_bytes);
/* The same for so many bytes more than are mapped now. */
bool limits_bound_more(int sizes, uint64_t bytes);
/* How much more than at its start a worker of this budget may map, on a machine of this memory. */
uint64_t limits_growth(uint64_t budget_bytes, uint64_t machine_bytes);

#endif
