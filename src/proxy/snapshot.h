/* snapshot.h - the built configuration: immutable services and listeners.
 *
 * Built off the request path (build/build.c) and only read afterwards. A reload makes another
 * snapshot, which shares unchanged services with the previous one. State that changes while River
 * runs (clusters, pools, counters, limiters) belongs to the worker and is named by a number, which
 * is stable as long as the name exists: Service.index names counters. */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H

#include "base/cidr.h"
#include "http/head.h"
#include "http/uri.h"
#include "net/tls.h"
#include "proxy/endpoint_set.h"
#include "proxy/hosts.h"
#include "proxy/router.h"

#define LISTENER_PLACES_MAX (1u << 16)

typedef struct ForwardedRules {
    bool x_forwarded_for;
    bool x_forwarded_proto;
    bool x_forwarded_host;
    bool x_real_ip;
    bool forwarded;
} ForwardedRules;

/* What origins are told about a client's certificate; field names in lower case, empty: none. */
typedef struct IdentityRules {
    bool any;
    bool certificate; /* Client-Cert (RFC 9440) */
    bool chain;       /* Client-Cert-Chain */
    Str subject;      /* its field */
    Str names;
    Str fingerprint;
} IdentityRules;

typedef struct ServiceLimits {
    HeadLimits head;
    bool head_set; /* the file limits fields or bytes: answer with `overload_status` */
    uint64_t head_timeout_ms;
    uint64_t keep_alive_ms;
    uint64_t body_timeout_ms;
    uint64_t send_timeout_ms;
    uint64_t linger_ms; /* for the rest of a body after an early answer */
    uint64_t tunnel_idle_ms;
    uint64_t stream_idle_ms; /* for bodies that may be silent (Exchange.streams) */
    uint64_t receive_rate_min; /* bytes a second; 0: none */
    uint64_t send_rate_min;
    uint64_t concurrent_requests_max; /* 0: none */
    uint32_t streams_max; /* per HTTP/2 connection */
    uint64_t retry_buffer_bytes;
    uint32_t tries_max;
    uint16_t overload_status;
    Str overload_body;
} ServiceLimits;

struct Service {
    Str name;
    uint32_t index; /* of its counters, which outlive it if the next configuration has its name */
    uint32_t part;  /* counts the exchanges that use it: Thread.pins */
    const Hosts *hosts; /* set only in a stand-in for all services of an address */
    Route route; /* for all requests, if there is no router */
    const Router *router;
    FilterUse secure; /* redirects those who came without TLS; kind NULL: no one */
    size_t page_count;
    const Respond *pages COUNTED_BY(page_count); /* for faults; of a status the first one counts */
    const Respond *no_route; /* answers requests that match no route */
    FilterChain chains[STAGE_COUNT];
    ServiceLimits limits;
    Normalization normalization;
    ForwardedRules forwarded;
    IdentityRules identity;
    Str host; /* sent upstream instead of the client's; empty: passed on */
    Str request_id_name; /* lower case */
    FieldId request_id_field;
    bool request_id_accept;
    size_t upgrade_count;
    const Str *upgrades COUNTED_BY(upgrade_count);
    CidrSet proxies;      /* trusted proxies: what they say of their clients is believed */
    Str client_ip_name;   /* field in which they name the client, in lower case */
    FieldId client_ip_field;
    _Atomic uint32_t *active; /* requests under way, counted only when there is a limit */
};

typedef struct Listener {
    int fd;
    bool leaving; /* accepts no more clients; current ones finish */
    Fingerprint tls_identity; /* what `tls` was made from */
    Str name;
    const Service *service; /* for all its requests; or a stand-in whose `hosts` select one of
                             * several, with the strictest of their limits */
    TlsServer *tls; /* NULL: plain */
    bool h2c;     /* plain: also HTTP/2 by prior knowledge */
    bool proxy_protocol; /* connections begin with a PROXY protocol header */
} Listener;

typedef struct Snapshot {
    uint64_t number; /* 1, 2, ... */
    size_t service_count;
    const Service **services COUNTED_BY(service_count);
    size_t listener_count; /* places; a client's place is the same in all snapshots */
    const Listener **listeners COUNTED_BY(listener_count); /* NULL: the place is unused */
} Snapshot;

#endif
