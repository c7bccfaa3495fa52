/* inherited.h - resets what a process keeps over exec to what River needs.
 *
 * The parent may have ignored SIGCHLD, blocked signals, set a timer, closed standard output or left
 * files open; all of that survives exec. Hard limits, working directory, environment, niceness and
 * CPU affinity are the parent's wishes and stay. */
#ifndef APP_INHERITED_H
#define APP_INHERITED_H

#include "base/err.h"

/* Runs at the start, before any descriptor is opened: missing standard streams become /dev/null, so
 * that descriptors 0, 1 and 2 are never anything else. Signals get their default actions; pending
 * ones are dropped and none stays blocked, except those that River handles, which are kept and
 * blocked until they are read. Timers stop. The umask is set so that River's files are accessible
 * to their owner. */
MUST_USE Err inherited_reset(void);

/* Closes all descriptors above standard error, except `first`..`last` (none if last < first) and
 * `other` (-1: none). */
void inherited_close(int first, int last, int other);

#endif
