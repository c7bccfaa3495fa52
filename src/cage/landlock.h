/* landlock.h - Landlock: what of the file system, the network and other processes stays in
 * reach. Best effort: each kernel is asked for what it knows.
 *
 * Raw system calls: the C library wraps none of them, and its headers may be older than the
 * kernel. */
#ifndef CAGE_LANDLOCK_H
#define CAGE_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* What stays in reach. The descriptors are open directories (O_PATH will do). */
typedef struct LandlockPlan {
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* to read beneath */
    size_t socket_directory_count;
    /* where Unix sockets may be connected to, also ones that are made later */
    const int *socket_directories COUNTED_BY(socket_directory_count);
    bool lets_sockets; /* a directory is not known yet: sockets stay in reach everywhere */
    bool lets_read;    /* everything may be read and executed (a sanitizer's reports) */
} LandlockPlan;

/* The three sets of rights that a ruleset takes away unless a rule gives them back. */
typedef struct LandlockHandled {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
} LandlockHandled;

/* The version of Landlock that this kernel has; 0: none. */
unsigned landlock_version(void);
/* Whether this kernel can keep a process from Unix sockets by their paths. */
bool landlock_handles_sockets(void);
/* What a kernel of this version can take away. */
LandlockHandled landlock_handled(unsigned version);
/* Closes. The process has no_new_privs and one thread; what it opens later is up to the rules.
 * *ret_version: what the kernel has; 0 with ERR_OK: nothing was done. */
MUST_USE Err landlock_enter(const LandlockPlan *plan, unsigned *ret_version);

#endif
