/* channel.h - orders and answers between the supervisor and its worker.
 *
 * A worker may be compromised, and closing a descriptor that it sends can block (SO_LINGER). An
 * unrequested descriptor is closed as well, within the receiver's recv or close. So the channel has
 * two directions, and only one of them carries descriptors:
 *
 *     orders     a SEQPACKET socketpair whose supervisor end is shut for reading: the kernel
 *                refuses anything that the worker sends there
 *     answers    a pipe in packet mode, which cannot carry descriptors
 *
 * Both preserve message boundaries. The supervisor checks the kind and size of every answer. */
#ifndef APP_CHANNEL_H
#define APP_CHANNEL_H

#include "base/str.h"

typedef enum ChannelKind {
    CHANNEL_NONE,
    CHANNEL_READY,       /* worker: serving; `value`: what its cage has closed (CageState) */
    CHANNEL_DRAIN,       /* supervisor: finish open work within `value` ms, then exit */
    CHANNEL_HAND_OVER,   /* supervisor: the same, but another process takes new clients */
    CHANNEL_STOP,        /* supervisor: exit now */
    CHANNEL_LOGS,        /* supervisor: new descriptors for error and access log */
    CHANNEL_KEY_LOG,     /* supervisor: a descriptor for the key log at path `bytes`: a replacement,
                          * or, before the first configuration, one of `value` in total */
    CHANNEL_STATUS,      /* supervisor: report your status; `value`: 1 for JSON, 0 for text */
    CHANNEL_STATUS_PART, /* worker: a piece of the answer; `value` is the request's id */
    CHANNEL_STATUS_END,  /* worker: the answer is complete */
    CHANNEL_LISTENERS,   /* supervisor: bound sockets for the next configuration; `bytes`: one
                          * four-byte number per socket, its place in the settings, with
                          * CHANNEL_PASSED set if the service manager has the socket too. `value` 1:
                          * forget those sent before */
    CHANNEL_CONFIGURATION, /* supervisor: adopt this configuration, in a region (base/region.h) with
                            * slot `id`; `value` is the address of its settings. The second
                            * descriptor is the region that they share data with (-1: none); its
                            * slot is in `id` above CHANNEL_BASE_SHIFT bits. Two more are the
                            * secrets of the two */
    CHANNEL_DUMP,        /* supervisor: write your dump (proxy/dump.h) to this file */
    CHANNEL_DUMPED,      /* worker: the dump is written (`value` 1) or failed (0) */
    CHANNEL_RELOADED,    /* worker: all threads use the new configuration (`value` 1), or the old
                          * one stays (0, and `bytes` say why) */
    CHANNEL_CONFIRMED,   /* supervisor: this worker serves, even if the supervisor dies; the
                          * descriptor (-1: none) is where the next supervisor connects */
    CHANNEL_DEAF,        /* worker: it has handed over and accepts no more clients */
    CHANNEL_START,       /* supervisor, first message: what the worker starts with. `value`: number
                          * of threads; descriptors: error log, access log, the previous worker's
                          * dump (proxy/dump.h). Everything up to the first configuration belongs to
                          * it */
    CHANNEL_ROOTS,       /* supervisor, before the first configuration: directories of file servers,
                          * in the order of the settings, then others that the cage admits; `value`:
                          * how many in total */
    CHANNEL_ROOT,        /* supervisor: the directory of number `id` is this one from now on */
    CHANNEL_RECORD,      /* supervisor and helper: all their messages (record.h) */
    CHANNEL_LAST = CHANNEL_RECORD
} ChannelKind;

#define CHANNEL_BASE_SHIFT 16u
#define CHANNEL_PASSED (UINT32_C(1) << 31)
#define CHANNEL_BYTES_MAX 32768u
#define CHANNEL_ANSWER_BYTES_MAX 4072u /* plus the header: one pipe packet (PIPE_BUF) */
#define CHANNEL_FDS_MAX 64u

typedef struct ChannelMessage {
    ChannelKind kind;
    uint32_t id; /* of a status request, repeated in its answer */
    uint64_t value;
    Str bytes; /* in the receiver's room */
    size_t fd_count;
    int fds[CHANNEL_FDS_MAX]; /* -1: leave that one as it is */
} ChannelMessage;

/* One side's ends; -1: closed. */
typedef struct ChannelEnd {
    int orders;
    int answers;
} ChannelEnd;

#define CHANNEL_CLOSED ((ChannelEnd){-1, -1})

/* Opens both ends of a channel, close-on-exec and non-blocking. */
MUST_USE Err channel_open(ChannelEnd *ret_supervisor, ChannelEnd *ret_worker);
void channel_close(ChannelEnd *io_end);

/* Supervisor: sends an order. ERR_AGAIN if the worker does not read. The caller keeps the
 * descriptors. */
MUST_USE Err channel_order(const ChannelEnd *end, const ChannelMessage *order);
/* The same, waiting up to a second for a busy worker. */
MUST_USE Err channel_order_patiently(const ChannelEnd *end, const ChannelMessage *order);
/* Worker: sends an answer of at most CHANNEL_ANSWER_BYTES_MAX, without descriptors; waits up to a
 * second for a busy supervisor. */
MUST_USE Err channel_answer(const ChannelEnd *end, const ChannelMessage *answer);

/* Worker: takes the next order without waiting, its bytes in `room` (CHANNEL_BYTES_MAX). ERR_AGAIN:
 * there is none. ERR_CLOSED: the other side is gone. The caller owns the descriptors. */
MUST_USE Err channel_take_order(const ChannelEnd *end, Span room, ChannelMessage *ret);
/* Supervisor: the same for the next answer. */
MUST_USE Err channel_take_answer(const ChannelEnd *end, Span room, ChannelMessage *ret);

#endif
