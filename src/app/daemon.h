/* daemon.h - going to the background, without hiding what goes wrong at the start.
 *
 * The process that the person started stays until the daemon says that it serves, and its exit
 * status tells: so `river --daemonize && echo up` means what it says. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "base/err.h"

/* Forks into the background. Returns only in the daemon; the first process waits for daemon_ready
 * and exits. *ret_ready is daemon_ready's. */
MUST_USE Err daemon_start(int *ret_ready);
/* The daemon serves: the first process exits with 0, and the standard streams are let go. If the
 * daemon ends before this, the first process exits with EXIT_FAILED. -1 is fine. */
void daemon_ready(int ready);
/* Lets go of the standard streams, which the worker has from its parent, so that whoever waits for
 * their end does not wait for a daemon. */
void daemon_let_go(void);

#endif
