/* route.h - where a request goes. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "http/uri.h"
#include "proxy/balancer.h"
#include "proxy/filter.h"

/* Path normalisation, and what is refused on the way (proxy/path.h). */
typedef struct Normalization {
    bool unusual; /* `reads` or `non_ascii`: path_screen has to look */
    bool paths;   /* any of the rules applies */
    bool reads;   /* of a service: paths are compared in all of their readings, for `ambiguous` is
                   * set here or a route has rules of its own */
    bool ambiguous; /* refuses a path whose readings lead to different routes */
    UriRules rules;
    bool hosts;     /* answers an invalid Host with `refusal` */
    bool non_ascii; /* refuses field values that are not ASCII */
    Respond refusal;
} Normalization;

/* Another path for the origin (proxy/rewrite.h). Prefixes end without a slash. */
typedef struct Rewrite {
    Str off;      /* taken off the front of the client's path */
    Str on;       /* put there */
    Str path;     /* the whole path, whatever the client's is; empty: none */
    bool answers; /* paths in answers are mapped back */
} Rewrite;

/* Exactly one of the first three is set. */
typedef struct Route {
    Cluster *cluster; /* the worker's: proxy/cluster.h */
    const Respond *respond;
    FilterUse handler; /* a filter that answers in STAGE_REQUEST; kind NULL: none */
    Str path; /* of `routes`, as written; empty: takes all requests of the service */
    const Normalization *normalization; /* its own; NULL: the service's */
    const struct Service *as; /* the service as this route has it, of the same part; NULL: the
                               * service itself */
    const Rewrite *rewrite; /* NULL: the origin gets the client's path */
} Route;

#endif
