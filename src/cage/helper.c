/* helper.c - entry into a helper's cage, and the calls that every helper may make. */
#include "cage/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cage/account.h"
#include "cage/landlock.h"
#include "cage/rlimits.h"

#define NEVER_EXECUTED {.argument = 2, .mask = PROT_EXEC}

static const CallRow common[] = {
    {.number = SYS_read},           /* an order without descriptors */
    {.number = SYS_recvmsg},        /* an order */
    {.number = SYS_write},          /* an answer, a line of the log */
    {.number = SYS_ppoll},          /* waits for orders */
    {.number = SYS_close},          /* descriptors received with an order */
    {.number = SYS_futex},          /* locks of libraries */
    {.number = SYS_brk},            /* malloc */
    {.number = SYS_munmap},
    {.number = SYS_mremap},
    {.number = SYS_madvise},
    {.number = SYS_mmap, .tests = {NEVER_EXECUTED}},
    {.number = SYS_mprotect, .tests = {NEVER_EXECUTED}},
    {.number = SYS_getrandom},      /* malloc, hash tables of libraries */
    {.number = SYS_clock_gettime},  /* a clock that the vDSO does not serve */
    {.number = SYS_restart_syscall}, /* resumes a wait after SIGSTOP and SIGCONT */
    {.number = SYS_rt_sigprocmask}, /* raise */
    {.number = SYS_getpid},
    {.number = SYS_gettid},
    {.number = SYS_tgkill, .tests = {{.argument = 0, .is_own = true, .mask = UINT32_MAX}}},
    {.number = SYS_exit},
    {.number = SYS_exit_group},
    /* malloc tries to read vm.overcommit_memory (calls.c). Nothing is ever opened. */
    {.number = SYS_openat,
     .answer = CALL_REFUSE,
     .tests = {{.argument = 0, .mask = UINT32_MAX, .value = (uint32_t)AT_FDCWD},
               {.argument = 2, .mask = UINT32_MAX, .value = O_RDONLY | O_CLOEXEC}}},
#if defined(__x86_64__)
    {.number = SYS_poll},
#endif
};

void helper_call_program(CallProgram *ret, const HelperCage *cage, uint32_t process)
{
    enum { ALL_MAX = 128 };
    static CallRow all[ALL_MAX]; /* the helper's own rows, then the common ones */
    size_t own = cage->calls.count;
    size_t shared = sizeof common / sizeof common[0];
    CHECK(own + shared <= ALL_MAX);
    for (size_t i = 0; i < own; i++) {
        all[i] = cage->calls.rows[i];
    }
    for (size_t i = 0; i < shared; i++) {
        all[own + i] = common[i];
    }
    CallList list = {.count = own + shared, .rows = all};
    call_program(ret, &list, true, process);
}

static Err forbid_calls(const HelperCagePlan *plan, CageState *io)
{
    static CallProgram program; /* too large for the stack */
    if (!call_filter_is_there() && !plan->must) {
        return ERR_OK;
    }
    helper_call_program(&program, plan->cage, (uint32_t)getpid());
    TRY(call_filter_enter(&program));
    *io |= CAGE_BAR(SECCOMP);
    return ERR_OK;
}

static Err forbid_files(const HelperCagePlan *plan, CageState *io)
{
    unsigned version = 0;
    LandlockPlan rules = {.root_count = plan->root_count, .lets_read = call_extras.for_sanitizer};
    rules.roots = plan->roots; /* system call */
    TRY(landlock_enter(&rules, &version));
    *io |= version > 0 ? CAGE_BAR(LANDLOCK) | (uint64_t)version << 32 : 0;
    return ERR_OK;
}

Err helper_cage_enter(const HelperCagePlan *plan, CageState *ret)
{
    CageState state = CAGE_BAR(NO_NEW_PRIVS);
    int sizes = plan->sandbox ? limits_open_sizes() : -1;
    TRY(account_become(plan->account, plan->sandbox));
    state |= geteuid() != 0 ? CAGE_BAR(USER) : 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* here, because a change of user resets it */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_from_errno(errno);
    }
    if (plan->sandbox) {
        state |= CAGE_BAR(POWERLESS);
        TRY(limits_lower());
        TRY(forbid_files(plan, &state));
        if (!call_extras.for_sanitizer) {
            bool bounded = limits_bound_more(sizes, plan->cage->memory_bytes);
            state |= bounded ? CAGE_BAR(MEMORY) : 0;
            TRY(limits_forbid_processes());
        }
        (void)close(sizes);
        TRY(forbid_calls(plan, &state));
    }
    *ret = state;
    return ERR_OK;
}
