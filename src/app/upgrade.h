/* upgrade.h - one River takes over from another: the new binary, or one with other rights.
 *
 * The new supervisor takes the listening sockets and what the old worker has counted, starts its
 * own worker on them, and only when that serves does the old one let go: nobody who connects
 * meanwhile is refused. When the new one fails, the old one has never stopped. */
#ifndef APP_UPGRADE_H
#define APP_UPGRADE_H

#include "app/supervision.h"

/* ---- the new one ---- */

/* Takes over what the old one gives, before anything is opened. ERR_TIMEOUT and others: `why`. */
MUST_USE Err takeover_receive(Takeover *t, const Launch *launch, const SystemSettings *system,
                              Arena *arena, Text *why);
/* Says that it failed, or is ready. */
void takeover_failed(Takeover *t, Str why);
void takeover_ready(Supervisor *s);
/* The old one has let go of files and sockets (or is gone): they are ours. */
void takeover_on_readable(Supervisor *s);

/* ---- the old one ---- */

/* Starts the binary at `path` with this River's arguments and hands over to it; `client` (NULL:
 * nobody) hears how it went. */
void upgrade_begin(Supervisor *s, Str path, ControlClient *client);
/* Hands over to the one that waits at the upgrade socket (SIGQUIT). */
void upgrade_to_waiting(Supervisor *s);
/* What its worker has counted and remembers is there (dumping.h; -1: it is not): the last that is
 * given. */
void upgrade_on_dump(Supervisor *s, int fd);
/* The new one has said something, or its process has ended. */
void upgrade_on_readable(Supervisor *s);
void upgrade_keep_deadlines(Supervisor *s, uint64_t now_ms);

#endif
