/* supervisor.h - the process that stays: it owns listeners, files and signals, keeps the worker
 * alive, and never reads a byte from the network. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

#include "app/files.h"
#include "base/arena.h"
#include "config/settings.h"

/* Runs River by these settings until it is told to end; returns the exit status. The arena holds
 * what is made at the start; `files` reads certificates again. */
int supervisor_run(const Settings *settings, Files *files, TlsShelf *shelf, Arena *arena);

#endif
