/* h2_memory.c - malloc and its relatives, out of a budget. */
#include "http/h2_memory.h"

#include "base/memory.h"
#include "base/number.h"

static Budget *budget_of(void *user)
{
    return (Budget *)user;
}

void *h2_memory_take(size_t bytes, void *user)
{
    return memory_sized_new(budget_of(user), bytes);
}

void h2_memory_give(void *at, void *user)
{
    memory_sized_drop(budget_of(user), at);
}

void *h2_memory_take_array(size_t count, size_t bytes, void *user)
{
    uint64_t total = 0;
    void *at = u64_mul(count, bytes, &total) ? h2_memory_take(total, user) : NULL;
    if (at) {
        span_fill(span_of(at, total), 0);
    }
    return at;
}

void *h2_memory_resize(void *at, size_t bytes, void *user)
{
    return memory_sized_resize(budget_of(user), at, bytes);
}
