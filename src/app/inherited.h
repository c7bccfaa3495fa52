/* inherited.h - what a process keeps over exec, set to what River needs.
 *
 * Whoever starts River may have ignored SIGCHLD, blocked signals, set a timer, closed standard
 * output or left files open; all of that survives exec. A hard limit, the directory, the
 * environment, niceness and processors are the parent's wishes and stay. */
#ifndef APP_INHERITED_H
#define APP_INHERITED_H

#include "base/err.h"

/* At the start, before a descriptor is opened, so that 0, 1 and 2 are never anything else than
 * standard input, output and error: what is missing there becomes /dev/null. Signals get their
 * default actions, and none is blocked; one that waits is dropped, unless River obeys it. Timers
 * stop. What River creates is readable and writable for its owner, whatever the umask says. */
MUST_USE Err inherited_reset(void);

/* Closes all descriptors above standard error, but for `first`..`last` (none where last < first)
 * and `other` (-1: none). */
void inherited_close(int first, int last, int other);

#endif
