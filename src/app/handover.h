/* handover.h - what passes between two supervisors when one takes over from the other: listening
 * sockets, the state of the worker, and who is ready.
 *
 *     the old one               the new one
 *        listeners (sockets) ----->    as many messages as are needed
 *        passed (sockets) -------->    the same, where the service manager has made them
 *        state (a memory file) --->    what its worker has counted; it may be missing
 *        over -------------------->    begins with its worker
 *            <---------------- ready   its worker serves (or: failed, and why)
 *        released ---------------->    control socket and pid file are free; the old one drains
 *
 * The two may be of different versions, so this is text: a message's first line is
 * "river-hand-over 1 KIND", and each further line names what travels with it. A kind that is not
 * known is left out; another number than 1 is another protocol. Either side may end it by closing.
 * */
#ifndef APP_HANDOVER_H
#define APP_HANDOVER_H

#include "base/arena.h"
#include "base/text.h"

#define HANDOVER_VERSION 1u
#define HANDOVER_BYTES_MAX 32768u
#define HANDOVER_FDS_MAX 64u

typedef enum HandoverKind {
    HANDOVER_UNKNOWN,
    HANDOVER_LISTENERS, /* a line for each socket: its name */
    HANDOVER_PASSED,    /* the same, of sockets that are the service manager's, too */
    HANDOVER_STATE,     /* one descriptor */
    HANDOVER_OVER,
    HANDOVER_READY,  /* a line: the new supervisor's process id */
    HANDOVER_FAILED, /* lines for a person */
    HANDOVER_RELEASED
} HandoverKind;

typedef struct HandoverMessage {
    HandoverKind kind;
    Str lines; /* what stands behind the first; in the receiver's room */
    int process; /* who has sent it, where the socket tells (SO_PASSCRED); else 0 */
    size_t fd_count;
    int fds[HANDOVER_FDS_MAX];
} HandoverMessage;

/* Reads a message's text. ERR_SYNTAX: it is none; ERR_UNSUPPORTED: another version's. */
MUST_USE Err handover_parse(Str text, HandoverKind *ret, Str *ret_lines);

/* Sends, waiting up to a second for a side that is busy. The descriptors stay the caller's. */
MUST_USE Err handover_send(int fd, HandoverKind kind, Str lines, const int *fds, size_t fd_count);
/* Receives, waiting at most `timeout_ms` (0: not at all: ERR_AGAIN). The descriptors are the
 * caller's. ERR_CLOSED, ERR_TIMEOUT, and those of handover_parse. */
MUST_USE Err handover_receive(int fd, Span room, int timeout_ms, HandoverMessage *ret);

/* Both ends, for a child that is the new one; closed on exec. */
MUST_USE Err handover_pair(int *ret_old, int *ret_new);
/* The old one's way to a new one that waits at `path`, and that one's waiting (ERR_TIMEOUT). The
 * socket's file is for its owner alone, and goes when somebody has come. ERR_DENIED: others may
 * write to the directory, or another user's process is at the other end (trust.h); `why` tells. */
MUST_USE Err handover_connect(Str path, int *ret, Text *why);
MUST_USE Err handover_await(Str path, int timeout_ms, int *ret, Text *why);
/* A socket that listens at `path`, for its owner alone; a file of one that is gone is replaced. */
MUST_USE Err handover_listen(Str path, int *ret);

#endif
