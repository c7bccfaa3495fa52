/* glob.c - patterns with * and ?, matched by a set of states in one word.
 *
 * The set holds every way in which the text so far can have matched, so nothing is ever tried
 * again: a step is a mask and a shift (the shift-and method of Baeza-Yates and Gonnet, 1992, with
 * loops for the stars). */
#include "http/pattern.h"

/* Item `i` of the glob matches the byte `c`. */
static void item_takes(Glob *g, uint8_t c, unsigned i, bool nocase)
{
    uint64_t bit = UINT64_C(1) << i;
    g->takes[c] |= bit;
    uint8_t lower = byte_lower(c);
    if (nocase && lower >= 'a' && lower <= 'z') {
        g->takes[lower] |= bit;
        g->takes[lower ^ 0x20] |= bit;
    }
}

Err glob_make(Str text, bool nocase, Glob *ret)
{
    Glob g = {0};
    unsigned items = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = str_at(text, i);
        if (c == '*') {
            g.loops |= UINT64_C(1) << items;
            continue;
        }
        if (items >= GLOB_ITEMS_MAX) {
            return ERR_LIMIT;
        }
        if (c == '?') {
            for (unsigned any = 0; any < 256; any++) {
                item_takes(&g, (uint8_t)any, items, false);
            }
        } else {
            item_takes(&g, c, items, nocase);
        }
        items++;
    }
    g.last = UINT64_C(1) << items;
    *ret = g;
    return ERR_OK;
}

bool glob_matches(const Glob *g, Str text)
{
    uint64_t states = 1;
    for (size_t i = 0; i < text.len; i++) {
        states = (states & g->loops) | (states & g->takes[str_at(text, i)]) << 1;
    }
    return (states & g->last) != 0;
}
