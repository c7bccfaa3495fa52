/* clock.h - the time that only goes on. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of the monotonic clock. Data threads have Thread.now_ms, read once a turn. */
static inline uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The earlier of two moments, of which 0 is never. */
static inline void clock_sooner(uint64_t *io_due_ms, uint64_t other_ms)
{
    if (other_ms != 0 && (*io_due_ms == 0 || other_ms < *io_due_ms)) {
        *io_due_ms = other_ms;
    }
}

#endif
