/* roster.h - numbers for names that come and go: each name that is held has one number, small and
 * its own for as long as it is held.
 *
 * What changes while River runs (counters of a service, the pool of an origin, a limiter's buckets)
 * lies in arrays indexed by such numbers and outlives each configuration that names it. A name
 * whose last holder has gone keeps its number until roster_forget: what is there may have to be
 * wound up first, and until then a new holder finds it as it was. One thread owns a roster. */
#ifndef BASE_ROSTER_H
#define BASE_ROSTER_H

#include "base/keyed_hash.h"
#include "base/memory.h"

typedef struct RosterPlace {
    Span name;        /* owned; empty: the place is free */
    uint32_t holders; /* 0: to be wound up, or free */
    uint32_t next;    /* place + 1, in the bucket or in the list of free ones */
} RosterPlace;

typedef struct Roster {
    HashSecret secret;
    uint32_t room; /* a power of two */
    RosterPlace *places COUNTED_BY(room);
    uint32_t *buckets COUNTED_BY(room); /* place + 1 */
    uint32_t touched; /* places from here on were never used */
    uint32_t first_free; /* place + 1 */
    uint32_t count;
} Roster;

/* Address space for `room` names at once (a power of two); memory is used as they come. */
MUST_USE Err roster_open(Roster *r, uint32_t room);
void roster_close(Roster *r);

/* Holds a name (at least one byte, copied): its number, and whether it is a fresh one. ERR_FULL:
 * there is no room; ERR_MEMORY. */
MUST_USE Err roster_hold(Roster *r, Str name, uint32_t *ret, bool *ret_fresh);
/* The number of a name; false if it has no holder. */
bool roster_find(const Roster *r, Str name, uint32_t *ret);
/* Drops one holder; true if it was the last. */
bool roster_release(Roster *r, uint32_t number);
/* Frees the number, which must have no holder. */
void roster_forget(Roster *r, uint32_t number);

/* The name of a number; empty: it is free. */
Str roster_name(const Roster *r, uint32_t number);
bool roster_is_held(const Roster *r, uint32_t number);

#endif
