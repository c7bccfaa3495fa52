/* child.h - the kinds of processes that River makes beside its supervisor.
 *
 * The nursery (nursery.h) makes them all. What a child is born with is in its ChildStart: standard
 * input, output and error, a channel to the supervisor, and pages for its last words (crash.h).
 * Everything else comes over the channel. A worker's cage depends on its configuration (cage.h); a
 * helper's is its kind's (cage/helper.h), which its main function enters. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "app/channel.h"

/* What a child has at its birth. */
typedef struct ChildStart {
    ChannelEnd channel;
} ChildStart;

typedef enum ChildKindId {
    CHILD_WORKER, /* carries all traffic (worker_process.h) */
    CHILD_KEY_CHECKER, /* sees private keys while a configuration is read (key_checker.h) */
    CHILD_TRIAL,  /* a helper of the build `breakin` alone (breakin.h) */
    CHILD_KINDS
} ChildKindId;

typedef struct ChildKind {
    Str name; /* for the log */
    const char *process; /* as which the system shows it */
    bool stays; /* a helper that is kept running (helpers.h) */
    void (*main)(const ChildStart *start); /* for the rest of its life; NULL: not in this build */
} ChildKind;

/* By their numbers. */
extern const ChildKind *const child_kinds[CHILD_KINDS];

#endif
