/* nursery.h - the process that makes all of River's children.
 *
 * A forked process is a copy of its parent's memory. The supervisor's holds the configuration and
 * everything that it has ever parsed, so its own children would hold that as well. The nursery is
 * forked before anything is read, does nothing but fork, and so its children begin with nothing:
 *
 *     supervisor                     nursery
 *        kind, descriptors -------->    clone(CLONE_PARENT)   a child
 *            <--------------- its pid
 *
 * With CLONE_PARENT the child is the supervisor's, as the nursery itself is: the supervisor waits
 * for both, and a child outlives the nursery. All of them have the same addresses, so that
 * pointers in a region (base/region.h) hold.
 *
 * A nursery that dies or does not answer is replaced at the next birth by a fork of the supervisor
 * as it is then. That one and its children hold what the supervisor holds, which is no secret. */
#ifndef APP_NURSERY_H
#define APP_NURSERY_H

#include <sys/types.h>

#include "app/child.h"

typedef struct Nursery {
    pid_t pid;   /* 0: there is none, and the next birth makes one */
    int fd;      /* -1: none */
    bool let_go; /* the next one has no standard streams (daemon.h) */
} Nursery;

#define NURSERY_NONE ((Nursery){.fd = -1})
#define NURSERY_ANSWER_MS 2000 /* for a nursery to answer, before it is replaced */

/* What a child is to be. The descriptors stay the caller's. */
typedef struct Birth {
    ChildKindId kind;
    ChannelEnd channel; /* the child's end */
    int notes;          /* of crash_open */
} Birth;

/* Forks a nursery, which ends with its supervisor. *io is none before. The address space of regions
 * is reserved, and signals are as all children shall have them. */
MUST_USE Err nursery_start(Nursery *io);
/* Ends it, and waits for its end. Without one nothing happens. */
void nursery_end(Nursery *io);
/* Notices its death, and says so. */
void nursery_look(Nursery *io);
/* A child of that kind, born by this process's nursery; waits for at most twice
 * NURSERY_ANSWER_MS. An error means that there is none, or that it ends by itself because its
 * channel is closed. */
MUST_USE Err nursery_bear(Nursery *io, const Birth *birth, pid_t *ret);

#endif
