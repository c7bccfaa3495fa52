/* crash.c - the shared page, and the handler that writes the last note into it. */
#include "loop/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

#define HANDLER_STACK_BYTES (64u << 10)
#define CODE_SECCOMP 1 /* SYS_SECCOMP, which not every C library names */

CrashNotes *crash_notes;

static _Thread_local uint32_t current_thread; /* plus 1; 0: not one that has notes */

/* No one can make the file shorter, which would be the end of who looks at its pages. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

static Err map_notes(int fd, CrashNotes **ret)
{
    void *at =
        mmap(NULL, sizeof(CrashNotes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return err_from_errno(errno);
    }
    *ret = (CrashNotes *)at;
    return ERR_OK;
}

Err crash_open(CrashNotes **ret, int *ret_fd)
{
    int fd = memfd_create("river-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    bool made = ftruncate(fd, (off_t)sizeof(CrashNotes)) == 0 &&
                fcntl(fd, F_ADD_SEALS, SEALS) == 0;
    Err err = made ? map_notes(fd, ret) : err_from_errno(errno);
    if (err != ERR_OK || !ret_fd) {
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return ERR_OK;
}

Err crash_adopt(int fd)
{
    Err err = map_notes(fd, &crash_notes);
    (void)close(fd);
    return err;
}

void crash_close(CrashNotes *notes)
{
    if (notes) {
        (void)munmap(notes, sizeof(CrashNotes));
    }
}

bool crash_read(const CrashNotes *notes, unsigned thread, Span room, Str *ret_id)
{
    if (!notes || thread >= CRASH_THREADS_MAX) {
        return false;
    }
    const CrashNote *note = &notes->notes[thread];
    /* A worker that has gone mad may write anything here, also between two looks: there is one. */
    uint32_t claimed = *(const volatile uint32_t *)&note->len;
    size_t len = claimed < CRASH_ID_BYTES_MAX ? claimed : CRASH_ID_BYTES_MAX;
    *ret_id = str_take(span_str(room), span_copy(room, str_of(note->id, len)));
    return ret_id->len > 0;
}

/* SA_RESETHAND has put the default back: raising it again ends the process as it should. */
static void on_fatal_signal(int number)
{
    if (crash_notes) {
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&crash_notes->signal, &none, (uint32_t)number)) {
            atomic_store(&crash_notes->thread, current_thread);
        }
    }
    (void)raise(number);
}

/* A call that the cage does not allow: number and architecture in one word, plus 1. */
static void on_forbidden_call(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (crash_notes && info->si_code == CODE_SECCOMP) {
        uint64_t call = (uint64_t)info->si_arch << 32 | (uint32_t)info->si_syscall;
        uint64_t none = 0;
        (void)atomic_compare_exchange_strong(&crash_notes->call, &none, call + 1);
    }
    on_fatal_signal(number);
}

bool crash_call(const CrashNotes *notes, uint32_t *ret_number, uint32_t *ret_architecture)
{
    uint64_t call = notes ? atomic_load(&notes->call) : 0;
    *ret_number = (uint32_t)(call - 1);
    *ret_architecture = (uint32_t)((call - 1) >> 32);
    return call != 0;
}

static void catch_forbidden_calls(void)
{
    struct sigaction action = {.sa_sigaction = on_forbidden_call};
    action.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NODEFER);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGSYS, &action, NULL);
}

void crash_catch_signals(void)
{
    catch_forbidden_calls();
    /* A sanitizer's own handlers know more; they end the process with its report. */
    if (HAVE_ASAN) {
        return;
    }
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        struct sigaction action = {.sa_handler = on_fatal_signal};
        action.sa_flags = (int)(SA_RESETHAND | SA_ONSTACK | SA_NODEFER);
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(fatal[i], &action, NULL);
    }
}

Heartbeat *crash_heartbeat(unsigned thread)
{
    static Heartbeat unwatched;
    return crash_notes && thread < CRASH_THREADS_MAX ? &crash_notes->heartbeats[thread]
                                                     : &unwatched;
}

void crash_enter_thread(unsigned thread)
{
    current_thread = thread + 1;
    atomic_store(&crash_heartbeat(thread)->thread_id, (uint32_t)gettid());
    if (HAVE_ASAN) {
        return;
    }
    /* Lives as long as its thread, which lives as long as the worker. */
    void *stack = memory_reserve(HANDLER_STACK_BYTES);
    if (stack) {
        stack_t place = {.ss_sp = stack, .ss_size = HANDLER_STACK_BYTES};
        (void)sigaltstack(&place, NULL);
    }
}
