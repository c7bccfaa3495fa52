/* cluster_inside.h - what the files of clusters share: sets and endpoints, their making and their
 * end. */
#ifndef PROXY_CLUSTER_INSIDE_H
#define PROXY_CLUSTER_INSIDE_H

#include "proxy/worker.h"

/* --- sets (endpoint_set.c) --- */

/* An empty set with room for so many places; set_finish makes it whole. ERR_MEMORY. */
MUST_USE Err set_new(Worker *w, const Balancer *balancer, bool hash_source, size_t room,
                     EndpointSet **ret);
/* The same places, with room for more, and the same costly table. */
MUST_USE Err set_copy(Worker *w, const EndpointSet *from, size_t more, EndpointSet **ret);
void set_drop(Worker *w, EndpointSet *s);
/* Its costly table is this one from now on. */
void set_use_table(EndpointSet *s, CostlyTable *t);
/* All places are as they should be: who takes requests, and the table, if it is not a costly one.
 * ERR_MEMORY. */
MUST_USE Err set_finish(EndpointSet *s);
/* Gives it to the threads; the one before is retired. Returns that retirement. */
uint64_t set_publish(Worker *w, Cluster *c, EndpointSet *s);
/* No thread will find it from now on. */
uint64_t set_retire(Worker *w, EndpointSet *s);

/* The place for an endpoint: from *at on one that is free, and that the table does not know as
 * another endpoint's; else a new one. */
size_t set_place(EndpointSet *s, size_t *at);

/* --- endpoints (endpoint_node.c) --- */

/* A fresh one; its origin is held, its name is the worker's. ERR_FULL, ERR_MEMORY. */
MUST_USE Err node_new(Worker *w, const Endpoint *from, EndpointNode **ret);
void node_drop(Worker *w, EndpointNode *n);
/* No set has it any more since that retirement: it is dropped when no request has it. */
void node_leave(Worker *w, EndpointNode *n, uint64_t retirement);
static inline EndpointNode *node_of(const Endpoint *e)
{
    return (EndpointNode *)(void *)((uintptr_t)e - offsetof(EndpointNode, endpoint));
}

/* --- tables (cluster_tidy.c) --- */

/* The cluster's set has other places or weights than its costly table: it waits for another one. */
void cluster_is_stale(Worker *w, Cluster *c, uint64_t now_ms);
/* It waits no more, and what is being built for it is not wanted. */
void cluster_is_fresh(Worker *w, Cluster *c);

#endif
