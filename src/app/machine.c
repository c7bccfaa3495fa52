/* machine.c - divides the descriptor limit. */
#include "app/machine.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/number.h"

/* What a worker has open besides connections. */
#define OF_PROCESS 10u /* standard 0..2, the channel, signals, logs and their thread, disk */
#define OF_THREAD 4u   /* epoll, alarm, mailbox, and a spare one for refusing clients */
#define OF_CHANGES 8u  /* temporary: regions, logs, a dump, sockets of the next supervisor */

#define CLIENTS_MIN 4u
#define ORIGINS_SHARE 16u /* the minimum fraction of connections that is for origins */
#define FILES_MAX 1024u
#define FILES_MIN 8u
#define FILES_SHARE 16u /* of all descriptors */

size_t machine_cores(void)
{
    cpu_set_t cpus;
    bool known = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0;
    return known ? (size_t)CPU_COUNT(&cpus) : 1;
}

static uint64_t count_key_logs(const Settings *settings)
{
    uint64_t count = 0;
    for (size_t i = 0; i < settings->listener_count; i++) {
        count += settings->listeners[i].tls.key_log_path.len > 0;
    }
    return count;
}

static bool has_connectors(const Settings *settings)
{
    for (size_t i = 0; i < settings->service_count; i++) {
        const ServiceSettings *service = settings->services[i];
        bool any = service->route_count == 0 && service->action.kind == ACTION_PROXY;
        for (size_t k = 0; k < service->route_count && !any; k++) {
            any = service->routes[k].action.kind == ACTION_PROXY;
        }
        if (any) {
            return true;
        }
    }
    return false;
}

static uint32_t files_of_thread(uint64_t limit, unsigned threads)
{
    return (uint32_t)u64_max(u64_min(limit / FILES_SHARE / threads, FILES_MAX), FILES_MIN);
}

/* Connections to origins are pooled, so clients do not need one each. When they do, connections of
 * idle clients are closed (listening_make_room). */
MachineShares machine_shares_of(uint64_t limit, const Settings *settings, unsigned threads)
{
    MachineShares s = {.limit = u64_min(limit, UINT32_MAX)};
    s.files = settings->root_count > 0 ? files_of_thread(s.limit, threads) : 0;
    s.kept = OF_PROCESS + OF_CHANGES + (uint64_t)threads * (OF_THREAD + s.files) +
             settings->listener_count + settings->root_count + count_key_logs(settings);
    uint64_t free = s.limit > s.kept ? s.limit - s.kept : 0;
    s.origins = has_connectors(settings) ? free / ORIGINS_SHARE : 0;
    s.fitting = u64_max(free - s.origins, CLIENTS_MIN);
    uint64_t wanted = settings->system.connections_max;
    s.clients = wanted != 0 ? wanted : s.fitting;
    return s;
}

MachineShares machine_shares(const Settings *settings, unsigned threads)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return machine_shares_of(limit.rlim_cur, settings, threads);
}
