/* upgrade.h - one River takes over from another: a new binary, or one with other privileges.
 *
 * The new supervisor takes the listening sockets and the old worker's dump, and starts its own
 * worker on them. The old one lets go only when that worker serves, so no connection is refused
 * meanwhile. If the new one fails, the old one has never stopped. */
#ifndef APP_UPGRADE_H
#define APP_UPGRADE_H

#include "app/supervision.h"

/* ---- the new one ---- */

/* Receives what the old one passes, before anything is opened. ERR_TIMEOUT and others: `why`. */
MUST_USE Err takeover_receive(Takeover *t, const Launch *launch, const SystemSettings *system,
                              Arena *arena, Text *why);
/* Reports failure, or readiness. */
void takeover_failed(Takeover *t, Str why);
void takeover_ready(Supervisor *s);
/* The old one has released files and sockets (or is gone): they are ours. */
void takeover_on_readable(Supervisor *s);

/* ---- the old one ---- */

/* Starts the binary at `path` with this River's arguments and hands over to it; `client` (NULL:
 * none) gets the outcome. */
void upgrade_begin(Supervisor *s, Str path, ControlClient *client);
/* Hands over to the River that waits at the upgrade socket (SIGQUIT). */
void upgrade_to_waiting(Supervisor *s);
/* The worker's dump is there (dumping.h; -1: there is none); it is the last thing passed. */
void upgrade_on_dump(Supervisor *s, int fd);
/* The new one has sent a message, or its process has ended. */
void upgrade_on_readable(Supervisor *s);
void upgrade_keep_deadlines(Supervisor *s, uint64_t now_ms);

#endif
