/* helper.h - the cage of a helper: a single-threaded process that does one job for River.
 *
 * It is stricter than a worker's, and each kind has its own: a list of system calls, the
 * directories that it may read, an account, and a memory limit. A helper can open files only
 * beneath those directories; all other input is passed to it. */
#ifndef CAGE_HELPER_H
#define CAGE_HELPER_H

#include "cage/cage.h"
#include "cage/calls.h"

/* The cage of one kind. */
typedef struct HelperCage {
    CallList calls;        /* in addition to those of every helper */
    uint64_t memory_bytes; /* limit on what it maps beyond its start */
} HelperCage;

typedef struct HelperCagePlan {
    const HelperCage *cage;
    const AccountSettings *account;
    bool sandbox; /* false: only switch the account and set no_new_privs */
    bool must;    /* false: tolerate a kernel without seccomp */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* directories that it may read beneath */
} HelperCagePlan;

/* Helper, single-threaded: drops all privileges, irreversibly. From now on it dies with its parent,
 * even while it hangs. On an error it must not go on. */
MUST_USE Err helper_cage_enter(const HelperCagePlan *plan, CageState *ret);

/* The seccomp program of a helper with this process id. */
void helper_call_program(CallProgram *ret, const HelperCage *cage, uint32_t process);

#endif
