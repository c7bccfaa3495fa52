/* snapshot.h - what the configuration has become: immutable services and listeners.
 *
 * Built off the request path (build/build.c) and only read afterwards. A reload makes another
 * snapshot, which shares with the one before it the services that are the same. What changes while
 * River runs (clusters, pools, counters, limiters) is the worker's and named by a number, which
 * stays the same as long as the name does: Service.index names counters. */
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

/* What origins are told about a client's certificate; names in lower case, empty: nothing. */
typedef struct IdentityRules {
    bool any;
    bool certificate; /* Client-Cert (RFC 9440) */
    bool chain;       /* Client-Cert-Chain */
    Str subject;      /* the field that says it */
    Str names;
    Str fingerprint;
} IdentityRules;

/* One spelling for each path, and what is refused on the way (room http: uri_normalize). */
typedef struct Normalization {
    bool paths; /* one of the rules holds */
    UriRules rules;
    bool hosts;     /* what is wrong with Host is answered with `refusal` */
    bool non_ascii; /* field values that are not ASCII are refused */
    Respond refusal;
} Normalization;

typedef struct ServiceLimits {
    HeadLimits head;
    bool head_set; /* the file sets the limit of fields or bytes: `overload_status` answers */
    uint64_t head_timeout_ms;
    uint64_t keep_alive_ms;
    uint64_t body_timeout_ms;
    uint64_t send_timeout_ms;
    uint64_t linger_ms; /* for the rest of a body after an early answer */
    uint64_t tunnel_idle_ms;
    uint64_t stream_idle_ms; /* of bodies that may be quiet (Exchange.streams) */
    uint64_t receive_rate_min; /* bytes a second; 0: none */
    uint64_t send_rate_min;
    uint64_t concurrent_requests_max; /* 0: none */
    uint32_t streams_max; /* of one HTTP/2 connection */
    uint64_t retry_buffer_bytes;
    uint32_t tries_max;
    uint16_t overload_status;
    Str overload_body;
} ServiceLimits;

struct Service {
    Str name;
    uint32_t index; /* of its counters, which outlive it where the next one has its name */
    uint32_t part;  /* where threads count the exchanges that use it: Thread.pins */
    const Hosts *hosts; /* NULL, but where it stands for all services of an address */
    Route route; /* of all requests, where there is no router */
    const Router *router;
    const Respond *no_route; /* the answer to a request that the router has no route for */
    FilterChain chains[STAGE_COUNT];
    ServiceLimits limits;
    Normalization normalization;
    ForwardedRules forwarded;
    IdentityRules identity;
    Str host; /* sent upstream in place of the client's; empty: passed on */
    Str request_id_name; /* lower case */
    FieldId request_id_field;
    bool request_id_accept;
    size_t upgrade_count;
    const Str *upgrades COUNTED_BY(upgrade_count);
    CidrSet proxies;      /* that are trusted: what they say of their clients is believed */
    Str client_ip_name;   /* the field in which they say it, lower case */
    FieldId client_ip_field;
    _Atomic uint32_t *active; /* requests under way, counted only when there is a limit */
};

typedef struct Listener {
    int fd;
    bool leaving; /* it takes nobody any more: who is still there finishes */
    Fingerprint tls_identity; /* of what `tls` was made of */
    Str name;
    const Service *service; /* that of all its requests; or its `hosts` choose among several, and
                             * it stands for all of them: with the strictest of their limits */
    TlsServer *tls; /* NULL: plain */
    bool h2c;     /* plain: HTTP/2 by prior knowledge too */
    bool proxy_protocol; /* each connection begins with a header of the PROXY protocol */
} Listener;

typedef struct Snapshot {
    uint64_t number; /* 1, 2, ... */
    size_t service_count;
    const Service **services COUNTED_BY(service_count);
    size_t listener_count; /* places; a client's is the same in all snapshots */
    const Listener **listeners COUNTED_BY(listener_count); /* NULL: nobody has that place */
} Snapshot;

#endif
