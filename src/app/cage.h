/* cage.h - the seam where the worker gives up what it does not need.
 *
 * The worker calls cage_enter after it has everything that it must open (descriptors come from the
 * supervisor) and before its threads see a byte from the network. Here come, with their own work:
 * the configured user and group, no_new_privs, the seccomp allow-list and Landlock. Until then the
 * cage only makes sure that no program that the worker is tricked into running gains
 * privileges. */
#ifndef APP_CAGE_H
#define APP_CAGE_H

#include "base/err.h"

/* There is no way back. An error means that the worker must not serve. */
MUST_USE Err cage_enter(void);

#endif
