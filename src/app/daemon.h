/* daemon.h - going to the background without hiding startup errors.
 *
 * The process that the user started stays until the daemon serves, and reports success by its exit
 * status, so `river --daemonize && echo up` means what it says. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "base/err.h"

/* Forks into the background. Returns only in the daemon; the first process waits for daemon_ready
 * and exits. *ret_ready is the argument of daemon_ready. */
MUST_USE Err daemon_start(int *ret_ready);
/* The daemon serves: the first process exits with 0, and the standard streams are closed. If the
 * daemon ends before this, the first process exits with EXIT_FAILED. -1: no-op. */
void daemon_ready(int ready);
/* Closes the standard streams that the worker inherited, so that a process waiting for end of file
 * on them does not wait for the daemon. */
void daemon_let_go(void);

#endif
