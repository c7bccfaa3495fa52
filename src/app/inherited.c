/* inherited.c - resets signals, timers, limits, the umask and descriptors inherited over exec. */
#include "app/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* Signals that River handles: one that arrives before River reads signals must not be lost. */
static bool is_order(int number)
{
    return number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP ||
           number == SIGUSR1;
}

/* Ignoring a signal for a moment drops a pending one. Meanwhile the mask stays as inherited. */
static void reset_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction before;
        /* Handlers are not inherited over exec: it is this program's own (a sanitizer's). */
        bool own = sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN &&
                   before.sa_handler != SIG_DFL;
        if (!own && !is_order(number)) {
            (void)sigaction(number, &ignore, NULL);
        }
        if (!own) {
            (void)sigaction(number, &standard, NULL); /* fails for SIGKILL and SIGSTOP */
        }
    }
    /* Signals that River handles stay blocked until they are read. */
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (is_order(number)) {
            (void)sigaddset(&blocked, number);
        }
    }
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void stop_timers(void)
{
    static const int timers[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    const struct itimerval never = {0};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        (void)setitimer((__itimer_which_t)timers[i], &never, NULL);
    }
}

/* Raises soft limits, which suit a shell, to the hard limits: each connection takes a descriptor,
 * and a server must not end because its log or its processor time has grown. */
static void raise_limits(void)
{
    static const int limits[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)limits[i], &limit) == 0 &&
            limit.rlim_cur < limit.rlim_max) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit((__rlimit_resource_t)limits[i], &limit);
        }
    }
}

/* open returns the lowest free number. */
static Err fill_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    (void)close(fd);
    return ERR_OK;
}

Err inherited_reset(void)
{
    stop_timers();
    reset_signals();
    raise_limits();
    mode_t mask = umask(0777);
    (void)umask(mask & ~(mode_t)S_IRWXU);
    return fill_standard();
}

/* Closes from *io_next up to but excluding `at`, and continues after it. */
static void close_up_to(unsigned *io_next, int at)
{
    if (at >= 0 && (unsigned)at >= *io_next) {
        if ((unsigned)at > *io_next) {
            (void)close_range(*io_next, (unsigned)at - 1, 0);
        }
        *io_next = (unsigned)at + 1;
    }
}

void inherited_close(int first, int last, int other)
{
    unsigned next = STDERR_FILENO + 1;
    if (other >= 0 && other < first) {
        close_up_to(&next, other);
    }
    for (int fd = first; fd <= last; fd++) {
        close_up_to(&next, fd);
    }
    close_up_to(&next, other);
    (void)close_range(next, ~0u, 0);
}
