/* machine.c - shares what the system allows out. */
#include "app/machine.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/number.h"

#define DESCRIPTORS_KEPT 256u /* for logs, listeners and the like */
#define CONNECTIONS_MIN 16u
#define FILES_MAX 1024u
#define FILES_MIN 16u

size_t machine_cores(void)
{
    cpu_set_t cpus;
    bool known = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0;
    return known ? (size_t)CPU_COUNT(&cpus) : 1;
}

uint64_t machine_connections_max(const SystemSettings *system)
{
    if (system->connections_max != 0) {
        return system->connections_max;
    }
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t descriptors = u64_min(limit.rlim_cur, UINT32_MAX);
    uint64_t free = descriptors > DESCRIPTORS_KEPT ? descriptors - DESCRIPTORS_KEPT : 0;
    /* A client mostly needs an origin's connection too, but pooled ones are shared. */
    return u64_max(free * 3 / 4, CONNECTIONS_MIN);
}

uint32_t machine_files_max(unsigned threads)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t share = u64_min(limit.rlim_cur, UINT32_MAX) / 16 / threads;
    return (uint32_t)u64_max(u64_min(share, FILES_MAX), FILES_MIN);
}
