/* origin_waiters_test.c - the queue of waiters keeps its order while it grows and runs full, and
 * who gives up leaves it. */
#include "loop/random.h"
#include "pool/origin_waiters.h"
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
    return (Waiter){.thread = 1, .lease = {.slot = n, .generation = 1}};
}

static Err enter(Origin *o, Budget *budget, uint32_t n)
{
    uint32_t place = 0;
    return waiters_enter(o, budget, numbered(n), &place);
}

static bool pops(Origin *o, uint32_t n)
{
    Waiter w;
    return waiters_pop(o, &w) && w.lease.slot == n;
}

TEST("origin: waiters are served in their order, however the queue grows")
{
    Budget budget = {.max_bytes = 0};
    Origin *o = origin_with_lock();
    Waiter w;
    uint32_t in = 0;
    uint32_t out = 0;
    EXPECT(!waiters_pop(o, &w));
    for (uint32_t round = 1; round < 400; round++) {
        for (uint32_t i = 0; i < round % 37 + 3; i++) {
            EXPECT(enter(o, &budget, in++) == ERR_OK);
        }
        for (uint32_t i = 0; i < round % 31 + 1; i++) {
            EXPECT(pops(o, out++));
        }
        EXPECT_U64(atomic_load(&o->waiting), in - out);
    }
    EXPECT(o->waiters_room > ORIGIN_WAITERS_FIRST);
    while (atomic_load(&o->waiting) > 0) {
        EXPECT(pops(o, out++));
    }
    EXPECT_U64(out, in);
    EXPECT(!waiters_pop(o, &w));
    waiters_drop(o);
    EXPECT_U64(atomic_load(&budget.used_bytes), 0);
}

TEST("origin: a queue of waiters has an end, and without memory it stays as it was")
{
    Budget budget = {.max_bytes = 64 * sizeof(WaiterNode)}; /* 32, and 16 while they are copied */
    Origin *o = origin_with_lock();
    for (uint32_t i = 0; i < 32; i++) {
        EXPECT(enter(o, &budget, i) == ERR_OK);
    }
    EXPECT(enter(o, &budget, 32) == ERR_MEMORY);
    EXPECT_U64(atomic_load(&o->waiting), 32);
    EXPECT(pops(o, 0));
    budget.max_bytes = 0;
    for (uint32_t i = 32; i < ORIGIN_WAITERS_MAX + 1; i++) {
        EXPECT(enter(o, &budget, i) == ERR_OK);
    }
    EXPECT(enter(o, &budget, 0) == ERR_FULL);
    EXPECT(pops(o, 1));
    EXPECT(enter(o, &budget, 0) == ERR_OK);
    waiters_drop(o);
    EXPECT_U64(atomic_load(&budget.used_bytes), 0);
}

TEST("origin: an outage leaves no waiter, however many gave up")
{
    Budget budget = {.max_bytes = 0};
    Origin *o = origin_with_lock();
    for (uint32_t i = 0; i < 3 * ORIGIN_WAITERS_MAX; i++) {
        uint32_t place = 0;
        EXPECT(waiters_enter(o, &budget, numbered(i), &place) == ERR_OK);
        waiters_leave(o, numbered(i), &place);
        EXPECT_U64(place, 0);
    }
    EXPECT_U64(atomic_load(&o->waiting), 0);
    EXPECT_U64(o->waiters_room, ORIGIN_WAITERS_FIRST);
    waiters_drop(o);
}

/* A plain model: numbers in order, 0 where one has left. */
TEST("origin: when waiters leave, the others are served once and in order")
{
    enum { ALL = 5000 };
    static uint32_t places[ALL];
    static bool waits[ALL];
    Budget budget = {.max_bytes = 0};
    Random random;
    Origin *o = origin_with_lock();
    random_seed_from(&random, 11);
    uint32_t in = 0;
    uint32_t first = 0;
    uint32_t left = 0;
    while (in < ALL || left > 0) {
        uint64_t what = random_next(&random) % 3;
        if (what == 0 && in < ALL) {
            EXPECT(waiters_enter(o, &budget, numbered(in), &places[in]) == ERR_OK);
            waits[in++] = true;
            left++;
        } else if (what == 1 && in > 0) {
            /* Leaving twice, or after having been served, changes nothing. */
            uint32_t n = (uint32_t)(random_next(&random) % in);
            waiters_leave(o, numbered(n), &places[n]);
            left -= waits[n];
            waits[n] = false;
        } else if (what == 2 && left > 0) {
            while (!waits[first]) {
                first++;
            }
            EXPECT(pops(o, first));
            waits[first] = false;
            left--;
        }
        EXPECT_U64(atomic_load(&o->waiting), left);
    }
    waiters_drop(o);
}

TEST("origin: who is in the queue already keeps the place, and who was taken out gets a new one")
{
    Budget budget = {.max_bytes = 0};
    Origin *o = origin_with_lock();
    uint32_t place = 0;
    EXPECT(waiters_enter(o, &budget, numbered(1), &place) == ERR_OK);
    EXPECT(enter(o, &budget, 2) == ERR_OK);
    EXPECT(waiters_enter(o, &budget, numbered(1), &place) == ERR_OK);
    EXPECT_U64(atomic_load(&o->waiting), 2);
    EXPECT(pops(o, 1));
    EXPECT(waiters_enter(o, &budget, numbered(1), &place) == ERR_OK);
    EXPECT(pops(o, 2));
    EXPECT(pops(o, 1));
    waiters_drop(o);
}
