/* hosts.h - which of the services at one address a request is for, by the host that it names.
 *
 * Exact names go before wildcards, a longer wildcard before a shorter one; "*.a.example" stands for
 * all names below a.example, at any depth, and not for a.example itself. Ports and a dot at the
 * end do not count. Built once, then read by all threads. */
#ifndef PROXY_HOSTS_H
#define PROXY_HOSTS_H

#include "base/str_map.h"

#define HOST_BYTES_MAX 255u /* of a name (RFC 1035 §2.3.4); longer ones are nobody's */

typedef struct Service Service;

/* Which name is whose: the number of a service among those at the address. */
typedef struct HostNames {
    StrMap table;
    size_t labels_max; /* of the wildcards: longer ends of a name are not looked up */
} HostNames;

typedef struct Hosts {
    size_t service_count;
    const Service **services COUNTED_BY(service_count); /* all at the address */
    const Service *otherwise; /* for names that nobody has; NULL: they are refused */
    const HostNames *names;
} Hosts;

/* An empty table for at most `most` names. ERR_MEMORY only. */
MUST_USE Err host_names_open(Arena *a, size_t most, HostNames *ret);
/* Says that a name (lower case, without port and brackets), or all below it, is a service's. The
 * first to say it has it. */
void host_names_add(HostNames *h, Str name, bool below, uint32_t service);

/* The service for an authority, which may be empty; NULL: there is none. */
const Service *hosts_find(const Hosts *h, Str authority);

#endif
