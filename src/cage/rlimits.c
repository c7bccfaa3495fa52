/* rlimits.c - a table of resource limits, and the computed memory limit. */
#include "cage/rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"

#define STATM_BYTES_MAX 256u
#define STATM_DATA 5 /* index of the sixth number: pages of data and stack */
#define GROWTH_LEAST_BYTES (UINT64_C(256) << 20)

/* RLIMIT_FSIZE is not among them: it would truncate logs. */
static const struct {
    int which;
    uint64_t most;
} zeros[] = {
    {RLIMIT_CORE, 0},     /* core dumps would contain keys */
    {RLIMIT_MEMLOCK, 0},  /* nothing is locked */
    {RLIMIT_MSGQUEUE, 0}, /* no queues */
    {RLIMIT_RTPRIO, 0},   /* no real-time priority */
};

static Err set_limit(int which, uint64_t most)
{
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    return setrlimit((__rlimit_resource_t)which, &limit) == 0 ? ERR_OK : err_from_errno(errno);
}

Err limits_lower(void)
{
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        TRY(set_limit(zeros[i].which, zeros[i].most));
    }
    /* The supervisor raised the soft limit as far as it goes; connections_max is computed from
     * it. */
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        return err_from_errno(errno);
    }
    return set_limit(RLIMIT_NOFILE, descriptors.rlim_cur);
}

Err limits_forbid_processes(void)
{
    return set_limit(RLIMIT_NPROC, 0);
}

int limits_open_sizes(void)
{
    return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

/* Bytes of private writable memory that are mapped; 0: unknown. */
static uint64_t mapped_bytes(int sizes)
{
    uint8_t room[STATM_BYTES_MAX];
    ssize_t n = pread(sizes, room, sizeof room, 0);
    Str rest = str_of(room, n > 0 ? (size_t)n : 0);
    for (int i = 0; i < STATM_DATA; i++) {
        rest = str_cut(rest, ' ').tail;
    }
    uint64_t pages = 0;
    long page = sysconf(_SC_PAGESIZE);
    Err err = number_decimal(str_cut(rest, ' ').head, UINT32_MAX, &pages);
    return err == ERR_OK && page > 0 ? pages * (uint64_t)page : 0;
}

/* The budget counts what River and its codecs allocate. On top of it come the allocator's overhead
 * (half of the budget), and rustls's TLS sessions, bounded by the machine's memory. */
uint64_t limits_growth(uint64_t budget_bytes, uint64_t machine_bytes)
{
    uint64_t budget = u64_min(budget_bytes, UINT64_MAX / 4);
    return budget + budget / 2 + u64_max(machine_bytes / 4, GROWTH_LEAST_BYTES);
}

bool limits_bound_more(int sizes, uint64_t bytes)
{
    uint64_t mapped = sizes >= 0 ? mapped_bytes(sizes) : 0;
    return mapped > 0 && bytes > 0 && set_limit(RLIMIT_DATA, mapped + bytes) == ERR_OK;
}

bool limits_bound_memory(int sizes, uint64_t budget_bytes)
{
    return budget_bytes > 0 &&
           limits_bound_more(sizes, limits_growth(budget_bytes, memory_of_machine()));
}
