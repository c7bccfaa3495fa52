/* memory.c - the only file that asks the system for memory. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#if HAVE_ASAN
#include <sanitizer/asan_interface.h>
#endif

static _Atomic long fail_after = -1;

bool budget_take(Budget *b, size_t bytes)
{
    if (!b) {
        return true;
    }
    size_t before = atomic_fetch_add_explicit(&b->used_bytes, bytes, memory_order_relaxed);
    if (b->max_bytes && (bytes > b->max_bytes || before > b->max_bytes - bytes)) {
        atomic_fetch_sub_explicit(&b->used_bytes, bytes, memory_order_relaxed);
        return false;
    }
    size_t peak = atomic_load_explicit(&b->peak_bytes, memory_order_relaxed);
    while (before + bytes > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak_bytes, &peak, before + bytes,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    return true;
}

void budget_give(Budget *b, size_t bytes)
{
    if (b) {
        atomic_fetch_sub_explicit(&b->used_bytes, bytes, memory_order_relaxed);
    }
}

bool budget_keep(Budget *b, size_t bytes)
{
    if (!budget_take(b, bytes)) {
        return false;
    }
    if (b) {
        atomic_fetch_add_explicit(&b->kept_bytes, bytes, memory_order_relaxed);
    }
    return true;
}

void budget_give_kept(Budget *b, size_t bytes)
{
    if (b) {
        atomic_fetch_sub_explicit(&b->kept_bytes, bytes, memory_order_relaxed);
    }
    budget_give(b, bytes);
}

void memory_fail_after(long n)
{
    atomic_store(&fail_after, n);
}

/* Whether fault injection wants this allocation to fail. */
static bool memory_must_fail(void)
{
    if (LIKELY(atomic_load_explicit(&fail_after, memory_order_relaxed) < 0)) {
        return false;
    }
    long left = atomic_load(&fail_after);
    if (left == 0) {
        return true;
    }
    atomic_store(&fail_after, left - 1);
    return false;
}

void *memory_new(Budget *b, size_t bytes)
{
    if (memory_must_fail() || !budget_take(b, bytes)) {
        return NULL;
    }
    void *at = calloc(1, bytes);
    if (!at) {
        budget_give(b, bytes);
    }
    return at;
}

void *memory_lines_new(Budget *b, size_t bytes)
{
    if (memory_must_fail() || !budget_take(b, bytes)) {
        return NULL;
    }
    size_t whole = (bytes + MEMORY_LINE_BYTES - 1) & ~(size_t)(MEMORY_LINE_BYTES - 1);
    void *at = whole >= bytes ? aligned_alloc(MEMORY_LINE_BYTES, whole) : NULL;
    if (!at) {
        budget_give(b, bytes);
        return NULL;
    }
    __builtin_memset(at, 0, whole);
    return at;
}

void memory_drop(Budget *b, void *at, size_t bytes)
{
    if (at) {
        memory_unpoison(at, bytes);
        free(at);
        budget_give(b, bytes);
    }
}

/* In front of sized memory: how much it is, as long as malloc's alignment asks for. */
typedef union SizedHead {
    size_t bytes; /* with the head */
    _Alignas(16) uint8_t room[16];
} SizedHead;

void *memory_sized_new(Budget *b, size_t bytes)
{
    size_t total = bytes + sizeof(SizedHead);
    if (total < bytes || memory_must_fail() || !budget_take(b, total)) {
        return NULL;
    }
    SizedHead *head = (SizedHead *)malloc(total);
    if (!head) {
        budget_give(b, total);
        return NULL;
    }
    head->bytes = total;
    return head + 1;
}

void *memory_sized_resize(Budget *b, void *at, size_t bytes)
{
    void *fresh = memory_sized_new(b, bytes);
    if (at && fresh) {
        size_t old = ((SizedHead *)at - 1)->bytes - sizeof(SizedHead);
        span_copy(span_of(fresh, bytes), str_of(at, old < bytes ? old : bytes));
        memory_sized_drop(b, at);
    }
    return fresh;
}

void memory_sized_drop(Budget *b, void *at)
{
    if (at) {
        SizedHead *head = (SizedHead *)at - 1;
        memory_drop(b, head, head->bytes);
    }
}

void *memory_reserve(size_t bytes)
{
    if (memory_must_fail()) {
        return NULL;
    }
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

void memory_release(void *at, size_t bytes)
{
    if (at) {
        (void)munmap(at, bytes);
    }
}

void memory_prefer_large_pages(void *at, size_t bytes)
{
    (void)madvise(at, bytes, MADV_HUGEPAGE); /* a wish: small pages serve too */
}

void memory_wipe_span(Span s)
{
    explicit_bzero(s.at, s.len);
}

uint64_t memory_of_machine(void)
{
    struct sysinfo about = {0};
    return sysinfo(&about) == 0 ? (uint64_t)about.totalram * about.mem_unit : 0;
}

Span memory_reserve_span(size_t bytes)
{
    void *at = memory_reserve(bytes);
    return span_of(at, at ? bytes : 0);
}

void memory_release_span(Span s)
{
    memory_release(s.at, s.len);
}

void memory_poison(void *at, size_t bytes)
{
#if HAVE_ASAN
    __asan_poison_memory_region(at, bytes);
#else
    (void)at;
    (void)bytes;
#endif
}

void memory_unpoison(void *at, size_t bytes)
{
#if HAVE_ASAN
    __asan_unpoison_memory_region(at, bytes);
#else
    (void)at;
    (void)bytes;
#endif
}

static size_t block_size(const Blocks *b)
{
    return sizeof(Block) + b->block_bytes;
}

void blocks_init(Blocks *b, Budget *budget, uint32_t block_bytes, uint32_t free_max)
{
    *b = (Blocks){.budget = budget, .block_bytes = block_bytes, .free_max = free_max};
}

void blocks_drop(Blocks *b)
{
    CHECK(b->out_count == 0);
    while (b->free) {
        Block *block = b->free;
        b->free = block->next;
        memory_drop(b->budget, block, block_size(b));
    }
    b->free_count = 0;
}

Block *blocks_take(Blocks *b)
{
    Block *block = b->free;
    if (LIKELY(block != NULL)) {
        b->free = block->next;
        b->free_count--;
        memory_unpoison(block->bytes, b->block_bytes);
    } else {
        block = (Block *)memory_new(b->budget, block_size(b));
        if (!block) {
            return NULL;
        }
    }
    block->next = NULL;
    block->from = 0;
    block->to = 0;
    b->out_count++;
    return block;
}

void blocks_give(Blocks *b, Block *block)
{
    CHECK(b->out_count > 0);
    b->out_count--;
    if (b->free_count >= b->free_max) {
        memory_drop(b->budget, block, block_size(b));
        return;
    }
    block->next = b->free;
    b->free = block;
    b->free_count++;
    memory_poison(block->bytes, b->block_bytes);
}
