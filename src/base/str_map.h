/* str_map.h - a table from texts to numbers: filled once, then only read, by all threads at once.
 *
 * A text is in a scope, a number of the owner's choice, so that one table can hold several: the
 * children of many nodes, exact names beside wildcards. Looking one up hashes the text once and
 * compares it with the few that collide with it, however many there are. */
#ifndef BASE_STR_MAP_H
#define BASE_STR_MAP_H

#include "base/arena.h"
#include "base/keyed_hash.h"

typedef struct StrMapPlace {
    Str key;
    uint32_t scope;
    uint32_t value;
    bool used;
} StrMapPlace;

typedef struct StrMap {
    HashSecret secret;
    size_t room; /* a power of two, at least twice what is in it */
    StrMapPlace *places COUNTED_BY(room);
    size_t count;
} StrMap;

/* An empty table for at most `most` texts. ERR_MEMORY only. */
MUST_USE Err str_map_open(Arena *a, size_t most, StrMap *ret);

/* Adds a text that is not there yet; it must live as long as the table, which must have room. */
void str_map_add(StrMap *m, uint32_t scope, Str key, uint32_t value);

/* The same into a table that grows: an empty one ({0}) may be its beginning. What it outgrows stays
 * in the arena, in total as much as it holds. ERR_MEMORY: nothing was added. */
MUST_USE Err str_map_put(Arena *a, StrMap *m, uint32_t scope, Str key, uint32_t value);

/* Whether the text is there; then *ret is its number. */
bool str_map_find(const StrMap *m, uint32_t scope, Str key, uint32_t *ret);

#endif
