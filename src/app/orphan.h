/* orphan.h - a worker whose supervisor is gone, and the next supervisor.
 *
 * The supervisor makes a socket beside the control socket ("control.sock.orphan") and gives it to
 * the worker that serves. Nobody answers there while the supervisor lives. When it dies, the worker
 * goes on (worker_orphan.c) and answers: whoever starts River again gets its listeners, as in an
 * upgrade (handover.h), but neither its state nor the keys of its tickets, and what comes is not
 * believed, because the orphan may have gone mad since nobody watches it:
 *
 *     the orphan           a go-between                      the next supervisor
 *        listeners ----->  forwards those that listen ----->    takes those that its
 *        over ---------->  and names them itself                configuration has
 *            <------------------------------------------ ready  its worker serves
 *        released ------>  or kills the orphan ----------->     drained by itself
 *
 * The go-between is a process of its own, because what an orphan sends may block whoever closes it
 * (channel.h). The end of a process does not wait for such sockets. */
#ifndef APP_ORPHAN_H
#define APP_ORPHAN_H

#include <sys/types.h>

#include "app/listen.h"

/* Makes the socket, beside the control socket at `control`, in the arena's memory. */
MUST_USE Err orphan_listen(Str control, Arena *arena, ListenSocket *ret);

/* Whether an orphan answers where a River with that control socket would have left one. Then
 * *ret_fd is the connection to a go-between, which speaks as the old side of an upgrade does, and
 * *ret_pid its process. */
bool orphan_meet(Str control, int *ret_fd, pid_t *ret_pid);

#endif
