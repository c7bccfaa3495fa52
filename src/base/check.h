/* check.h - the one answer to a bug in River itself.
 *
 * CHECK is always on: a broken invariant stops the worker (the supervisor starts another one)
 * rather than let it go on with memory in an unknown state. Failures of operations are `Err`,
 * failures of requests are `Fault`; neither comes here. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>

#include "base/compat.h"

#if defined(__FRAMAC__)
/*@ assigns \nothing; */
static inline void check_holds(int condition)
{
    /*@ assert in_bounds: condition != 0; */
    (void)condition;
}
#define CHECK(condition) check_holds(condition)
#else
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (UNLIKELY(!(condition))) {                                                              \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)
#endif

/* A broken expectation that costs one request, and not the worker. Sanitized builds and tests stop
 * (check_soft_traps); the release goes on, and the caller fails that request. */
extern bool check_soft_traps;
static inline void soft_check(bool condition)
{
    CHECK(condition || !check_soft_traps);
}

#endif
