/* cage.h - where the worker gives up what it does not need, in two steps, for good.
 *
 * cage_enter comes before the worker has any thread but its first, because users, capabilities and
 * Landlock belong to threads: those that start later inherit them. cage_close comes when the last
 * thread exists, because seccomp then also forbids to make another one; it puts all threads behind
 * the list at once. In between no thread may read a byte from the network (WorkerPlan,
 * before_serving). One list that is closed once, instead of a wide one that is narrowed later:
 * each further list costs at every call, and there would be two to keep right.
 *
 * What threads must have done before cage_close: everything that the C library does when one
 * begins. So whoever starts a thread waits for it (loop/gate.h).
 *
 * After cage_close, a worker can open nothing but files beneath the roots of its plan, and connect
 * to Unix sockets only in the directories of its plan (Linux 7.1). A configuration that needs more,
 * another user, or another `sandbox`, needs another worker.
 */
#ifndef CAGE_CAGE_H
#define CAGE_CAGE_H

#include "base/text.h"
#include "config/settings.h"

typedef struct CagePlan {
    const AccountSettings *account;
    bool sandbox; /* false: only the account changes, and no_new_privs is set */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* directories of file servers */
    const Settings *settings;                /* for the Unix sockets of its connectors */
    uint64_t memory_bytes;                   /* the worker's budget; 0: memory has no limit */
} CagePlan;

/* What is closed, for people and for the log: bits, and Landlock's version in the upper half. */
typedef uint64_t CageState;

/* X(name, text): in the order in which they are told. */
#define CAGE_BARS(X)                                                                               \
    X(NO_NEW_PRIVS, "no_new_privs")                                                                \
    X(USER, "unprivileged user")                                                                   \
    X(POWERLESS, "no capabilities")                                                                \
    X(SECCOMP, "seccomp")                                                                          \
    X(LANDLOCK, "landlock")                                                                        \
    X(NO_EXEC_GAIN, "write-xor-execute")                                                           \
    X(MEMORY, "memory limit")

enum {
#define X(name, text) CAGE_BIT_##name,
    CAGE_BARS(X)
#undef X
};
#define CAGE_BAR(name) (UINT64_C(1) << CAGE_BIT_##name)

typedef struct Cage {
    CagePlan plan;
    CageState state;
    int sizes; /* /proc/self/statm, opened while that was possible; -1: not */
} Cage;

/* The plan of these settings, with the directories that were opened for them. */
CagePlan cage_plan(const Settings *settings, size_t root_count, const int *roots);
/* A number that differs where a worker that is caged for one of two configurations cannot go on by
 * the other: another account, another `sandbox`, sockets in other directories. */
uint64_t cage_mark(const Settings *settings);

/* Supervisor, before the first worker: makes sure that a worker can be caged as the settings say
 * (`why` tells a person what to do otherwise), says in the log what is not as it should be (no
 * user, no sandbox), and keeps its own memory, with the keys in it, from other processes of its
 * user and out of core dumps. */
MUST_USE Err cage_prepare(const Settings *settings, Text *why);
/* Supervisor, once a worker has told its state: says what it has closed and what this kernel could
 * not close, unless that is what was said the last time. */
void cage_log(CageState *io_told, CageState state, bool sandbox);

/* Worker, with one thread: account, capabilities, no_new_privs, limits, Landlock. An error means
 * that it must not serve; it is in the log. */
MUST_USE Err cage_enter(Cage *c, const CagePlan *plan);
/* Worker, with all its threads: memory's limit and seccomp. Made for WorkerPlan.before_serving: the
 * argument is the Cage. */
MUST_USE Err cage_close(void *cage);

unsigned cage_landlock_version(CageState state);
/* "seccomp, landlock 7, ..."; "none" for nothing. */
void cage_print(Text *out, CageState state);
/* The same in the caller's room. */
Str cage_text(Span room, CageState state);
/* The name of a system call that a dead worker was not allowed (crash_call). */
void cage_print_call(Text *out, uint32_t number, uint32_t architecture);

#endif
