/* sanitizer.c - what a sanitizer needs in the cage, in test builds only.
 *
 * Its reports read /proc/self/maps and start a symbolizer; its leak check stops the process from a
 * tracing helper. Such a build proves that River works within the rest of the cage, not that the
 * cage holds: the build `breakin` does that. */
#include <sys/syscall.h>

#include "cage/calls.h"

#define ANYHOW(call) {.number = SYS_##call}

static const CallRow rows[] = {
#if defined(__x86_64__)
    ANYHOW(open),       ANYHOW(readlink),     ANYHOW(pipe),       ANYHOW(fork),
    ANYHOW(vfork),      ANYHOW(dup2),         ANYHOW(stat),       ANYHOW(access),
    ANYHOW(arch_prctl), ANYHOW(getdents),
#endif
    ANYHOW(openat),     ANYHOW(readlinkat),   ANYHOW(pipe2),      ANYHOW(clone),
    ANYHOW(clone3),     ANYHOW(dup3),         ANYHOW(newfstatat), ANYHOW(faccessat),
    ANYHOW(execve),     ANYHOW(wait4),        ANYHOW(ptrace),     ANYHOW(prctl),
    ANYHOW(kill),       ANYHOW(tgkill),       ANYHOW(getppid),    ANYHOW(sigaltstack),
    ANYHOW(getdents64), ANYHOW(rt_sigaction), ANYHOW(mmap),       ANYHOW(mprotect),
    ANYHOW(fcntl),      ANYHOW(ioctl),        ANYHOW(prlimit64),  ANYHOW(getrlimit),
    ANYHOW(rseq),       ANYHOW(uname),        ANYHOW(getcwd),     ANYHOW(set_robust_list),
    ANYHOW(getuid),     ANYHOW(rt_sigreturn), ANYHOW(process_vm_readv),
    ANYHOW(set_tid_address), ANYHOW(dup),
};

const CallExtras call_extras = {
    .for_sanitizer = true, .count = sizeof rows / sizeof rows[0], .rows = rows};
