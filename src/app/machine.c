/* machine.c - asks the system for its limits. */
#include "app/machine.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/number.h"
#include "proxy/worker.h"

void machine_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

unsigned machine_threads(unsigned wanted)
{
    cpu_set_t cpus;
    unsigned threads = wanted;
    if (threads == 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
        threads = (unsigned)CPU_COUNT(&cpus);
    }
    return (unsigned)size_min(threads == 0 ? 1 : threads, WORKER_THREADS_MAX);
}
