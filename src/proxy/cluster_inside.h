/* cluster_inside.h - internal to clusters: how sets and endpoints are created and freed. */
#ifndef PROXY_CLUSTER_INSIDE_H
#define PROXY_CLUSTER_INSIDE_H

#include "proxy/worker.h"

/* --- sets (endpoint_set.c) --- */

/* An empty set with room for `room` places; complete it with set_finish. ERR_MEMORY. */
MUST_USE Err set_new(Worker *w, const Balancer *balancer, bool hash_source, size_t room,
                     EndpointSet **ret);
/* A copy with room for `more` places, sharing the costly table. */
MUST_USE Err set_copy(Worker *w, const EndpointSet *from, size_t more, EndpointSet **ret);
void set_drop(Worker *w, EndpointSet *s);
/* Makes the set use this costly table. */
void set_use_table(EndpointSet *s, CostlyTable *t);
/* Completes a set once its places are final: computes the takers, and builds the table unless it is
 * a costly one. ERR_MEMORY. */
MUST_USE Err set_finish(EndpointSet *s);
/* Publishes the set; the previous one is retired. Returns that retirement. */
uint64_t set_publish(Worker *w, Cluster *c, EndpointSet *s);
/* Retires the set: no thread finds it from now on. */
uint64_t set_retire(Worker *w, EndpointSet *s);

/* A place for an endpoint, searching from *at: a free one that the table does not assign to another
 * endpoint, or else a new one. */
size_t set_place(EndpointSet *s, size_t *at);

/* --- endpoints (endpoint_node.c) --- */

/* Creates a node; it holds its origin, and the worker owns its name. ERR_FULL, ERR_MEMORY. */
MUST_USE Err node_new(Worker *w, const Endpoint *from, EndpointNode **ret);
void node_drop(Worker *w, EndpointNode *n);
/* No set contains it since that retirement: it is dropped once no request uses it. */
void node_leave(Worker *w, EndpointNode *n, uint64_t retirement);
static inline EndpointNode *node_of(const Endpoint *e)
{
    return (EndpointNode *)(void *)((uintptr_t)e - offsetof(EndpointNode, endpoint));
}

/* --- tables (cluster_tidy.c) --- */

/* The cluster's set has other places or weights than its costly table: queues a new build. */
void cluster_is_stale(Worker *w, Cluster *c, uint64_t now_ms);
/* Takes it out of that queue; a build under way for it is no longer wanted. */
void cluster_is_fresh(Worker *w, Cluster *c);

#endif
