/* landlock.h - Landlock: which files, network and other processes stay accessible. Best effort:
 * uses whatever the running kernel supports.
 *
 * Raw system calls: the C library has no wrappers, and its headers may be older than the kernel. */
#ifndef CAGE_LANDLOCK_H
#define CAGE_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* What stays accessible. The descriptors are open directories (O_PATH suffices). */
typedef struct LandlockPlan {
    size_t root_count;
    const int *roots COUNTED_BY(root_count); /* to read beneath */
    size_t socket_directory_count;
    /* where connecting to Unix sockets is allowed, including ones created later */
    const int *socket_directories COUNTED_BY(socket_directory_count);
    bool lets_sockets; /* a directory is still unknown: all Unix sockets stay accessible */
    bool lets_read;    /* everything may be read and executed (for a sanitizer's reports) */
} LandlockPlan;

/* The three sets of rights that a ruleset denies unless a rule grants them. */
typedef struct LandlockHandled {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
} LandlockHandled;

/* The kernel's Landlock ABI version; 0: none. */
unsigned landlock_version(void);
/* Whether this kernel can restrict Unix sockets by path. */
bool landlock_handles_sockets(void);
/* The rights that a kernel of this version can deny. */
LandlockHandled landlock_handled(unsigned version);
/* Enforces the plan. The process must have no_new_privs and a single thread. The rules apply to
 * what is opened from now on. *ret_version: the kernel's ABI version; 0 with ERR_OK: nothing was
 * done. */
MUST_USE Err landlock_enter(const LandlockPlan *plan, unsigned *ret_version);

#endif
