/* memory.h - where River's memory comes from: a budget for the worker, and blocks below it.
 *
 * Nothing outside `base` calls malloc. A `Budget` is shared by all threads and only counts; a
 * `Blocks` belongs to one thread and hands out blocks of one size, keeping a bounded number of free
 * ones. Free blocks are poisoned under AddressSanitizer. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdatomic.h>

#include "base/str.h"

typedef struct Budget {
    _Atomic size_t used_bytes;
    _Atomic size_t peak_bytes;
    _Atomic size_t kept_bytes; /* of used_bytes: what is held whatever peers do */
    size_t max_bytes; /* 0: no limit */
} Budget;

/* Takes `bytes` from the budget; false when that would exceed it. NULL: there is no limit. */
MUST_USE bool budget_take(Budget *b, size_t bytes);
void budget_give(Budget *b, size_t bytes);
/* The same for what stays for as long as the configuration has it. */
MUST_USE bool budget_keep(Budget *b, size_t bytes);
void budget_give_kept(Budget *b, size_t bytes);
/* What peers may have of it; 0: there is no limit. */
static inline size_t budget_room(const Budget *b)
{
    size_t kept = atomic_load_explicit(&b->kept_bytes, memory_order_relaxed);
    return b->max_bytes - (kept < b->max_bytes ? kept : b->max_bytes);
}

/* Zeroed memory from the system, counted in `b`; NULL on failure. Fault injection
 * (memory_fail_after) makes the n-th call fail. */
void *memory_new(Budget *b, size_t bytes);
void memory_drop(Budget *b, void *at, size_t bytes);

/* The same from the start of a cache line on, so that what several threads write can have lines of
 * its own. Given back by memory_drop. */
#define MEMORY_LINE_BYTES 64u
void *memory_lines_new(Budget *b, size_t bytes);

/* Memory for a library that wants malloc, realloc and free: counted in `b` too, and not zeroed.
 * `sized_resize` follows realloc (NULL as `at` makes new memory), and on failure the old memory
 * stays. */
void *memory_sized_new(Budget *b, size_t bytes);
void *memory_sized_resize(Budget *b, void *at, size_t bytes);
void memory_sized_drop(Budget *b, void *at);

/* Tests: the n-th memory_new from now on fails, and all after it while `n` is 0. -1: off. */
void memory_fail_after(long n);

/* Reserved address space that costs memory only where it is touched; NULL on failure. */
void *memory_reserve(size_t bytes);
void memory_release(void *at, size_t bytes);
/* Asks for large pages, where a table is read at random: else finding the page costs most. */
void memory_prefer_large_pages(void *at, size_t bytes);

/* The same as a span, which is empty on failure. */
Span memory_reserve_span(size_t bytes);
void memory_release_span(Span s);

/* Overwrites secrets before their memory is given back. */
void memory_wipe_span(Span s);

/* How much memory the machine has; 0 when the system does not say. */
uint64_t memory_of_machine(void);

/* Marks bytes that no one may touch (free slots and blocks); does nothing without ASan. */
void memory_poison(void *at, size_t bytes);
void memory_unpoison(void *at, size_t bytes);

typedef struct Block {
    struct Block *next;
    uint32_t from; /* used bytes are [from, to) of `bytes` */
    uint32_t to;
    uint8_t bytes[];
} Block;

typedef struct Blocks {
    Budget *budget;
    Block *free;
    uint32_t block_bytes; /* payload of one block */
    uint32_t free_count;
    uint32_t free_max; /* more than these go back to the system */
    uint32_t out_count; /* blocks that are in use */
} Blocks;

void blocks_init(Blocks *b, Budget *budget, uint32_t block_bytes, uint32_t free_max);
/* Gives all free blocks back; every block must have come home. */
void blocks_drop(Blocks *b);
/* An empty block, or NULL when the budget is spent. Its payload is not zeroed. */
Block *blocks_take(Blocks *b);
void blocks_give(Blocks *b, Block *block);

#endif
