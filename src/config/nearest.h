/* nearest.h - the known word that a mistyped one was probably meant to be. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/str.h"

#define NEAREST_BYTES_MAX 64u /* longer words have no near ones */

typedef struct Nearest {
    Str word;  /* what was written */
    Str found; /* the nearest so far; empty: none is near enough */
    size_t distance;
} Nearest;

static inline Nearest nearest_to(Str word)
{
    Nearest n = {.word = word, .found = STR_NONE, .distance = 0};
    return n;
}

/* Considers a known word. Near enough is one edit in three letters; case does not count. */
void nearest_offer(Nearest *n, Str known);

/* Insertions, deletions, substitutions and swaps of neighbours that make `b` of `a`, both at most
 * NEAREST_BYTES_MAX bytes. */
size_t edit_distance(Str a, Str b);

#endif
