/* helper.h - the cage of a helper: a process with one thread that does one thing for River.
 *
 * It is smaller than a worker's, and each kind has its own: a list of system calls, the directories
 * that it may read, an account, and how much memory it may take. A helper opens nothing but
 * beneath those directories: what it works on it was given. */
#ifndef CAGE_HELPER_H
#define CAGE_HELPER_H

#include "cage/cage.h"
#include "cage/calls.h"

/* Of a kind. */
typedef struct HelperCage {
    CallList calls;        /* beside those that every helper may make */
    uint64_t memory_bytes; /* that it may map beyond what it has at its start */
} HelperCage;

typedef struct HelperCagePlan {
    const HelperCage *cage;
    const AccountSettings *account;
    bool sandbox; /* false: only the account changes, and no_new_privs is set */
    bool must;    /* false: a kernel without seccomp is no reason to fail */
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* directories to read beneath */
} HelperCagePlan;

/* Helper, with its only thread: gives all of it up, for good. From now on it dies with its parent,
 * also while it hangs. On an error it must not go on. */
MUST_USE Err helper_cage_enter(const HelperCagePlan *plan, CageState *ret);

/* The program of a helper's calls, for a process of this id. */
void helper_call_program(CallProgram *ret, const HelperCage *cage, uint32_t process);

#endif
