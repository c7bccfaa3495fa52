/* doctor_cage.c - what confines a broken worker: the kernel, the build and a running River. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/control.h"
#include "app/doctor.h"
#include "base/number.h"
#include "cage/account.h"
#include "cage/calls.h"
#include "cage/landlock.h"

#define CALL_GET_MDWE 66
#define ANSWER_BYTES_MAX 65536u
#define LANDLOCK_WANTED 6u
#define LAYOUT_FULL 2u

typedef unsigned long long Big; /* the type that printf expects */

static bool wants_cage(const DoctorQuestion *q)
{
    return !q->settings || q->settings->system.sandbox;
}

/* ---- the kernel ---- */

void doctor_seccomp(const DoctorQuestion *q, Finding *f)
{
    bool there = call_filter_is_there();
    text_add(&f->found, there ? S("available") : S("not available"));
    if (!wants_cage(q)) {
        text_add(&f->found, S(", not used"));
        finding_set(f, HEALTH_WEAKER, S("`sandbox` is false: leave it out to cage the worker."));
    } else if (!there) {
        finding_set(f, HEALTH_MISSING,
                    S("Use a kernel or container with seccomp filters, or set `sandbox false`."));
    }
}

void doctor_landlock(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    unsigned version = landlock_version();
    if (version == 0) {
        text_add(&f->found, S("not available"));
        finding_set(f, HEALTH_WEAKER,
                    S("Linux 5.13 has it; `landlock` must be in the kernel's list `lsm=`."));
        return;
    }
    text_format(&f->found, "version %u", version);
    if (version < LANDLOCK_WANTED) {
        finding_set(f, HEALTH_WEAKER,
                    S("Linux 6.7 denies listening, 6.12 signals and abstract sockets too."));
    }
}

void doctor_exec_gain(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    bool there = prctl(CALL_GET_MDWE, 0ul, 0ul, 0ul, 0ul) >= 0;
    text_add(&f->found, there ? S("by the kernel and by seccomp") : S("by seccomp only"));
    if (!there) {
        finding_set(f, HEALTH_WEAKER, S("Linux 6.3 refuses it in a second place."));
    }
}

void doctor_no_new_privs(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    int here = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    text_add(&f->found, here == 1 ? S("set here already; each worker sets it")
                                  : S("each worker sets it"));
    if (here < 0) {
        finding_set(f, HEALTH_MISSING, S("River needs Linux 5.9 or newer."));
    }
}

/* ---- accounts ---- */

void doctor_account(const DoctorQuestion *q, Finding *f)
{
    static const AccountSettings nobody = {0};
    const AccountSettings *account = q->settings ? &q->settings->system.account : &nobody;
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    if (account->user.len > 0) {
        text_format(&f->found, "workers run as %.*s (%u)", STR_ARG(account->user),
                    account->user_id);
    } else {
        text_format(&f->found, "workers run as whoever starts River, here %u", geteuid());
    }
    if (account_check(account, &why) != ERR_OK) {
        finding_set(f, HEALTH_MISSING, S("Only root may become another user or group."));
    } else if (account_is_root(account)) {
        finding_set(f, HEALTH_WEAKER, S("Set `user` in `system`: then a worker is not root."));
    }
}

void doctor_capabilities(const DoctorQuestion *q, Finding *f)
{
    uint64_t held = account_capabilities();
    bool given_up = wants_cage(q) || q->settings->system.account.user.len > 0;
    text_format(&f->found, "supervisor %llx, workers %s", (Big)held,
                given_up ? "none" : "the same");
    if (!given_up && held != 0) {
        finding_set(f, HEALTH_WEAKER, S("Cage the worker, or set `user`."));
    }
}

/* ---- the build ---- */

/* Reads past the end of a slice, in a process of its own. */
static _Noreturn void read_too_far(void)
{
    static const uint8_t bytes[2] = {1, 2};
    struct rlimit none = {0};
    struct sigaction die = {.sa_handler = SIG_DFL};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)sigaction(SIGILL, &die, NULL);
    (void)sigaction(SIGTRAP, &die, NULL);
    Str s = str_of(bytes, 1);
    volatile size_t far = 1;
    volatile uint8_t read = s.at[far];
    (void)read;
    _exit(0);
}

void doctor_bounds(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    pid_t child = fork();
    if (child == 0) {
        read_too_far();
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        text_add(&f->found, S("could not be tried"));
        return;
    }
    bool trapped = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    text_add(&f->found, trapped ? S("a read behind a slice's end was stopped")
                                : S("a read behind a slice's end was not stopped"));
    if (!trapped) {
        finding_set(f, HEALTH_WEAKER,
                    S("Use a binary built by clang (`tools/build release`), which traps."));
    }
}

/* Whether this program is position-independent. */
static bool is_movable(void)
{
    uint8_t room[sizeof(Elf64_Ehdr)];
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, room, sizeof room) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    Str type = str_take(str_drop(str_of(room, n > 0 ? (size_t)n : 0), EI_NIDENT), 2);
    return type.len == 2 && str_at(type, 0) == ET_DYN;
}

void doctor_layout(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    uint64_t mode = LAYOUT_FULL;
    bool known = doctor_read_number("/proc/sys/kernel/randomize_va_space", &mode);
    bool movable = is_movable();
    text_add(&f->found, movable ? S("position-independent") : S("at a fixed place"));
    text_format(&f->found, ", kernel.randomize_va_space %llu%s", (Big)mode,
                known ? "" : " (not known)");
    if (!movable) {
        finding_set(f, HEALTH_WEAKER, S("Use a binary that is built as PIE, as River's is."));
    } else if (mode < LAYOUT_FULL) {
        finding_set(f, HEALTH_WEAKER, S("Set kernel.randomize_va_space to 2 with sysctl."));
    }
}

void doctor_cores(const DoctorQuestion *q, Finding *f)
{
    uint8_t room[128];
    Str line = STR_NONE;
    if (!doctor_read("/proc/sys/kernel/core_pattern", span_of(room, sizeof room), &line)) {
        line = S("not known");
    }
    text_format(&f->found, "%s; kernel.core_pattern %.*s",
                wants_cage(q) ? "a worker leaves none" : "a worker may leave one", STR_ARG(line));
    if (!wants_cage(q)) {
        finding_set(f, HEALTH_WEAKER, S("It would hold private keys: cage the worker."));
    }
}

void doctor_tracing(const DoctorQuestion *q, Finding *f)
{
    if (wants_cage(q)) {
        text_add(&f->found, S("only root can look into River's processes"));
        return;
    }
    text_add(&f->found, S("processes of the same user can look into River's"));
    finding_set(f, HEALTH_WEAKER, S("They would see private keys: cage the worker."));
}

/* ---- a running River ---- */

/* The string or number after `"key":` in River's own JSON; empty: not found. */
static Str json_member(Str json, Str key)
{
    Str rest = json;
    while (rest.len > 0 && !str_starts(rest, key)) {
        rest = str_drop(rest, 1);
    }
    Str value = str_drop(rest, key.len);
    bool quoted = str_starts(value, S("\""));
    return str_cut(quoted ? str_drop(value, 1) : value, quoted ? '"' : ',').head;
}

/* Whether the kernel reports a seccomp filter for the process. */
static bool is_filtered(Str pid)
{
    uint8_t room[4096];
    uint8_t path_room[64];
    Str all = STR_NONE;
    Text path = text_in(span_of(path_room, sizeof path_room));
    text_format(&path, "/proc/%.*s/status", STR_ARG(pid));
    text_byte(&path, '\0');
    if (path.overflow ||
        !doctor_read_all((const char *)path_room, span_of(room, sizeof room), &all)) {
        return false;
    }
    bool found = false;
    while (all.len > 0) {
        StrCut line = str_cut(all, '\n');
        found = found || str_equal(line.head, S("Seccomp:\t2"));
        all = line.tail;
    }
    return found;
}

void doctor_river(const DoctorQuestion *q, Finding *f)
{
    uint8_t room[ANSWER_BYTES_MAX];
    Str answer = STR_NONE;
    Err err = q->control_error;
    if (err == ERR_OK) {
        err = control_read(q->control_path, S("status json\n"), span_of(room, sizeof room),
                           &answer);
    }
    if (err != ERR_OK) {
        text_format(&f->found, "none answers at %.*s", STR_ARG(q->control_path));
        return;
    }
    Str pid = json_member(answer, S("\"worker_pid\":"));
    Str cage = json_member(answer, S("\"cage\":"));
    bool filtered = is_filtered(pid);
    text_format(&f->found, "worker %.*s: %.*s", STR_ARG(pid), STR_ARG(cage));
    if (!filtered) {
        finding_set(f, HEALTH_WEAKER,
                    S("The kernel sees no seccomp filter on this worker: is `sandbox` false?"));
    }
}
