/* breakin_stuck.c - makes threads get stuck in the middle of a request, on demand.
 *
 * A test requests one of the targets below. The thread that forwards the request to an origin does
 * what the table says instead of sending it, so it is within a turn, with a request in hand. A
 * signal could not do this: in the cage no handler ever returns. */
#include <signal.h>
#include <time.h>

#include "app/breakin.h"
#include "base/str.h"
#include "loop/system.h"

#define LOOKS_PER_USUAL 10u /* looks are this many times as frequent as in the regular build */
#define NAP_MS 500u         /* less than five looks */

static volatile bool for_ever = true;

static void stuck_spin(void)
{
    while (for_ever) {
    }
}

static void stuck_doze(uint64_t ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void stuck_hang(void)
{
    while (for_ever) {
        stuck_doze(UINT32_MAX);
    }
}

static void spin_deaf(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    stuck_spin();
}

static void stuck_nap(void)
{
    stuck_doze(NAP_MS);
}

static const struct {
    Str head;
    void (*what)(void);
} demands[] = {
    {S_INIT("GET /breakin/spin "), stuck_spin},           /* never returns */
    {S_INIT("GET /breakin/hang "), stuck_hang},           /* the same, in a system call */
    {S_INIT("GET /breakin/spin-deaf "), spin_deaf}, /* blocks all signals but SIGKILL */
    {S_INIT("GET /breakin/nap "), stuck_nap},             /* returns in time */
};

static ssize_t send_or_get_stuck(int fd, const void *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof demands / sizeof demands[0]; i++) {
        if (str_starts(str_of(bytes, len), demands[i].head)) {
            demands[i].what();
        }
    }
    return system_real.send(fd, bytes, len);
}

void breakin_arm_stuck(void)
{
    static System calls;
    calls = system_real;
    calls.send = send_or_get_stuck;
    system_calls = &calls;
}

uint64_t breakin_look_ms(uint64_t usual)
{
    return usual / LOOKS_PER_USUAL;
}
