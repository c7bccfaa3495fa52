/* supervisor.h - the process that stays: it owns listeners, files and signals, keeps the worker
 * alive, and never reads a byte from the network. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

#include "app/source.h"

/* Runs River by the configuration at that source until it is told to end; returns the exit status.
 * The arena holds what is made at the start, and must live as long. */
int supervisor_run(const Source *source, Arena *arena);

#endif
