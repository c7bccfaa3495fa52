/* cage.h - drops everything that the worker does not need, in two irreversible steps.
 *
 * cage_enter runs while the worker has a single thread, because users, capabilities and Landlock
 * are per thread and inherited by later threads. cage_close runs when the last thread exists,
 * because seccomp also forbids creating threads; it applies the list to all threads at once. In
 * between no thread may read a byte from the network (WorkerPlan, before_serving). There is one
 * list, closed once, instead of a wide one that is narrowed later: every list costs at every call,
 * and two would have to be kept right.
 *
 * Before cage_close, each thread must have finished the C library's startup code. So whoever starts
 * a thread waits for it (loop/gate.h).
 *
 * After cage_close a worker can open only files beneath the roots of its plan, and connect to Unix
 * sockets only in the directories of its plan (Linux 7.1). A configuration that needs more, another
 * user, or another `sandbox`, needs another worker. */
#ifndef CAGE_CAGE_H
#define CAGE_CAGE_H

#include "base/text.h"
#include "config/settings.h"

typedef struct CagePlan {
    const AccountSettings *account;
    bool sandbox; /* false: only switch the account and set no_new_privs */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* directories of file servers */
    const Settings *settings;                /* for the Unix sockets of its connectors */
    uint64_t memory_bytes;                   /* the worker's budget; 0: no memory limit */
} CagePlan;

/* What is closed: bits, and Landlock's version in the upper half. */
typedef uint64_t CageState;

/* X(name, text): in the order in which they are printed. */
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
    int sizes; /* /proc/self/statm, opened before the cage; -1: could not be opened */
} Cage;

/* The plan for these settings and the directories opened for them. */
CagePlan cage_plan(const Settings *settings, size_t root_count, const int *roots);
/* A number that changes if a worker caged for one configuration cannot switch to the other: another
 * account, another `sandbox`, Unix sockets in other directories. */
uint64_t cage_mark(const Settings *settings);

/* Supervisor, before the first worker: checks that a worker can be caged as the settings say
 * (otherwise `why` tells the user what to do), warns about a weak cage (no user, no sandbox), and
 * protects its own memory from other processes of its user and from core dumps. */
MUST_USE Err cage_prepare(const Settings *settings, Text *why);
/* Supervisor, once a worker has reported its state: logs what is closed and what this kernel could
 * not close, unless it is the same as last time. */
void cage_log(CageState *io_told, CageState state, bool sandbox);

/* Worker, single-threaded: account, capabilities, no_new_privs, limits, Landlock. On an error,
 * which is logged, it must not serve. */
MUST_USE Err cage_enter(Cage *c, const CagePlan *plan);
/* Worker, with all its threads: memory limit and seccomp. For WorkerPlan.before_serving; the
 * argument is the Cage. */
MUST_USE Err cage_close(void *cage);

unsigned cage_landlock_version(CageState state);
/* "seccomp, landlock 7, ..."; "none" for nothing. */
void cage_print(Text *out, CageState state);
/* The same, as a slice of `room`. */
Str cage_text(Span room, CageState state);
/* The name of a forbidden system call that killed a worker (crash_call). */
void cage_print_call(Text *out, uint32_t number, uint32_t architecture);

#endif
