/* child.h - the kinds of child processes that the supervisor has.
 *
 * The nursery (nursery.h) creates them all. A child starts with its ChildStart: standard input,
 * output and error, a channel to the supervisor, and pages for its crash notes (crash.h).
 * Everything else comes over the channel. A worker's cage depends on its configuration (cage.h); a
 * helper's depends on its kind (cage/helper.h), and its main function enters it. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "app/channel.h"

/* What a child starts with. */
typedef struct ChildStart {
    ChannelEnd channel;
} ChildStart;

typedef enum ChildKindId {
    CHILD_WORKER, /* carries all traffic (worker_process.h) */
    CHILD_KEY_CHECKER, /* sees private keys while a configuration is read (key_checker.h) */
    CHILD_TRIAL,  /* a helper in the variant `breakin` only (breakin.h) */
    CHILD_KINDS
} ChildKindId;

typedef struct ChildKind {
    Str name; /* for the log */
    const char *process; /* the process name that the system shows */
    bool stays; /* a helper that is kept running (helpers.h) */
    void (*main)(const ChildStart *start); /* does not return; NULL: not in this build */
} ChildKind;

/* Indexed by ChildKindId. */
extern const ChildKind *const child_kinds[CHILD_KINDS];

#endif
