/* route.h - where a request goes. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "proxy/balancer.h"
#include "proxy/filter.h"

/* Exactly one of the three is set. */
typedef struct Route {
    Cluster *cluster; /* the worker's: proxy/cluster.h */
    const Respond *respond;
    FilterUse handler; /* a filter that answers in STAGE_REQUEST; kind NULL: none */
    Str path; /* of `routes`, as written; empty: takes all requests of the service */
} Route;

#endif
