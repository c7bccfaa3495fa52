/* hosts.h - selects one of the services at an address by the host that a request names.
 *
 * Exact names precede wildcards, and longer wildcards precede shorter ones; "*.a.example" matches
 * all names below a.example, at any depth, but not a.example itself. Ports and a trailing dot are
 * ignored. Built once, then read by all threads. */
#ifndef PROXY_HOSTS_H
#define PROXY_HOSTS_H

#include "base/str_map.h"

#define HOST_BYTES_MAX 255u /* of a name (RFC 1035 §2.3.4); longer ones match nothing */

typedef struct Service Service;

/* Maps names to services, by their numbers at the address. */
typedef struct HostNames {
    StrMap table;
    size_t labels_max; /* of the wildcards: longer suffixes are not looked up */
} HostNames;

typedef struct Hosts {
    size_t service_count;
    const Service **services COUNTED_BY(service_count); /* all at the address */
    const Service *otherwise; /* for unknown names; NULL: those are refused */
    const HostNames *names;
} Hosts;

/* An empty table for at most `most` names. ERR_MEMORY only. */
MUST_USE Err host_names_open(Arena *a, size_t most, HostNames *ret);
/* Assigns a name (lower case, without port and brackets), or all names below it, to a service. The
 * first to claim a name keeps it. */
void host_names_add(HostNames *h, Str name, bool below, uint32_t service);

/* The service for an authority, which may be empty, or NULL. */
const Service *hosts_find(const Hosts *h, Str authority);

#endif
