/* arena.h - bump memory with one owner: everything of one request, or of one configuration.
 *
 * What is taken is zeroed and lives until arena_reset. Small pieces come from the owner's Blocks;
 * a piece that is larger than a block is taken from the system under the same budget. The arena
 * never exceeds `bytes_max`: then allocation returns NULL. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/memory.h"

typedef struct ArenaLarge ArenaLarge;

typedef struct Arena {
    Blocks *blocks;
    Block *first; /* the newest block is first */
    ArenaLarge *large;
    size_t used_bytes; /* what blocks and large pieces hold, in all */
    size_t max_bytes;
    bool zeroed; /* its blocks come zeroed, so they are not zeroed again */
} Arena;

/* An empty arena; it takes nothing yet. `blocks` must outlive it. */
void arena_init(Arena *a, Blocks *blocks, size_t max_bytes);
/* Gives all memory back; the arena can be used again. */
void arena_reset(Arena *a);

/* `bytes` zeroed bytes, 16-byte aligned; NULL when the arena or the budget is full. */
void *arena_alloc(Arena *a, size_t bytes);

#define arena_new(a, Type) ((Type *)arena_alloc((a), sizeof(Type)))
/* NULL also when the product overflows. */
#define arena_array(a, Type, count) ((Type *)arena_alloc_array((a), (count), sizeof(Type)))
void *arena_alloc_array(Arena *a, size_t count, size_t element_bytes);

/* A copy of `s` in the arena; false when there is no room (an empty slice needs none). */
MUST_USE bool arena_copy(Arena *a, Str s, Str *ret_copy);
/* A writable span of `bytes` bytes. */
MUST_USE bool arena_span(Arena *a, size_t bytes, Span *ret);

#endif
