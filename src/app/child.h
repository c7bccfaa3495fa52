/* child.h - the kinds of processes that River makes beside its supervisor.
 *
 * The nursery (nursery.h) makes them all. What a child is born with is in its ChildStart: standard
 * input, output and error, a channel to the supervisor, and pages for its last words (crash.h).
 * Everything else comes over the channel. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "app/channel.h"

/* What a child has at its birth. */
typedef struct ChildStart {
    ChannelEnd channel;
} ChildStart;

typedef enum ChildKindId {
    CHILD_WORKER, /* carries all traffic (worker_process.h) */
    CHILD_KINDS
} ChildKindId;

typedef struct ChildKind {
    Str name; /* for the log */
    void (*main)(const ChildStart *start); /* for the rest of its life: never returns */
} ChildKind;

extern const ChildKind child_kinds[CHILD_KINDS];

#endif
