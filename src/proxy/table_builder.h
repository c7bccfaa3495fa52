/* table_builder.h - costly tables of balancing policies, and the thread that builds them.
 *
 * Ketama's ring for 10,000 endpoints has 1.6 million points: too much work for the loop's threads,
 * or for the worker's main thread with its channel and heartbeats. One job runs at a time; the
 * caller polls for its end. */
#ifndef PROXY_TABLE_BUILDER_H
#define PROXY_TABLE_BUILDER_H

#include "proxy/endpoint_set.h"

#define TABLE_BYTES_MAX (256u << 20)

/* A table shared by sets, because it is costly. */
struct CostlyTable {
    Blocks blocks; /* its own, since it is built on one thread and freed on another */
    Arena arena;
    const void *table;
    uint64_t set;     /* number of the set that it was built from */
    uint32_t holders; /* sets that use it */
};

typedef struct TableBuilder TableBuilder;

/* Starts the thread, and waits until it runs. ERR_MEMORY, ERR_SYSTEM. */
MUST_USE Err table_builder_open(TableBuilder **ret);
/* Waits for a running job; no-op on NULL. */
void table_builder_close(TableBuilder *b);

/* Starts a job for a set, which must live until it is done; no other job may be running. */
void table_builder_order(TableBuilder *b, const EndpointSet *set);
/* Whether the job is done: then *ret is the table, now the caller's; NULL: no memory. */
bool table_builder_take(TableBuilder *b, CostlyTable **ret);

/* Builds a table at once, without a holder; NULL: no memory. */
CostlyTable *costly_table_new(const EndpointSet *set);
/* Drops one holder; frees the table if it was the last. */
void costly_table_release(CostlyTable *t);
/* Frees a table without holders; no-op on NULL. */
void costly_table_drop(CostlyTable *t);

#endif
