/* route.h - where a request goes. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "proxy/balancer.h"
#include "proxy/filter.h"

/* One of the three holds. */
typedef struct Route {
    Cluster *cluster; /* the worker's: proxy/cluster.h */
    const Respond *respond;
    FilterUse handler; /* a filter that answers in STAGE_REQUEST; its kind is NULL: none */
    Str path; /* of `routes`, as it is written; empty: all requests of the service come here */
} Route;

#endif
