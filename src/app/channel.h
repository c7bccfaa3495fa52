/* channel.h - orders and answers between the supervisor and its worker.
 *
 * Both sides are River, but a worker may have gone mad, and a descriptor that it sends can block
 * whoever closes it (SO_LINGER). Closing is also what happens to one that is not asked for, in the
 * receiver's recv or close. So there are two ways, and descriptors travel on one of them only:
 *
 *     orders     a SEQPACKET socketpair whose supervisor's end is shut for reading: the worker's
 *                kernel refuses to send anything there
 *     answers    a pipe in packet mode, which cannot carry descriptors
 *
 * Messages keep their bounds on both. The supervisor checks kinds and sizes of what it reads. */
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
    CHANNEL_KEY_LOG,     /* supervisor: a descriptor for the key log whose path `bytes` are: a new
                          * one, or before the first configuration one of `value` in all */
    CHANNEL_STATUS,      /* supervisor: tell what you are doing; `value`: 1 as JSON, 0 as text */
    CHANNEL_STATUS_PART, /* worker: a piece of the answer; `value` is the request's id */
    CHANNEL_STATUS_END,  /* worker: the answer is complete */
    CHANNEL_LISTENERS,   /* supervisor: bound sockets for the next configuration; `bytes`: numbers
                          * of four bytes, each socket's place in its settings, and
                          * CHANNEL_PASSED where the service manager has the socket, too. `value` 1:
                          * those that came before are forgotten */
    CHANNEL_CONFIGURATION, /* supervisor: take this one, in a region (base/region.h) whose slot is
                            * `id`; `value` is the address of its settings. A second descriptor is
                            * of the region that they take from (-1: none); CHANNEL_BASE_SHIFT bits
                            * further up in `id` is its slot. Two more are of their secrets */
    CHANNEL_DUMP,        /* supervisor: write what you know (proxy/dump.h) into this file */
    CHANNEL_DUMPED,      /* worker: it is written (`value` 1), or could not be (0) */
    CHANNEL_RELOADED,    /* worker: all threads go by it (`value` 1), or it stays with the old one
                          * (0, and `bytes` say why) */
    CHANNEL_CONFIRMED,   /* supervisor: it is this worker that serves, also should the supervisor be
                          * gone; the descriptor (-1: none) is where the next one knocks */
    CHANNEL_DEAF,        /* worker: it has handed over, and accepts no more clients */
    CHANNEL_START,       /* supervisor, first of all: what the worker begins with. `value`: how many
                          * threads; descriptors: error log, access log, and what the worker before
                          * has written (proxy/dump.h). What follows, up to the first configuration,
                          * belongs to it */
    CHANNEL_ROOTS,       /* supervisor, before the first configuration: directories of file servers,
                          * in the order of the settings; `value`: how many there are in all */
    CHANNEL_RECORD,      /* supervisor and helper: all that they say (record.h) */
    CHANNEL_LAST = CHANNEL_RECORD
} ChannelKind;

#define CHANNEL_BASE_SHIFT 16u
#define CHANNEL_PASSED (UINT32_C(1) << 31)
#define CHANNEL_BYTES_MAX 32768u
#define CHANNEL_ANSWER_BYTES_MAX 4072u /* with the head a packet of the pipe (PIPE_BUF) */
#define CHANNEL_FDS_MAX 64u

typedef struct ChannelMessage {
    ChannelKind kind;
    uint32_t id; /* of a status request, repeated in its answer */
    uint64_t value;
    Str bytes; /* in the receiver's room */
    size_t fd_count;
    int fds[CHANNEL_FDS_MAX]; /* -1 for one that is left as it is */
} ChannelMessage;

/* One side's ends; -1: closed. */
typedef struct ChannelEnd {
    int orders;
    int answers;
} ChannelEnd;

#define CHANNEL_CLOSED ((ChannelEnd){-1, -1})

/* Both sides of one channel, closed on exec; none of them ever waits. */
MUST_USE Err channel_open(ChannelEnd *ret_supervisor, ChannelEnd *ret_worker);
void channel_close(ChannelEnd *io_end);

/* Supervisor: an order. ERR_AGAIN when the worker does not read. The descriptors stay the caller's.
 */
MUST_USE Err channel_order(const ChannelEnd *end, const ChannelMessage *order);
/* The same, waiting up to a second for a worker that is busy. */
MUST_USE Err channel_order_patiently(const ChannelEnd *end, const ChannelMessage *order);
/* Worker: an answer, of at most CHANNEL_ANSWER_BYTES_MAX and without descriptors; waits up to a
 * second for a supervisor that is busy. */
MUST_USE Err channel_answer(const ChannelEnd *end, const ChannelMessage *answer);

/* Worker: the next order, without waiting, its bytes in `room` (CHANNEL_BYTES_MAX). ERR_AGAIN:
 * there is none. ERR_CLOSED: the other side is gone. Descriptors are the caller's now. */
MUST_USE Err channel_take_order(const ChannelEnd *end, Span room, ChannelMessage *ret);
/* Supervisor: the next answer, in the same way. */
MUST_USE Err channel_take_answer(const ChannelEnd *end, Span room, ChannelMessage *ret);

#endif
