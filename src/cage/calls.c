/* calls.c - the table of system calls, and its compilation to a filter program.
 *
 * The table was found by tracing all end-to-end tests, then checked against the sources: calls that
 * happen rarely (realloc, an interrupted wait) must be in it as well. Calls of the data path come
 * first, because kernels before 5.11 walk the program at every call; later ones cache calls that
 * are always allowed. */
#include "cage/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

#define ALL UINT32_MAX

/* Conditions on arguments. */
#define IS(n, wanted) {.argument = (n), .mask = ALL, .value = (wanted)}
#define IS_OWN_PROCESS(n) {.argument = (n), .mask = ALL, .is_own = true}
#define LACKS(n, bits) {.argument = (n), .mask = (bits), .value = 0}
#define ANYHOW {.mask = 0}

/* A descriptor is not negative: AT_FDCWD is. */
#define IS_DESCRIPTOR(n) LACKS(n, UINT32_C(1) << 31)
/* A stream socket with the default protocol of its family. */
#define STREAM                                                                                     \
    {.argument = 1, .mask = ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC), .value = SOCK_STREAM},      \
        IS(2, 0)

/* Calls that exist on some architectures only. */
#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#define OTHER_NUMBERS 0x40000000u /* x32 calls have numbers from here on */
#define OLDER_CALLS(X)                                                                             \
    X(epoll_wait, ALLOW, ALWAYS, ANYHOW, ANYHOW, "waits for readiness")                            \
    X(poll, ALLOW, ALWAYS, ANYHOW, ANYHOW, "waits on the channel, and for room in a log")          \
    X(time, ALLOW, ALWAYS, ANYHOW, ANYHOW, "a clock that the vDSO does not serve")
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#define OTHER_NUMBERS UINT32_MAX
#define OLDER_CALLS(X)
#else
#error "the cage does not know this architecture yet"
#endif

/* X(call, answer, when, test, test, why). A call may have several rows: any of them allows it. */
#define CALL_TABLE(X)                                                                              \
    OLDER_CALLS(X)                                                                                 \
    X(epoll_pwait, ALLOW, ALWAYS, ANYHOW, ANYHOW, "waits for readiness, where it is the only one") \
    X(recvfrom, ALLOW, ALWAYS, ANYHOW, ANYHOW, "reads from peers")                                 \
    X(sendto, ALLOW, ALWAYS, ANYHOW, ANYHOW, "writes to peers")                                    \
    X(sendmsg, ALLOW, ALWAYS, ANYHOW, ANYHOW, "writes pieces; answers on the channel")             \
    X(write, ALLOW, ALWAYS, ANYHOW, ANYHOW, "logs, wake-ups")                                      \
    X(read, ALLOW, ALWAYS, ANYHOW, ANYHOW, "wake-ups, the alarm")                                  \
    X(futex, ALLOW, ALWAYS, ANYHOW, ANYHOW, "locks, and the end of threads")                       \
    X(accept4, ALLOW, ALWAYS, ANYHOW, ANYHOW, "takes clients")                                     \
    X(close, ALLOW, ALWAYS, ANYHOW, ANYHOW, "ends connections")                                    \
    X(epoll_ctl, ALLOW, ALWAYS, ANYHOW, ANYHOW, "registers connections")                           \
    X(timerfd_settime, ALLOW, ALWAYS, ANYHOW, ANYHOW, "sets the alarm")                            \
    X(connect, ALLOW, ALWAYS, ANYHOW, ANYHOW, "dials origins")                                     \
    X(shutdown, ALLOW, ALWAYS, ANYHOW, ANYHOW, "says that nothing more comes")                     \
    X(sendfile, ALLOW, FILES, ANYHOW, ANYHOW, "sends files")                                       \
    X(statx, ALLOW, FILES, IS_DESCRIPTOR(0), ANYHOW, "looks at files")                             \
    X(preadv2, ALLOW, FILES, ANYHOW, ANYHOW, "reads files")                                        \
    X(openat2, ALLOW, FILES, IS_DESCRIPTOR(0), IS(3, sizeof(struct open_how)),                     \
      "opens files beneath a root; Landlock watches which")                                        \
    X(madvise, ALLOW, ALWAYS, ANYHOW, ANYHOW, "gives memory back")                                 \
    X(munmap, ALLOW, ALWAYS, ANYHOW, ANYHOW, "gives memory back")                                  \
    X(mremap, ALLOW, ALWAYS, ANYHOW, ANYHOW, "grows large memory; what it may do moves along")     \
    X(brk, ALLOW, ALWAYS, ANYHOW, ANYHOW, "takes memory")                                          \
    X(getrandom, ALLOW, ALWAYS, ANYHOW, ANYHOW, "keys and nonces of TLS")                          \
    X(recvmsg, ALLOW, ALWAYS, ANYHOW, ANYHOW, "orders, and descriptors that come with them")       \
    X(ppoll, ALLOW, ALWAYS, ANYHOW, ANYHOW, "poll, where it is the only one")                      \
    X(fstat, ALLOW, ALWAYS, ANYHOW, ANYHOW, "what a new log is; how long a memory file is")        \
    X(pread64, ALLOW, ALWAYS, ANYHOW, ANYHOW, "reads memory files from the supervisor")            \
    X(lseek, ALLOW, ALWAYS, ANYHOW, ANYHOW, "goes back in them")                                   \
    X(clock_gettime, ALLOW, ALWAYS, ANYHOW, ANYHOW, "a clock that the vDSO does not serve")        \
    X(gettimeofday, ALLOW, ALWAYS, ANYHOW, ANYHOW, "a clock that the vDSO does not serve")         \
    X(clock_nanosleep, ALLOW, ALWAYS, ANYHOW, ANYHOW, "waits for room in a mailbox")               \
    X(nanosleep, ALLOW, ALWAYS, ANYHOW, ANYHOW, "the same, in other C libraries")                  \
    X(dup3, ALLOW, ALWAYS, IS(2, O_CLOEXEC), ANYHOW, "a key log is opened again")                  \
    X(sched_yield, ALLOW, ALWAYS, ANYHOW, ANYHOW, "lets the owner of a lock finish")               \
    X(restart_syscall, ALLOW, ALWAYS, ANYHOW, ANYHOW, "a wait goes on after SIGSTOP and SIGCONT")  \
    X(sysinfo, ALLOW, ALWAYS, ANYHOW, ANYHOW, "qsort asks how much memory there is")               \
    X(writev, ALLOW, ALWAYS, ANYHOW, ANYHOW, "the last words of a library")                        \
    X(getpid, ALLOW, ALWAYS, ANYHOW, ANYHOW, "raise")                                              \
    X(gettid, ALLOW, ALWAYS, ANYHOW, ANYHOW, "raise")                                              \
    X(rt_sigprocmask, ALLOW, ALWAYS, ANYHOW, ANYHOW, "raise, and the end of threads")              \
    X(exit, ALLOW, ALWAYS, ANYHOW, ANYHOW, "ends a thread")                                        \
    X(exit_group, ALLOW, ALWAYS, ANYHOW, ANYHOW, "ends the worker")                                \
    /* Calls restricted by arguments. */                                                           \
    X(socket, ALLOW, ALWAYS, IS(0, AF_INET), STREAM, "dials origins")                              \
    X(socket, ALLOW, ALWAYS, IS(0, AF_INET6), STREAM, "dials origins")                             \
    X(socket, ALLOW, ALWAYS, IS(0, AF_UNIX), STREAM, "dials origins")                              \
    X(setsockopt, ALLOW, ALWAYS, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY), "every connection")       \
    X(setsockopt, ALLOW, ALWAYS, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE), "every dial")            \
    X(setsockopt, ALLOW, ALWAYS, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL), "every dial")           \
    X(setsockopt, ALLOW, ALWAYS, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT), "every dial")             \
    X(setsockopt, ALLOW, ALWAYS, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE), "every dial")             \
    X(setsockopt, ALLOW, ALWAYS, IS(1, SOL_SOCKET), IS(2, SO_LINGER), "closing with a reset")      \
    X(ioctl, ALLOW, ALWAYS, IS(1, SIOCOUTQ), ANYHOW, "what a slow peer has acknowledged")          \
    X(getsockopt, ALLOW, ALWAYS, IS(1, SOL_SOCKET), IS(2, SO_ERROR), "how a dial ended")           \
    X(mmap, ALLOW, ALWAYS, LACKS(2, PROT_EXEC), ANYHOW, "takes memory, never to execute")          \
    X(mprotect, ALLOW, ALWAYS, LACKS(2, PROT_EXEC), ANYHOW, "takes memory, never to execute")      \
    X(tgkill, ALLOW, ALWAYS, IS_OWN_PROCESS(0), ANYHOW, "a fatal signal is raised again")          \
    X(sched_getaffinity, ALLOW, ALWAYS, IS(0, 0), ANYHOW, "malloc asks how many heaps pay off")    \
    X(newfstatat, ALLOW, ALWAYS, IS_DESCRIPTOR(0), IS(3, AT_EMPTY_PATH), "glibc's fstat")          \
    /* malloc tries to read vm.overcommit_memory when it first shrinks a heap, and copes with a    \
     * refusal. Nothing is ever opened. */                                                         \
    X(openat, REFUSE, ALWAYS, IS(0, (uint32_t)AT_FDCWD), IS(2, O_RDONLY | O_CLOEXEC), "malloc")

static const CallRow table[] = {
#define X(call, says, time, first, second, why)                                                    \
    {.number = SYS_##call,                                                                         \
     .when = CALL_##time,                                                                          \
     .answer = CALL_##says,                                                                        \
     .tests = {first, second}},
    CALL_TABLE(X)
#undef X
    /* Whether a range of a file is in memory; missing in many headers. */
    {.number = 451 /* cachestat */, .when = CALL_FILES},
};

const CallList call_list_worker = {.count = sizeof table / sizeof table[0], .rows = table};

/* ---- the program ---- */

static void program_add(CallProgram *p, uint16_t code, uint32_t value, uint8_t if_true,
                        uint8_t if_false)
{
    CHECK(p->count < CALL_PROGRAM_MAX);
    p->at[p->count++] =
        (struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = value};
}

static void add_load(CallProgram *p, size_t offset)
{
    program_add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Offset of the low half of an argument: both architectures are little-endian. */
static size_t argument_offset(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

static void add_return(CallProgram *p, CallAnswer answer)
{
    uint32_t refused = SECCOMP_RET_ERRNO | EACCES;
    program_add(p, BPF_RET | BPF_K, answer == CALL_ALLOW ? SECCOMP_RET_ALLOW : refused, 0, 0);
}

/* The accumulator holds the call's number before and after a row that does not match. */
static void add_row(CallProgram *p, const CallRow *row, uint32_t process)
{
    enum { TEST_STEPS = 3 };
    unsigned tests = 0;
    for (unsigned i = 0; i < CALL_TESTS_MAX; i++) {
        tests += row->tests[i].mask != 0;
    }
    /* Jump past the tests, the answer and the reload. */
    unsigned behind = tests * TEST_STEPS + 1 + (tests > 0);
    program_add(p, BPF_JMP | BPF_JEQ | BPF_K, row->number, 0, (uint8_t)behind);
    for (unsigned i = 0; i < CALL_TESTS_MAX; i++) {
        const CallTest *test = &row->tests[i];
        if (test->mask != 0) {
            tests--;
            add_load(p, argument_offset(test->argument));
            program_add(p, BPF_ALU | BPF_AND | BPF_K, test->mask, 0, 0);
            program_add(p, BPF_JMP | BPF_JEQ | BPF_K, test->is_own ? process : test->value, 0,
                (uint8_t)(tests * TEST_STEPS + 1));
        }
    }
    add_return(p, row->answer);
    if (behind > 1) {
        add_load(p, offsetof(struct seccomp_data, nr));
    }
}

static void add_rows(CallProgram *p, size_t count, const CallRow *rows, bool files,
                     uint32_t process)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].when == CALL_ALWAYS || files) {
            add_row(p, &rows[i], process);
        }
    }
}

uint32_t call_architecture(void)
{
    return THIS_ARCHITECTURE;
}

void call_program(CallProgram *ret, const CallList *list, bool files, uint32_t process)
{
    *ret = (CallProgram){.count = 0};
    add_load(ret, offsetof(struct seccomp_data, arch));
    program_add(ret, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 1, 0);
    program_add(ret, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    add_load(ret, offsetof(struct seccomp_data, nr));
    program_add(ret, BPF_JMP | BPF_JGE | BPF_K, OTHER_NUMBERS, 0, 1);
    program_add(ret, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    add_rows(ret, call_extras.count, call_extras.rows, files, process);
    add_rows(ret, list->count, list->rows, files, process);
    program_add(ret, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
}

/* ---- the kernel ---- */

bool call_filter_is_there(void)
{
    uint32_t trap = SECCOMP_RET_TRAP;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0;
}

Err call_filter_enter(const CallProgram *program)
{
    CallProgram copy = *program; /* sock_fprog takes no const pointer */
    struct sock_fprog handed = {.len = (unsigned short)copy.count};
    handed.filter = copy.at; /* system call */
    long n = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &handed);
    if (n > 0) {
        return ERR_SYSTEM; /* the thread with that id has a different filter */
    }
    return n == 0 ? ERR_OK : err_from_errno(errno);
}
