/* breakin.h - a hook for tests of the cage: a worker that tries to leave it.
 *
 * The build chooses the file. River's own (breakin_none.c) does nothing at all; the variant that
 * tools/build calls `breakin` (breakin_try.c) tries, when it is told to. */
#ifndef APP_BREAKIN_H
#define APP_BREAKIN_H

/* Worker, before it is caged. */
void breakin_arm(void);

#endif
