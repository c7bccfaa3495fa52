/* loop_test.c - timers, mailboxes and readiness. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/mailbox.h"
#include "loop/poller.h"
#include "loop/random.h"
#include "loop/timer.h"
#include "test.h"

#define TIMERS 200u

TEST("timers fire in time, never early, whatever moves them")
{
    Wheel w;
    Random random;
    random_seed_from(&random, 7);
    uint64_t now = 1000003;
    EXPECT(wheel_init(&w, TIMERS, now) == ERR_OK);
    Timer timers[TIMERS] = {0};
    uint64_t due[TIMERS] = {0}; /* 0: not armed */
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)(random_next(&random) % TIMERS);
        uint64_t span = UINT64_C(1) << (random_next(&random) % 24);
        if (random_next(&random) % 8 == 0) {
            timer_stop(&w, timers[i]);
            due[i] = 0;
        } else if (random_next(&random) % 16 == 0) {
            timer_drop(&w, &timers[i]);
            due[i] = 0;
        } else {
            due[i] = now + random_next(&random) % span;
            Token t = token_of(1, (Handle){.slot = i, .generation = 1});
            EXPECT(timer_set(&w, &timers[i], due[i], t) == ERR_OK);
        }
        uint64_t next = wheel_next_ms(&w);
        for (unsigned k = 0; k < TIMERS; k++) {
            EXPECT(!due[k] || next <= due[k] || next <= now);
        }
        if (random_next(&random) % 4 == 0) {
            now += random_next(&random) % 5000;
        } else if (next != UINT64_MAX && next > now) {
            now = next;
        }
        wheel_advance(&w, now);
        Token token;
        while (wheel_expired(&w, &token)) {
            unsigned k = token_handle(token).slot;
            EXPECT(due[k] != 0 && due[k] <= now);
            due[k] = 0;
        }
        for (unsigned k = 0; k < TIMERS; k++) {
            EXPECT(due[k] == 0 || due[k] > now);
        }
    }
    wheel_drop(&w);
}

TEST("a deadline beyond the wheel's horizon waits for its time")
{
    Wheel w;
    EXPECT(wheel_init(&w, 1, 5) == ERR_OK);
    Timer timer = 0;
    uint64_t due = UINT64_C(1) << 40;
    EXPECT(timer_set(&w, &timer, due, 1) == ERR_OK);
    Token token;
    wheel_advance(&w, due - 1);
    EXPECT(!wheel_expired(&w, &token));
    wheel_advance(&w, due);
    EXPECT(wheel_expired(&w, &token) && token == 1);
    wheel_drop(&w);
}

TEST("a deadline in the past waits for the next turn, so that a turn ends")
{
    Wheel w;
    EXPECT(wheel_init(&w, 2, 1000) == ERR_OK);
    Timer timer = 0;
    Timer other = 0;
    EXPECT(timer_set(&w, &timer, 1005, 1) == ERR_OK);
    EXPECT(timer_set(&w, &other, 1005, 2) == ERR_OK);
    for (uint64_t turn = 0; turn < 3; turn++) {
        unsigned fired = 0;
        Token token;
        wheel_advance(&w, 1010 + turn);
        while (wheel_expired(&w, &token)) {
            fired++;
            EXPECT(fired < 10);
            EXPECT(timer_set(&w, token == 1 ? &timer : &other, turn, token) == ERR_OK);
        }
        EXPECT_U64(fired, 2);
        EXPECT(wheel_next_ms(&w) <= 1010 + turn);
    }
    timer_drop(&w, &timer);
    timer_stop(&w, other);
    wheel_advance(&w, 2000);
    Token token;
    EXPECT(!wheel_expired(&w, &token));
    wheel_drop(&w);
}

TEST("a full mailbox refuses, and messages come out in order")
{
    Mailbox m;
    EXPECT(mailbox_open(&m) == ERR_OK);
    for (uint32_t i = 0; i < MAILBOX_ROOM; i++) {
        EXPECT(mailbox_post(&m, &(Message){.kind = i}) == ERR_OK);
    }
    EXPECT(mailbox_post(&m, &(Message){.kind = 1}) == ERR_FULL);
    mailbox_awake(&m);
    Message got;
    for (uint32_t i = 0; i < MAILBOX_ROOM; i++) {
        EXPECT(mailbox_take(&m, &got) && got.kind == i);
    }
    EXPECT(!mailbox_take(&m, &got));
    mailbox_close(&m);
}

TEST("a listener that is watched may be watched again")
{
    Poller p;
    EXPECT(poller_open(&p) == ERR_OK);
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    Token token = token_of(1, (Handle){.slot = 5, .generation = 1});
    EXPECT(poller_add_listener(&p, fd, token) == ERR_OK);
    EXPECT(poller_add_listener(&p, fd, token) == ERR_OK);
    poller_wait(&p, 0);
    EXPECT_U64(p.count, 1);
    EXPECT(p.ready[0].token == token);
    poller_remove(&p, fd);
    poller_wait(&p, 0);
    EXPECT_U64(p.count, 0);
    EXPECT(poller_add_listener(&p, fd, token) == ERR_OK);
    EXPECT(poller_add_listener(&p, -1, token) != ERR_OK);
    (void)close(fd);
    poller_close(&p);
}
