/* channel.h - orders and answers between the supervisor and its worker.
 *
 * A SEQPACKET socketpair: messages keep their bounds, and descriptors travel with them. Both sides
 * are River, but the supervisor reads what a worker may have written that went mad: kinds and sizes
 * are checked, and descriptors are taken only in the worker. */
#ifndef APP_CHANNEL_H
#define APP_CHANNEL_H

#include "base/str.h"

typedef enum ChannelKind {
    CHANNEL_NONE,
    CHANNEL_READY,       /* worker: it serves; `value`: what its cage has closed (CageState) */
    CHANNEL_DRAIN,       /* supervisor: finish what is open within `value` ms, then exit */
    CHANNEL_HAND_OVER,   /* supervisor: the same, but another one takes clients from now on */
    CHANNEL_STOP,        /* supervisor: exit now */
    CHANNEL_LOGS,        /* supervisor: new descriptors for error and access log */
    CHANNEL_STATUS,      /* supervisor: tell what you are doing; `value`: 1 as JSON, 0 as text */
    CHANNEL_STATUS_PART, /* worker: a piece of the answer; `value` is the request's id */
    CHANNEL_STATUS_END,  /* worker: the answer is complete */
    CHANNEL_LISTENERS,   /* supervisor: bound sockets for the next configuration; `bytes`: numbers
                          * of four bytes, each socket's place in its settings. `value` 1: those
                          * that came before are forgotten */
    CHANNEL_CONFIGURATION, /* supervisor: take this one, in a region (base/region.h) whose slot is
                            * `id`; `value` is the address of its settings. A second descriptor is
                            * of the region that they take from; CHANNEL_BASE_SHIFT bits further up
                            * in `id` is its slot */
    CHANNEL_DUMP,        /* supervisor: write what you know (proxy/dump.h) into this file */
    CHANNEL_DUMPED,      /* worker: it is written (`value` 1), or could not be (0) */
    CHANNEL_RELOADED,    /* worker: all threads go by it (`value` 1), or it stays with the old one
                          * (0, and `bytes` say why) */
    CHANNEL_DEAF         /* worker: it has handed over, and takes nobody any more */
} ChannelKind;

#define CHANNEL_BASE_SHIFT 16u
#define CHANNEL_BYTES_MAX 32768u
#define CHANNEL_FDS_MAX 64u

typedef struct ChannelMessage {
    ChannelKind kind;
    uint32_t id; /* of a status request, repeated in its answer */
    uint64_t value;
    Str bytes; /* in the receiver's room */
    size_t fd_count;
    int fds[CHANNEL_FDS_MAX]; /* -1 for one that is left as it is */
} ChannelMessage;

/* Two ends of one channel, closed on exec. */
MUST_USE Err channel_open(int *ret_supervisor, int *ret_worker);
/* Sends; ERR_AGAIN when the other side does not read. The descriptors stay the caller's. */
MUST_USE Err channel_send(int fd, const ChannelMessage *message);
/* The same, waiting up to a second for a side that is busy. */
MUST_USE Err channel_send_patiently(int fd, const ChannelMessage *message);
/* Receives without waiting, the bytes into `room` (CHANNEL_BYTES_MAX). ERR_AGAIN: nothing there.
 * ERR_CLOSED: the other side is gone. Descriptors are the caller's now; where `take_fds` is false
 * they are closed. */
MUST_USE Err channel_receive(int fd, Span room, bool take_fds, ChannelMessage *ret);

#endif
