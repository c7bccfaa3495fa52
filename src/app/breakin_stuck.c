/* breakin_stuck.c - threads that get stuck in the middle of a request, on demand.
 *
 * A test asks for one of the targets below. The thread that passes the request on to an origin does
 * what the table says instead of sending it: so it is within a turn, with a request in hand. No
 * signal could do this, for behind the cage no handler ever returns. */
#include <signal.h>
#include <time.h>

#include "app/breakin.h"
#include "base/str.h"
#include "loop/system.h"

#define LOOKS_PER_USUAL 10u /* a look takes place so much more often than in River itself */
#define NAP_MS 500u         /* less than five of these pauses */

static volatile bool for_ever = true;

static void spin(void)
{
    while (for_ever) {
    }
}

static void doze(uint64_t ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void hang(void)
{
    while (for_ever) {
        doze(UINT32_MAX);
    }
}

static void spin_deaf(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    spin();
}

static void nap(void)
{
    doze(NAP_MS);
}

static const struct {
    Str head;
    void (*what)(void);
} demands[] = {
    {S_INIT("GET /breakin/spin "), spin},           /* never comes back */
    {S_INIT("GET /breakin/hang "), hang},           /* the same, in a system call */
    {S_INIT("GET /breakin/spin-deaf "), spin_deaf}, /* no signal but SIGKILL arrives */
    {S_INIT("GET /breakin/nap "), nap},             /* comes back in time */
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
