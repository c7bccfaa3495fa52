/* nursery.h - the process that creates all of River's children.
 *
 * A forked process is a copy of its parent's memory. The supervisor's memory holds the
 * configuration and everything ever parsed, so its children would hold that too. The nursery is
 * forked before anything is read and does nothing but fork, so its children start with empty
 * memory:
 *
 *     supervisor                     nursery
 *        kind, descriptors -------->    clone(CLONE_PARENT)   a child
 *            <--------------- its pid
 *
 * With CLONE_PARENT the child is the supervisor's, as is the nursery itself: the supervisor waits
 * for both, and a child outlives the nursery. All have the same address space layout, so pointers
 * in a region (base/region.h) hold.
 *
 * A nursery that dies or does not answer is replaced at the next birth by a fork of the supervisor
 * as it is then. Such a nursery and its children hold what the supervisor holds, which has no
 * secrets. */
#ifndef APP_NURSERY_H
#define APP_NURSERY_H

#include <sys/types.h>

#include "app/child.h"

typedef struct Nursery {
    pid_t pid;   /* 0: none; the next birth creates one */
    int fd;      /* -1: none */
    bool let_go; /* the next one gets no standard streams (daemon.h) */
} Nursery;

#define NURSERY_NONE ((Nursery){.fd = -1})
#define NURSERY_ANSWER_MS 2000 /* time for a nursery to answer before it is replaced */

/* What child to create. The caller keeps the descriptors. */
typedef struct Birth {
    ChildKindId kind;
    ChannelEnd channel; /* the child's end */
    int notes;          /* of crash_open */
} Birth;

/* Forks a nursery, which ends with its supervisor. *io must be none. The address space of regions
 * is already reserved, and signals are set as all children shall have them. */
MUST_USE Err nursery_start(Nursery *io);
/* Ends the nursery and waits for it; no-op if there is none. */
void nursery_end(Nursery *io);
/* Notices and logs its death. */
void nursery_look(Nursery *io);
/* Creates a child of that kind through the nursery; waits at most twice NURSERY_ANSWER_MS. On an
 * error there is no child, or it ends by itself because its channel is closed. */
MUST_USE Err nursery_bear(Nursery *io, const Birth *birth, pid_t *ret);

#endif
