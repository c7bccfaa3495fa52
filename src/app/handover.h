/* handover.h - what two supervisors exchange when one takes over from the other: listening sockets,
 * the worker's state, and who is ready.
 *
 *     the old one               the new one
 *        listeners (sockets) ----->    as many messages as needed
 *        passed (sockets) -------->    the same, for sockets made by the service manager
 *        state (a memory file) --->    its worker's dump; may be missing
 *        over -------------------->    starts its worker
 *            <---------------- ready   its worker serves (or: failed, and why)
 *        released ---------------->    control socket and pid file are free; the old one drains
 *
 * The two may be of different versions, so messages are text: the first line is "river-hand-over 1
 * KIND", and each further line names something sent along. Unknown kinds are ignored; a number
 * other than 1 is another protocol. Either side may abort by closing. */
#ifndef APP_HANDOVER_H
#define APP_HANDOVER_H

#include "base/arena.h"
#include "base/text.h"

#define HANDOVER_VERSION 1u
#define HANDOVER_BYTES_MAX 32768u
#define HANDOVER_FDS_MAX 64u

typedef enum HandoverKind {
    HANDOVER_UNKNOWN,
    HANDOVER_LISTENERS, /* one line per socket: its name */
    HANDOVER_PASSED,    /* the same, for sockets that the service manager has too */
    HANDOVER_STATE,     /* one descriptor */
    HANDOVER_OVER,
    HANDOVER_READY,  /* a line: the new supervisor's process id */
    HANDOVER_FAILED, /* lines for the user */
    HANDOVER_RELEASED
} HandoverKind;

typedef struct HandoverMessage {
    HandoverKind kind;
    Str lines; /* after the first line; in the receiver's room */
    int process; /* the sender's process id if the socket tells it (SO_PASSCRED); else 0 */
    size_t fd_count;
    int fds[HANDOVER_FDS_MAX];
} HandoverMessage;

/* Parses a message's text. ERR_SYNTAX: not a message; ERR_UNSUPPORTED: another version's. */
MUST_USE Err handover_parse(Str text, HandoverKind *ret, Str *ret_lines);

/* Sends, waiting up to a second for a busy peer. The caller keeps the descriptors. */
MUST_USE Err handover_send(int fd, HandoverKind kind, Str lines, const int *fds, size_t fd_count);
/* Receives, waiting at most `timeout_ms` (0: not at all, ERR_AGAIN). The caller owns the
 * descriptors. ERR_CLOSED, ERR_TIMEOUT, and the errors of handover_parse. */
MUST_USE Err handover_receive(int fd, Span room, int timeout_ms, HandoverMessage *ret);

/* Both ends, close-on-exec, for a new River that is our child. */
MUST_USE Err handover_pair(int *ret_old, int *ret_new);
/* The old River connects to a new one waiting at `path`; the new one waits for it (ERR_TIMEOUT).
 * The socket's file is accessible to its owner only, and is removed once a peer has connected.
 * ERR_DENIED: others may write to the directory, or the peer runs as another user (trust.h); `why`
 * says which. */
MUST_USE Err handover_connect(Str path, int *ret, Text *why);
MUST_USE Err handover_await(Str path, int timeout_ms, int *ret, Text *why);
/* A socket that listens at `path`, accessible to its owner only; replaces a stale file. */
MUST_USE Err handover_listen(Str path, int *ret);

#endif
