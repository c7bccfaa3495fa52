/* orphan.h - a worker whose supervisor is gone, and how the next supervisor meets it.
 *
 * The supervisor creates a socket beside the control socket ("control.sock.orphan") and gives it to
 * the serving worker. Nobody answers there while the supervisor lives. When it dies, the worker
 * keeps serving (worker_orphan.c) and answers: the next River that is started gets its listeners,
 * as in an upgrade (handover.h), but neither its state nor its ticket keys. Nothing that it sends
 * is trusted, because an unsupervised orphan may be compromised:
 *
 *     the orphan           a go-between                      the next supervisor
 *        listeners ----->  forwards those that listen ----->    takes those in its
 *        over ---------->  under names it derives itself        configuration
 *            <------------------------------------------ ready  its worker serves
 *        released ------>  or kills the orphan ----------->     drains by itself
 *
 * The go-between is a process of its own, because what an orphan sends may block whoever closes it
 * (channel.h). The end of a process does not wait for such sockets. */
#ifndef APP_ORPHAN_H
#define APP_ORPHAN_H

#include <sys/types.h>

#include "app/listen.h"

/* Creates the socket beside the control socket at `control`, allocated in the arena. */
MUST_USE Err orphan_listen(Str control, Arena *arena, ListenSocket *ret);

/* Whether an orphan answers beside the control socket `control`. If so, *ret_fd is a connection to
 * a go-between, which acts as the old side of an upgrade, and *ret_pid is its process. */
bool orphan_meet(Str control, int *ret_fd, pid_t *ret_pid);

#endif
