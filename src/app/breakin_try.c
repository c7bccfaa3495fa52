/* breakin_try.c - tries to leave the cage from within a caged worker.
 *
 * A test sends SIGUSR2 to one of the worker's threads, with the number of an attempt as its value
 * (rt_tgsigqueueinfo). So any thread, the first one or a data thread, does what an attacker would
 * do who runs code in it. An attempt that returns is reported on standard error with its result,
 * and ends the worker with a status of its own; one that the cage stops never returns. */
#include "app/breakin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"

#define PAGE 4096u
#define EXIT_BROKEN 99

/* X(name in the crash line, description, attempt). The test reads this table. */
#define ATTEMPTS(X)                                                                                \
    X("openat", "reads /etc/passwd", syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))       \
    X("openat", "writes a file",                                                                   \
      syscall(SYS_openat, AT_FDCWD, "/tmp/breakin", O_WRONLY | O_CREAT, 0600))                     \
    X("open", "reads /etc/passwd, the old way", syscall(SYS_open, "/etc/passwd", O_RDONLY))        \
    X("openat2", "reads /etc/passwd", try_openat2())                                               \
    X("execve", "starts a shell", syscall(SYS_execve, "/bin/sh", shell, NULL))                     \
    X("execveat", "starts a shell", syscall(SYS_execveat, AT_FDCWD, "/bin/sh", shell, NULL, 0))    \
    X("socket", "AF_PACKET", socket(AF_PACKET, SOCK_RAW, 0))                                       \
    X("socket", "AF_NETLINK", socket(AF_NETLINK, SOCK_RAW, 0))                                     \
    X("socket", "datagrams", socket(AF_INET, SOCK_DGRAM, 0))                                       \
    X("socket", "datagrams to processes", socket(AF_UNIX, SOCK_DGRAM, 0))                          \
    X("socket", "raw IP", socket(AF_INET, SOCK_RAW, 1))                                            \
    X("socket", "SCTP", socket(AF_INET, SOCK_STREAM, 132))                                         \
    X("socketpair", "a pair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, page))              \
    X("bind", "an address", syscall(SYS_bind, 0, page, 16))                                        \
    X("listen", "a port", syscall(SYS_listen, 0, 1))                                               \
    X("ptrace", "the supervisor", syscall(SYS_ptrace, PTRACE_ATTACH, supervisor, NULL, NULL))      \
    X("process_vm_readv", "the supervisor",                                                        \
      syscall(SYS_process_vm_readv, supervisor, &piece, 1, &piece, 1, 0))                          \
    X("process_vm_writev", "the supervisor",                                                       \
      syscall(SYS_process_vm_writev, supervisor, &piece, 1, &piece, 1, 0))                         \
    X("kill", "the supervisor", syscall(SYS_kill, supervisor, SIGKILL))                            \
    X("tgkill", "the supervisor", syscall(SYS_tgkill, supervisor, supervisor, SIGKILL))            \
    X("tkill", "the supervisor", syscall(SYS_tkill, supervisor, SIGKILL))                          \
    X("pidfd_open", "the supervisor", syscall(SYS_pidfd_open, supervisor, 0))                      \
    X("mmap", "writable and executable", try_map(PROT_READ | PROT_WRITE | PROT_EXEC))              \
    X("mmap", "executable", try_map(PROT_READ | PROT_EXEC))                                        \
    X("mprotect", "written memory executable", try_protect())                                      \
    X("pkey_mprotect", "memory executable",                                                        \
      syscall(SYS_pkey_mprotect, page, PAGE, PROT_READ | PROT_EXEC, -1))                           \
    X("remap_file_pages", "memory elsewhere", syscall(SYS_remap_file_pages, page, PAGE, 0, 0, 0))  \
    X("memfd_create", "a program in memory", syscall(SYS_memfd_create, "x", 0))                    \
    X("rt_sigaction", "another handler", syscall(SYS_rt_sigaction, SIGSYS, NULL, NULL, 8))         \
    X("rt_sigreturn", "registers of its choice", syscall(SYS_rt_sigreturn))                        \
    X("clone", "a process", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))                   \
    X("clone", "a thread",                                                                         \
      syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, page, NULL, NULL))               \
    X("clone3", "a process", syscall(SYS_clone3, NULL, 0))                                         \
    X("fork", "a process", syscall(SYS_fork))                                                      \
    X("vfork", "a process", syscall(SYS_vfork))                                                    \
    X("io_uring_setup", "a ring", syscall(SYS_io_uring_setup, 8, page))                            \
    X("bpf", "a program", syscall(SYS_bpf, 0, page, PAGE))                                         \
    X("perf_event_open", "a counter", syscall(SYS_perf_event_open, page, 0, -1, -1, 0))            \
    X("userfaultfd", "page faults", syscall(SYS_userfaultfd, 0))                                   \
    X("keyctl", "a key ring", syscall(SYS_keyctl, 0, 0, 0, 0, 0))                                  \
    X("unshare", "a user namespace", syscall(SYS_unshare, CLONE_NEWUSER))                          \
    X("setns", "another namespace", syscall(SYS_setns, 0, 0))                                      \
    X("mount", "a file system", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL))                 \
    X("chroot", "another root", syscall(SYS_chroot, "/"))                                          \
    X("chdir", "another directory", syscall(SYS_chdir, "/"))                                       \
    X("unlink", "a file", syscall(SYS_unlink, "/tmp/breakin"))                                     \
    X("setuid", "root", syscall(SYS_setuid, 0))                                                    \
    X("setresuid", "root", syscall(SYS_setresuid, 0, 0, 0))                                        \
    X("setgroups", "no groups", syscall(SYS_setgroups, 0, NULL))                                   \
    X("capset", "capabilities", syscall(SYS_capset, page, page))                                   \
    X("prctl", "a dumpable process", syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))              \
    X("seccomp", "another filter", syscall(SYS_seccomp, 0, 0, NULL))                               \
    X("personality", "memory that is executable anyway",                                           \
      syscall(SYS_personality, READ_IMPLIES_EXEC))                                                 \
    X("prlimit64", "other limits", syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, page))             \
    X("ioctl", "the terminal", syscall(SYS_ioctl, 0, TIOCSTI, "x"))                                \
    X("fcntl", "signals from descriptors", syscall(SYS_fcntl, 0, F_SETFL, O_ASYNC))                \
    X("setsockopt", "an option that nobody needs", try_option())                                   \
    X("modify_ldt", "segments", syscall(SYS_modify_ldt, 0, page, PAGE))                            \
    X("init_module", "a module", syscall(SYS_init_module, page, PAGE, ""))                         \
    X("1073742081", "openat with 32-bit pointers",                                                 \
      syscall(0x40000000 + SYS_openat, AT_FDCWD, "/etc/passwd", 0))                                \
    X("11 of another architecture", "execve by int 0x80", call_32_bit())

static char shell_path[] = "/bin/sh";
static char *const shell[] = {shell_path, NULL};
static uint8_t page[PAGE] __attribute__((aligned(PAGE)));
static struct iovec piece = {.iov_base = page, .iov_len = 8};
static int supervisor; /* asked for in advance: getppid is not allowed in the cage */

static long try_map(int protection)
{
    return syscall(SYS_mmap, NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long try_protect(void)
{
    long n = syscall(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE); /* allowed */
    return n == 0 ? syscall(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC) : -2;
}

static long try_option(void)
{
    int on = 1;
    return syscall(SYS_setsockopt, 0, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

/* With file servers this call is allowed, so Landlock must refuse. Any descriptor will do: an
 * absolute path needs none. */
static long try_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY};
    return syscall(SYS_openat2, 0, "/etc/passwd", &how, sizeof how);
}

/* The 32-bit entry into an x86 kernel, which has its own numbers: 11 is execve there. */
static long call_32_bit(void)
{
    long result = 11;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "memory");
    return result;
}

static long try_one(int attempt, const char **ret_what)
{
    int i = 0;
#define X(call, what, expression)                                                                  \
    if (attempt == i++) {                                                                          \
        *ret_what = call ": " what;                                                                \
        return (expression);                                                                       \
    }
    ATTEMPTS(X)
#undef X
    return -1;
}

static void on_order(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    uint8_t room[128];
    Text line = text_in(span_of(room, sizeof room));
    const char *what = "?";
    errno = 0;
    long result = try_one(info->si_value.sival_int, &what);
    text_format(&line, "breakin: %s: returned %ld, errno %d\n", what, result, errno);
    (void)!write(STDERR_FILENO, room, line.len);
    _exit(EXIT_BROKEN);
}

void breakin_arm(void)
{
    supervisor = getppid();
    struct sigaction action = {.sa_sigaction = on_order, .sa_flags = SA_SIGINFO};
    (void)sigfillset(&action.sa_mask);
    (void)sigdelset(&action.sa_mask, SIGSYS);
    (void)sigaction(SIGUSR2, &action, NULL);
    breakin_arm_stuck();
}
