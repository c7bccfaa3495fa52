/* arena.c - bump allocation over blocks. */
#include "base/arena.h"

#define ARENA_ALIGN 16u

struct ArenaLarge {
    ArenaLarge *next;
    size_t bytes; /* with this head */
    _Alignas(16) uint8_t data[];
};

void arena_init(Arena *a, Blocks *blocks, size_t max_bytes)
{
    *a = (Arena){.blocks = blocks, .max_bytes = max_bytes};
}

void arena_reset(Arena *a)
{
    while (a->first) {
        Block *block = a->first;
        a->first = block->next;
        blocks_give(a->blocks, block);
    }
    while (a->large) {
        ArenaLarge *large = a->large;
        a->large = large->next;
        memory_drop(a->blocks->budget, large, large->bytes);
    }
    a->used_bytes = 0;
}

static void *arena_large(Arena *a, size_t bytes)
{
    size_t whole = sizeof(ArenaLarge) + bytes;
    if (a->used_bytes + whole > a->max_bytes) {
        return NULL;
    }
    ArenaLarge *large = (ArenaLarge *)memory_new(a->blocks->budget, whole);
    if (!large) {
        return NULL;
    }
    large->bytes = whole;
    large->next = a->large;
    a->large = large;
    a->used_bytes += whole;
    return large->data;
}

void *arena_alloc(Arena *a, size_t bytes)
{
    if (UNLIKELY(bytes > a->max_bytes)) {
        return NULL;
    }
    size_t rounded = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    Block *block = a->first;
    if (!block || a->blocks->block_bytes - block->to < rounded) {
        if (rounded > a->blocks->block_bytes / 2) {
            return arena_large(a, rounded);
        }
        if (a->used_bytes + a->blocks->block_bytes > a->max_bytes) {
            return NULL;
        }
        block = blocks_take(a->blocks);
        if (!block) {
            return NULL;
        }
        block->next = a->first;
        a->first = block;
        a->used_bytes += a->blocks->block_bytes;
    }
    void *at = block->bytes + block->to;
    block->to += (uint32_t)rounded;
    if (!a->zeroed) {
        __builtin_memset(at, 0, rounded);
    }
    return at;
}

void *arena_alloc_array(Arena *a, size_t count, size_t element_bytes)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, element_bytes, &bytes)) {
        return NULL;
    }
    return arena_alloc(a, bytes);
}

bool arena_copy(Arena *a, Str s, Str *ret_copy)
{
    if (s.len == 0) {
        *ret_copy = STR_NONE;
        return true;
    }
    Span room;
    if (!arena_span(a, s.len, &room)) {
        return false;
    }
    span_copy(room, s);
    *ret_copy = span_str(room);
    return true;
}

bool arena_span(Arena *a, size_t bytes, Span *ret)
{
    void *at = arena_alloc(a, bytes);
    if (!at) {
        return false;
    }
    *ret = span_of(at, bytes);
    return true;
}
