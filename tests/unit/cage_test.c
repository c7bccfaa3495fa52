/* cage_test.c - the cage's tables: the program of system calls, run here by a small machine, and
 * what is computed for Landlock and memory. That the kernel keeps to it is tests/e2e/cage_test.py's
 * business. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "cage/account.h"
#include "cage/cage.h"
#include "cage/call_names.h"
#include "cage/calls.h"
#include "cage/helper.h"
#include "cage/landlock.h"
#include "cage/rlimits.h"
#include "test.h"

#define PROCESS 4711u
#define STEPS_MAX 4096
#define NO_MORE -1

/* What the program says to a call: it runs as the kernel would run it. Every jump goes forward, so
 * it ends. */
static uint32_t answer_to(const CallProgram *p, const struct seccomp_data *call)
{
    uint32_t a = 0;
    size_t at = 0;
    for (int steps = 0; steps < STEPS_MAX && at < p->count; steps++) {
        struct sock_filter f = p->at[at++];
        switch (f.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            EXPECT(f.k % 4 == 0 && f.k + 4 <= sizeof *call);
            (void)span_copy(span_of(&a, 4), str_of((const uint8_t *)call + f.k, 4));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f.k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == f.k ? f.jt : f.jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= f.k ? f.jt : f.jf;
            break;
        case BPF_RET | BPF_K:
            return f.k;
        default:
            EXPECT(false);
            return 0;
        }
    }
    EXPECT(false); /* it must answer */
    return 0;
}

typedef struct Call {
    int number;
    uint64_t args[6];
} Call;

static uint32_t ask(bool files, Call c)
{
    static CallProgram program;
    call_program(&program, &call_list_worker, files, PROCESS);
    struct seccomp_data call = {.nr = c.number, .arch = call_architecture()};
    for (size_t i = 0; i < 6; i++) {
        call.args[i] = c.args[i];
    }
    return answer_to(&program, &call);
}

#define HERE ((uint64_t)(uint32_t)AT_FDCWD)
#define TCP_NONBLOCKING (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

TEST("cage: what a worker needs is allowed")
{
    static const Call calls[] = {
        {SYS_recvfrom, {3}},
        {SYS_sendto, {3}},
        {SYS_futex, {0}},
        {SYS_exit_group, {0}},
        {SYS_socket, {AF_INET, TCP_NONBLOCKING, 0}},
        {SYS_socket, {AF_INET6, TCP_NONBLOCKING, 0}},
        {SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
        {SYS_setsockopt, {3, IPPROTO_TCP, TCP_NODELAY}},
        {SYS_setsockopt, {3, SOL_SOCKET, SO_LINGER}},
        {SYS_getsockopt, {3, SOL_SOCKET, SO_ERROR}},
        {SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}},
        {SYS_mprotect, {0, 4096, PROT_NONE}},
        {SYS_tgkill, {PROCESS, 1, 31}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        EXPECT_U64(ask(false, calls[i]), SECCOMP_RET_ALLOW);
        EXPECT_U64(ask(true, calls[i]), SECCOMP_RET_ALLOW);
    }
}

TEST("cage: calls of files are there for file servers alone")
{
    static const Call calls[] = {
        {SYS_openat2, {5, 0, 0, sizeof(struct open_how)}},
        {SYS_statx, {5}},
        {SYS_preadv2, {5}},
        {SYS_sendfile, {5, 6}},
        {451, {5}},
    };
    if (call_extras.for_sanitizer) {
        return; /* such a build allows more */
    }
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        EXPECT_U64(ask(false, calls[i]), SECCOMP_RET_TRAP);
        EXPECT_U64(ask(true, calls[i]), SECCOMP_RET_ALLOW);
    }
    EXPECT_U64(ask(true, (Call){SYS_openat2, {HERE, 0, 0, sizeof(struct open_how)}}),
               SECCOMP_RET_TRAP);
    EXPECT_U64(ask(true, (Call){SYS_openat2, {5, 0, 0, 4096}}), SECCOMP_RET_TRAP);
    EXPECT_U64(ask(true, (Call){SYS_statx, {HERE}}), SECCOMP_RET_TRAP);
}

TEST("cage: everything else is trapped")
{
    static const Call calls[] = {
        {SYS_socket, {AF_INET, SOCK_DGRAM, 0}},
        {SYS_socket, {AF_INET, SOCK_STREAM, 132}},
        {SYS_socket, {AF_PACKET, SOCK_STREAM, 0}},
        {SYS_socket, {AF_NETLINK, SOCK_STREAM, 0}},
        {SYS_setsockopt, {3, SOL_SOCKET, TCP_NODELAY}},
        {SYS_setsockopt, {3, IPPROTO_TCP, SO_LINGER}},
        {SYS_bind, {3}},
        {SYS_listen, {3}},
        {SYS_unshare, {0}},
        {SYS_bpf, {0}},
        {SYS_io_uring_setup, {0}},
    };
    static const Call plain_only[] = {
        {SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}},
        {SYS_mprotect, {0, 4096, PROT_EXEC}},
        {SYS_execve, {0}},
        {SYS_clone, {0}},
        {SYS_ptrace, {0}},
        {SYS_kill, {PROCESS, 9}},
        {SYS_tgkill, {PROCESS + 1, 1, 9}},
        {SYS_rt_sigaction, {31}},
        {SYS_rt_sigreturn, {0}},
        {SYS_prctl, {4, 1}},
        {SYS_openat, {HERE, 0, O_RDONLY}},
        {SYS_openat, {5, 0, O_RDONLY | O_CLOEXEC}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        EXPECT_U64(ask(true, calls[i]), SECCOMP_RET_TRAP);
    }
    for (size_t i = 0; i < sizeof plain_only / sizeof plain_only[0]; i++) {
        EXPECT_U64(ask(true, plain_only[i]),
                   call_extras.for_sanitizer ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    }
    for (int number = 470; number < 2000; number++) { /* calls that nobody knows yet */
        EXPECT_U64(ask(true, (Call){number, {0}}), SECCOMP_RET_TRAP);
    }
}

TEST("cage: malloc's own look at the system is refused, and nobody dies")
{
    Call look = {SYS_openat, {HERE, 0, O_RDONLY | O_CLOEXEC}};
    if (!call_extras.for_sanitizer) {
        EXPECT_U64(ask(false, look), SECCOMP_RET_ERRNO | 13);
    }
}

TEST("cage: other architectures and other numbers of the same calls are trapped")
{
    static CallProgram program;
    call_program(&program, &call_list_worker, true, PROCESS);
    struct seccomp_data call = {.nr = SYS_recvfrom, .arch = AUDIT_ARCH_I386};
    EXPECT_U64(answer_to(&program, &call), SECCOMP_RET_TRAP);
    call = (struct seccomp_data){.nr = 0x40000000 + SYS_recvfrom, .arch = call_architecture()};
    EXPECT_U64(answer_to(&program, &call), SECCOMP_RET_TRAP);
    call = (struct seccomp_data){.nr = NO_MORE, .arch = call_architecture()};
    EXPECT_U64(answer_to(&program, &call), SECCOMP_RET_TRAP);
}

TEST("cage: a helper may do what its own table says, and little else")
{
    static const CallRow own[] = {{.number = SYS_pread64}};
    static const HelperCage cage = {.calls = {.count = 1, .rows = own}};
    static CallProgram program;
    static const int allowed[] = {SYS_pread64, SYS_read, SYS_recvmsg, SYS_write, SYS_exit_group};
    static const int trapped[] = {SYS_socket, SYS_connect, SYS_accept4, SYS_sendmsg, SYS_openat2,
                                  SYS_clone, SYS_execve, SYS_kill, SYS_ptrace};
    helper_call_program(&program, &cage, PROCESS);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        struct seccomp_data call = {.nr = allowed[i], .arch = call_architecture()};
        EXPECT_U64(answer_to(&program, &call), SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; !call_extras.for_sanitizer && i < sizeof trapped / sizeof trapped[0]; i++) {
        struct seccomp_data call = {.nr = trapped[i], .arch = call_architecture()};
        EXPECT_U64(answer_to(&program, &call), SECCOMP_RET_TRAP);
    }
    struct seccomp_data map = {.nr = SYS_mmap, .arch = call_architecture()};
    EXPECT_U64(answer_to(&program, &map), SECCOMP_RET_ALLOW);
    map.args[2] = PROT_EXEC;
    uint32_t answer = answer_to(&program, &map);
    EXPECT(call_extras.for_sanitizer || answer == SECCOMP_RET_TRAP);
}

TEST("cage: each version of Landlock takes away what it knows")
{
    static const struct {
        unsigned version;
        LandlockHandled handled;
    } rows[] = {
        {0, {0}},
        {1, {.files = 0x1fff}},
        {2, {.files = 0x3fff}},
        {3, {.files = 0x7fff}},
        {4, {.files = 0x7fff, .network = 1}},
        {5, {.files = 0xffff, .network = 1}},
        {6, {.files = 0xffff, .network = 1, .scoped = 3}},
        {8, {.files = 0xffff, .network = 1, .scoped = 3}},
        {9, {.files = 0x1ffff, .network = 1, .scoped = 3}},
        {99, {.files = 0x1ffff, .network = 1, .scoped = 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        LandlockHandled got = landlock_handled(rows[i].version);
        EXPECT_U64(got.files, rows[i].handled.files);
        EXPECT_U64(got.network, rows[i].handled.network); /* connecting (2) stays possible */
        EXPECT_U64(got.scoped, rows[i].handled.scoped);
    }
}

TEST("cage: memory may grow by the budget and what stands beside it")
{
    const uint64_t mebibyte = UINT64_C(1) << 20;
    EXPECT_U64(limits_growth(1024 * mebibyte, 4096 * mebibyte), (1536 + 1024) * mebibyte);
    EXPECT_U64(limits_growth(32 * mebibyte, 0), (48 + 256) * mebibyte);
    EXPECT(limits_growth(UINT64_MAX, UINT64_MAX) > UINT64_MAX / 4); /* no overflow */
}

TEST("cage: what is closed, and calls, have names")
{
    uint8_t room[256];
    Span span = span_of(room, sizeof room);
    EXPECT_STR(cage_text(span, 0), S("none"));
    EXPECT_STR(cage_text(span, CAGE_BAR(SECCOMP) | CAGE_BAR(LANDLOCK) | UINT64_C(7) << 32),
               S("seccomp, landlock 7"));
    EXPECT(cage_text(span, UINT64_MAX).len > 0); /* from a worker that has gone mad */
    Text t = text_in(span);
    cage_print_call(&t, SYS_execve, call_architecture());
    EXPECT_STR(text_str(&t), S("execve"));
    t = text_in(span);
    cage_print_call(&t, 100000, call_architecture());
    EXPECT_STR(text_str(&t), S("100000"));
    t = text_in(span);
    cage_print_call(&t, 11, AUDIT_ARCH_I386);
    EXPECT_STR(text_str(&t), S("11 of another architecture"));
    for (size_t i = 1; i < call_name_count; i++) {
        EXPECT(call_names[i - 1].number < call_names[i].number);
    }
}

TEST("cage: users and groups by name and number")
{
    uint32_t user = 1;
    uint32_t group = 1;
    EXPECT(account_find_user(NULL, S("root"), &user, &group) == ERR_OK);
    EXPECT_U64(user + group, 0);
    EXPECT(account_find_user(NULL, S("0"), &user, &group) == ERR_OK);
    EXPECT_U64(user + group, 0);
    EXPECT(account_find_user(NULL, S("4123456789"), &user, &group) == ERR_OK);
    EXPECT_U64(user, 4123456789u);
    EXPECT_U64(group, CONFIG_NO_GROUP);
    EXPECT(account_find_user(NULL, S("no-such-user"), &user, &group) == ERR_MISSING);
    EXPECT(account_find_user(NULL, S("4294967295"), &user, &group) == ERR_MISSING);
    EXPECT(account_find_user(NULL, S("-1"), &user, &group) == ERR_MISSING);
    EXPECT(account_find_group(NULL, S("root"), &group) == ERR_OK);
    EXPECT_U64(group, 0);
    EXPECT(account_find_group(NULL, S("77"), &group) == ERR_OK);
    EXPECT_U64(group, 77);
    EXPECT(account_find_group(NULL, S("no-such-group"), &group) == ERR_MISSING);
}
