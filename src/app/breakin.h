/* breakin.h - hooks for tests of the cage, the watch and helpers: a worker that tries to leave its
 * cage, one whose threads get stuck, and a helper that misbehaves.
 *
 * The build chooses the file. The regular build uses breakin_none.c, which does nothing; the
 * variant `breakin` of tools/build uses breakin_try.c, which breaks out when told to. */
#ifndef APP_BREAKIN_H
#define APP_BREAKIN_H

#include <stdint.h>

#include "app/child.h"

/* Called by the worker before it is caged. */
void breakin_arm(void);
/* The part of breakin_arm that makes threads get stuck; only in the variant `breakin`. */
void breakin_arm_stuck(void);
/* A helper with no purpose but to misbehave on request; only in the variant `breakin`. */
extern const ChildKind breakin_trial;
/* Interval in milliseconds between the supervisor's looks at the worker, or between an orphan's log
 * lines: `usual`, unless a test shortens it. */
uint64_t breakin_look_ms(uint64_t usual);

#endif
