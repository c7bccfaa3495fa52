/* timer.h - deadlines on a hierarchical wheel (Varghese and Lauck, 1987), one wheel per thread.
 *
 * A deadline that moves later costs one store: the entry stays where it is and is put further on
 * when its place comes up. Only a deadline that moves earlier is linked again. So the request path
 * sets a deadline per phase and pays almost nothing. Resolution is 1 ms; nothing fires early. */
#ifndef LOOP_TIMER_H
#define LOOP_TIMER_H

#include "loop/token.h"

#define WHEEL_LEVELS 8u
#define WHEEL_SLOTS 64u

typedef struct TimerEntry TimerEntry;

typedef struct Wheel {
    TimerEntry *entries;
    uint32_t entries_max;
    uint32_t entries_touched;
    uint32_t first_free;
    uint32_t armed; /* entries that are linked */
    uint64_t now_ms;
    uint64_t filled[WHEEL_LEVELS]; /* a bit for each slot that holds something */
    uint32_t heads[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t due[2]; /* entries whose place has come up: those that are handed out, and the next */
    uint32_t next_due; /* of `due`: where entries are added */
} Wheel;

/* An owner's timer: 0 is none. The owner clears it before it goes. */
typedef uint32_t Timer;

MUST_USE Err wheel_init(Wheel *w, uint32_t timers_max, uint64_t now_ms);
void wheel_drop(Wheel *w);

/* Sets (or moves) the deadline; `token` is what wheel_expired returns. ERR_FULL when there are
 * timers_max already. */
MUST_USE Err timer_set(Wheel *w, Timer *timer, uint64_t due_ms, Token token);
/* No deadline for now; keeps the entry for the next timer_set. */
void timer_stop(Wheel *w, Timer timer);
/* When it expires; UINT64_MAX: it has no deadline. */
uint64_t timer_due_ms(const Wheel *w, Timer timer);
/* Gives the entry back; *timer becomes 0. */
void timer_drop(Wheel *w, Timer *timer);

/* Moves the wheel on to `now_ms`. Then wheel_expired yields each expired token once, with its
 * deadline stopped; false when there are no more. A deadline that is set meanwhile, even for now or
 * earlier, expires after the next wheel_advance: a turn handles each timer once, and ends. */
void wheel_advance(Wheel *w, uint64_t now_ms);
bool wheel_expired(Wheel *w, Token *ret_token);

/* When the wheel must be advanced again; UINT64_MAX when nothing is armed. */
uint64_t wheel_next_ms(const Wheel *w);

#endif
