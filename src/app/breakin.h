/* breakin.h - hooks for tests of the cage, the watch and helpers: a worker that tries to leave its
 * cage, one whose threads get stuck, and a helper that goes mad.
 *
 * The build chooses the file. River's own (breakin_none.c) does nothing at all; the variant that
 * tools/build calls `breakin` (breakin_try.c) tries, when it is told to. */
#ifndef APP_BREAKIN_H
#define APP_BREAKIN_H

#include <stdint.h>

#include "app/child.h"

/* Worker, before it is caged. */
void breakin_arm(void);
/* ... of which this is a part, in the variant `breakin` alone. */
void breakin_arm_stuck(void);
/* A helper that is of use to nobody, and goes mad when it is told to; River itself has none. */
extern const ChildKind breakin_trial;
/* The pause between the supervisor's looks at the worker, or what an orphan says, in milliseconds:
 * the usual one, but for a test that does not want to wait so long. */
uint64_t breakin_look_ms(uint64_t usual);

#endif
