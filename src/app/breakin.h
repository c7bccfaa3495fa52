/* breakin.h - hooks for tests of the cage and of the watch: a worker that tries to leave its cage,
 * and one whose threads get stuck.
 *
 * The build chooses the file. River's own (breakin_none.c) does nothing at all; the variant that
 * tools/build calls `breakin` (breakin_try.c) tries, when it is told to. */
#ifndef APP_BREAKIN_H
#define APP_BREAKIN_H

#include <stdint.h>

/* Worker, before it is caged. */
void breakin_arm(void);
/* ... of which this is a part, in the variant `breakin` alone. */
void breakin_arm_stuck(void);
/* The pause between the supervisor's looks at the worker, or what an orphan says, in milliseconds:
 * the usual one, but for a test that does not want to wait so long. */
uint64_t breakin_look_ms(uint64_t usual);

#endif
