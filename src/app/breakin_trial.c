/* breakin_trial.c - a helper for tests: sends a record ten times a second, and misbehaves on
 * demand: a test sends it SIGUSR2 with the number of a demand as its value. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/breakin.h"
#include "app/helper_process.h"
#include "base/text.h"
#include "loop/crash.h"

#define TICK_MS 100
#define MEMORY_BYTES (16u << 20)
#define EXIT_BROKEN 98

static ChannelEnd channel;
static volatile bool for_ever = true;

/* One that workers do not have, and one that a worker may use for its files. */
static const CallRow calls[] = {{.number = SYS_getppid}, {.number = SYS_openat2}};
static const HelperCage cage = {
    .calls = {.count = sizeof calls / sizeof calls[0], .rows = calls},
    .memory_bytes = MEMORY_BYTES};

static long read_passwd(void)
{
    struct open_how how = {.flags = O_RDONLY};
    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how);
}

static long eat_memory(void)
{
    size_t bytes = 2 * (size_t)MEMORY_BYTES;
    return memory_reserve(bytes) ? 0 : -1;
}

static long await_end(void)
{
    while (for_ever) {
        (void)poll(NULL, 0, -1);
    }
    return 0;
}

static long send_bytes(Str bytes)
{
    (void)!write(channel.answers, bytes.at, bytes.len); /* system call */
    return await_end();
}

static long trial_flood(void)
{
    static Record record = {.kind = RECORD_TELL};
    while (for_ever) {
        (void)!record_answer(&channel, &record);
    }
    return 0;
}

static long send_wrong(uint32_t kind, uint32_t value_count, uint32_t len)
{
    Record record = {.kind = kind, .value_count = value_count, .len = len};
    (void)!record_answer(&channel, &record);
    return await_end();
}

static long trial_spin(void)
{
    while (for_ever) {
    }
    return 0;
}

/* X(description, action). The test reads this table. The cage stops the actions up to "sendmsg";
 * the others return, or the supervisor ends the helper. */
#define DEMANDS(X)                                                                                 \
    X("socket", socket(AF_INET, SOCK_STREAM, 0))                                                   \
    X("accept4", syscall(SYS_accept4, 0, NULL, NULL, 0))                                           \
    X("connect", syscall(SYS_connect, 0, NULL, 0))                                                 \
    X("fork", syscall(SYS_fork))                                                                   \
    X("execve", syscall(SYS_execve, "/bin/sh", NULL, NULL))                                        \
    X("kill", syscall(SYS_kill, 1, SIGTERM))                                                       \
    X("sendmsg", syscall(SYS_sendmsg, 0, NULL, 0))                                                 \
    X("its own call", syscall(SYS_getppid))                                                        \
    X("a file", read_passwd())                                                                     \
    X("memory", eat_memory())                                                                      \
    X("flood", trial_flood())                                                                      \
    X("short", send_bytes(S("x")))                                                                 \
    X("no record", send_bytes(S("0123456789012345678901234567890123456789")))                      \
    X("kind", send_wrong(99, 0, 0))                                                                \
    X("values", send_wrong(RECORD_TELL, RECORD_VALUES_MAX + 1, 0))                                 \
    X("length", send_wrong(RECORD_TELL, 0, UINT32_MAX))                                            \
    X("spin", trial_spin())

static long trial_meet(int demand, const char **ret_what)
{
    int i = 0;
#define X(what, expression)                                                                        \
    if (demand == i++) {                                                                           \
        *ret_what = what;                                                                          \
        return (expression);                                                                       \
    }
    DEMANDS(X)
#undef X
    return -1;
}

static void on_demand(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    uint8_t room[128];
    Text line = text_in(span_of(room, sizeof room));
    const char *what = "?";
    errno = 0;
    heartbeat_turn(crash_heartbeat(0));
    long result = trial_meet(info->si_value.sival_int, &what);
    text_format(&line, "trial: %s: returned %s, errno %d\n", what,
                result < 0 ? "nothing" : "something", errno);
    (void)!write(STDERR_FILENO, room, line.len);
    _exit(EXIT_BROKEN);
}

static void trial_begin(const ChannelEnd *to)
{
    channel = *to;
    struct sigaction action = {.sa_sigaction = on_demand, .sa_flags = SA_SIGINFO};
    (void)sigfillset(&action.sa_mask);
    (void)sigdelset(&action.sa_mask, SIGSYS);
    (void)sigdelset(&action.sa_mask, SIGABRT);
    (void)sigaction(SIGUSR2, &action, NULL);
}

static bool trial_echo(const HelperQuestion *question, Record *ret)
{
    *ret = *question->record;
    ret->kind = RECORD_TELL;
    return question->fd_count == 0;
}

static void trial_tick(const ChannelEnd *to)
{
    static Record record = {.kind = RECORD_TELL};
    record.id++;
    (void)!record_answer(to, &record);
}

static void run_trial(const ChildStart *start)
{
    static const HelperWork work = {
        .cage = &cage,
        .begin = trial_begin,
        .answer = trial_echo,
        .tick_ms = TICK_MS,
        .tick = trial_tick,
    };
    helper_process_run(start, &work);
}

const ChildKind breakin_trial = {
    .name = S_INIT("trial"), .process = "river-trial", .stays = true, .main = run_trial};
