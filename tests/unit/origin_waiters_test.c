/* origin_waiters_test.c - the queue of waiters keeps its order while it grows, turns and runs
 * full. */
#include "proxy/origin_waiters.h"
#include "test.h"

static Origin *origin_with_lock(void)
{
    static Origin o;
    o = (Origin){.index = 0};
    EXPECT(pthread_mutex_init(&o.lock, NULL) == 0);
    return &o;
}

static Waiter numbered(uint32_t n)
{
    return (Waiter){.thread = n};
}

TEST("origin: waiters are served in their order, however the queue grows and turns")
{
    Budget budget = {.max_bytes = 0};
    Origin *o = origin_with_lock();
    Waiter w;
    uint32_t in = 0;
    uint32_t out = 0;
    EXPECT(!waiters_pop(o, &w));
    for (uint32_t round = 1; round < 400; round++) {
        for (uint32_t i = 0; i < round % 37 + 3; i++) {
            EXPECT(waiters_push(o, &budget, numbered(in++), false) == ERR_OK);
        }
        for (uint32_t i = 0; i < round % 31 + 1; i++) {
            EXPECT(waiters_pop(o, &w) && w.thread == out++);
        }
        EXPECT(waiters_pop(o, &w) && w.thread == out);
        EXPECT(waiters_push(o, &budget, w, true) == ERR_OK); /* its thread did not keep up */
        EXPECT_U64(atomic_load(&o->waiting), in - out);
    }
    EXPECT(o->waiters_room > ORIGIN_WAITERS_FIRST);
    while (waiters_pop(o, &w)) {
        EXPECT(w.thread == out++);
    }
    EXPECT_U64(out, in);
    waiters_drop(o);
    EXPECT_U64(atomic_load(&budget.used_bytes), 0);
}

TEST("origin: a queue of waiters has an end, and without memory it stays as it was")
{
    Budget budget = {.max_bytes = 64 * sizeof(Waiter)}; /* 32, and 16 while they are copied */
    Origin *o = origin_with_lock();
    Waiter w;
    for (uint32_t i = 0; i < 32; i++) {
        EXPECT(waiters_push(o, &budget, numbered(i), false) == ERR_OK);
    }
    EXPECT(waiters_push(o, &budget, numbered(32), false) == ERR_MEMORY);
    EXPECT(waiters_push(o, &budget, numbered(32), true) == ERR_MEMORY);
    EXPECT_U64(atomic_load(&o->waiting), 32);
    EXPECT(waiters_pop(o, &w) && w.thread == 0);
    budget.max_bytes = 0;
    for (uint32_t i = 32; i < ORIGIN_WAITERS_MAX + 1; i++) {
        EXPECT(waiters_push(o, &budget, numbered(i), false) == ERR_OK);
    }
    EXPECT(waiters_push(o, &budget, numbered(0), false) == ERR_FULL);
    EXPECT(waiters_pop(o, &w) && w.thread == 1);
    EXPECT(waiters_push(o, &budget, w, true) == ERR_OK);
    waiters_drop(o);
    EXPECT_U64(atomic_load(&budget.used_bytes), 0);
}
