/* doctor_system.c - checks of the machine: kernel, memory, descriptors, network. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/doctor.h"
#include "app/machine.h"
#include "base/memory.h"
#include "base/number.h"
#include "cage/account.h"
#include "loop/system.h"

#define MEBIBYTE (UINT64_C(1) << 20)
#define BACKLOG_WANTED 1024u
#define PORTS_WANTED 20000u
#define DESCRIPTORS_WANTED 65536u
#define CALL_CACHESTAT 451
#define CGROUP_PATH_BYTES_MAX 512u

typedef unsigned long long Big; /* the type that printf expects */

/* ---- the kernel ---- */

/* Turns "6.1.0-18-amd64" into 6001. */
static uint64_t version_of(Str release)
{
    uint64_t major = 0;
    uint64_t minor = 0;
    StrCut first = str_cut(release, '.');
    Str digits = first.tail;
    size_t len = 0;
    while (len < digits.len && byte_is_digit(str_at(digits, len))) {
        len++;
    }
    if (number_decimal(first.head, 999, &major) != ERR_OK ||
        number_decimal(str_take(digits, len), 999, &minor) != ERR_OK) {
        return 0;
    }
    return major * 1000 + minor;
}

void doctor_kernel(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    struct utsname about;
    Str release = uname(&about) == 0 ? str_from_c(about.release) : S("unknown");
    uint64_t version = version_of(release);
    text_format(&f->found, "Linux %.*s", STR_ARG(release));
    if (version < 5009) {
        finding_set(f, HEALTH_MISSING, S("River needs Linux 5.9 or newer."));
    } else if (version < 5013) {
        finding_set(f, HEALTH_WEAKER, S("Linux 5.13 brings Landlock; 6.12 all of the cage."));
    }
}

static bool has_files(const DoctorQuestion *q)
{
    return q->settings && q->settings->root_count > 0;
}

void doctor_openat2(const DoctorQuestion *q, Finding *f)
{
    int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = system_calls->file_open(here, ".", false);
    bool there = fd >= 0 || errno != ENOSYS;
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)close(here);
    text_add(&f->found, there ? S("available") : S("not available"));
    if (!there) {
        finding_set(f, has_files(q) ? HEALTH_MISSING : HEALTH_WEAKER,
                    S("File servers need Linux 5.6, and a container that allows openat2."));
    }
}

void doctor_cachestat(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    bool there = syscall(CALL_CACHESTAT, -1, NULL, NULL, 0) == 0 || errno != ENOSYS;
    text_add(&f->found, there ? S("available") : S("not available"));
    if (!there) {
        finding_set(f, HEALTH_WEAKER,
                    S("Large files are read instead of sent with sendfile before Linux 6.5."));
    }
}

/* ---- memory ---- */

/* The limit of this process's control group; 0: unknown. */
static uint64_t group_memory(void)
{
    uint8_t room[CGROUP_PATH_BYTES_MAX];
    uint8_t path_room[CGROUP_PATH_BYTES_MAX];
    Str line = STR_NONE;
    Text path = text_in(span_of(path_room, sizeof path_room));
    if (!doctor_read("/proc/self/cgroup", span_of(room, sizeof room), &line) ||
        !str_starts(line, S("0::"))) {
        return 0;
    }
    text_format(&path, "/sys/fs/cgroup%.*s/memory.max", STR_ARG(str_drop(line, 3)));
    text_byte(&path, '\0');
    uint64_t most = 0;
    return !path.overflow && doctor_read_number((const char *)path_room, &most) ? most : 0;
}

void doctor_memory(const DoctorQuestion *q, Finding *f)
{
    uint64_t machine = memory_of_machine();
    uint64_t group = group_memory();
    uint64_t most = group != 0 && group < machine ? group : machine;
    uint64_t budget = q->settings ? config_memory_bytes(&q->settings->system) : machine / 4;
    text_format(&f->found, "%llu MiB of the machine, budget %llu MiB", (Big)(machine / MEBIBYTE),
                (Big)(budget / MEBIBYTE));
    if (group != 0) {
        text_format(&f->found, ", control group %llu MiB", (Big)(group / MEBIBYTE));
    }
    struct rlimit space = {.rlim_cur = RLIM_INFINITY};
    (void)getrlimit(RLIMIT_AS, &space);
    if (space.rlim_cur != RLIM_INFINITY) {
        finding_set(f, HEALTH_WEAKER,
                    S("River reserves more addresses than memory: lift `ulimit -v`."));
    } else if (budget > most / 2) {
        finding_set(f, HEALTH_WEAKER,
                    S("Set `buffer-memory-bytes` to a quarter of what River may have: TLS and the "
                      "system's buffers come on top."));
    }
}

void doctor_overcommit(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    uint64_t mode = 0;
    if (!doctor_read_number("/proc/sys/vm/overcommit_memory", &mode)) {
        text_add(&f->found, S("not known"));
        return;
    }
    text_format(&f->found, "vm.overcommit_memory %llu", (Big)mode);
    if (mode == 2) {
        finding_set(f, HEALTH_WEAKER,
                    S("River reserves more than it touches: mode 0 or 1 is needed for many "
                      "connections."));
    }
}

void doctor_huge_pages(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    uint8_t room[128];
    Str line = STR_NONE;
    if (!doctor_read("/sys/kernel/mm/transparent_hugepage/enabled", span_of(room, sizeof room),
                     &line)) {
        text_add(&f->found, S("not known"));
        return;
    }
    text_add(&f->found, line);
    Str chosen = str_cut(str_cut(line, '[').tail, ']').head;
    if (str_equal(chosen, S("never"))) {
        finding_set(f, HEALTH_WEAKER, S("Large tables are faster with `madvise` or `always`."));
    }
}

/* ---- descriptors and network ---- */

void doctor_descriptors(const DoctorQuestion *q, Finding *f)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t clients = q->settings ? q->settings->system.connections_max : 0;
    uint64_t wanted = DESCRIPTORS_WANTED;
    if (clients) { /* most clients need a connection to an origin too */
        size_t threads = q->settings->system.threads;
        threads = threads ? threads : machine_cores();
        wanted = clients * 2 + machine_shares(q->settings, (unsigned)threads).kept;
    }
    text_format(&f->found, "%llu now, %llu allowed, %llu wanted", (Big)limit.rlim_cur,
                (Big)limit.rlim_max, (Big)wanted);
    if (limit.rlim_max < wanted) {
        finding_set(f, HEALTH_WEAKER,
                    clients ? S("`max-connections` needs two for each: raise the hard limit "
                                "(LimitNOFILE= in systemd, `ulimit -Hn`).")
                            : S("Each connection is one: raise the hard limit (LimitNOFILE= in "
                                "systemd, `ulimit -Hn`)."));
    }
}

void doctor_backlog(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    uint64_t most = 0;
    if (!doctor_read_number("/proc/sys/net/core/somaxconn", &most)) {
        text_add(&f->found, S("not known"));
        return;
    }
    text_format(&f->found, "net.core.somaxconn %llu", (Big)most);
    if (most < BACKLOG_WANTED) {
        finding_set(f, HEALTH_WEAKER,
                    S("Bursts of clients are refused early: set it to 4096 with sysctl."));
    }
}

void doctor_ports(const DoctorQuestion *q, Finding *f)
{
    (void)q;
    uint8_t room[64];
    Str line = STR_NONE;
    uint64_t low = 0;
    uint64_t high = 0;
    if (!doctor_read("/proc/sys/net/ipv4/ip_local_port_range", span_of(room, sizeof room), &line)) {
        text_add(&f->found, S("not known"));
        return;
    }
    StrCut cut = str_cut(line, '\t');
    if (number_decimal(cut.head, 65535, &low) != ERR_OK ||
        number_decimal(cut.tail, 65535, &high) != ERR_OK || high < low) {
        text_add(&f->found, S("not known"));
        return;
    }
    text_format(&f->found, "%llu-%llu: %llu connections to each origin", (Big)low, (Big)high,
                (Big)(high - low + 1));
    if (high - low + 1 < PORTS_WANTED) {
        finding_set(f, HEALTH_WEAKER,
                    S("Widen net.ipv4.ip_local_port_range, for example to 1024-65535."));
    }
}

/* The lowest port in the configuration; 65536: none. */
static uint64_t lowest_port(const Settings *settings)
{
    uint64_t lowest = 65536;
    for (size_t i = 0; settings && i < settings->listener_count; i++) {
        const SettingsAddress *address = &settings->listeners[i].address;
        if (address->unix_path.len == 0) {
            lowest = u64_min(lowest, address->port);
        }
    }
    return lowest;
}

void doctor_low_ports(const DoctorQuestion *q, Finding *f)
{
    uint64_t first = 1024;
    (void)doctor_read_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", &first);
    bool may = account_may_bind();
    if (may) {
        text_add(&f->found, S("this user may listen on any port"));
    } else {
        text_format(&f->found, "this user may listen from port %llu on", (Big)first);
    }
    if (!may && lowest_port(q->settings) < first) {
        finding_set(f, HEALTH_MISSING,
                    S("Start River as root, with CAP_NET_BIND_SERVICE, or lower "
                      "net.ipv4.ip_unprivileged_port_start."));
    }
}
