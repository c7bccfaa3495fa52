/* table_builder.h - costly tables of balancing policies, and the thread that builds them.
 *
 * Ketama's ring for 10,000 endpoints has 1.6 million points: the threads of the loop, and the
 * worker's main thread with its channel and heartbeats, have other things to do. One order is under
 * way at a time; who gives it looks now and then whether it is done. */
#ifndef PROXY_TABLE_BUILDER_H
#define PROXY_TABLE_BUILDER_H

#include "proxy/endpoint_set.h"

#define TABLE_BYTES_MAX (256u << 20)

/* A table that sets share, because it cost much. */
struct CostlyTable {
    Blocks blocks; /* its own: it is built on one thread and freed on another */
    Arena arena;
    const void *table;
    uint64_t set;     /* the number of the set that it was built from */
    uint32_t holders; /* sets that use it */
};

typedef struct TableBuilder TableBuilder;

/* Starts the thread, and waits until it has begun. ERR_MEMORY, ERR_SYSTEM. */
MUST_USE Err table_builder_open(TableBuilder **ret);
/* Waits for what is under way; NULL is none. */
void table_builder_close(TableBuilder *b);

/* Orders a table for a set, which must stay until it is done; nothing else is under way. */
void table_builder_order(TableBuilder *b, const EndpointSet *set);
/* Whether the order is done: then *ret is the table, which is the caller's, or NULL if there was no
 * memory. */
bool table_builder_take(TableBuilder *b, CostlyTable **ret);

/* Builds a table at once; NULL when there is no memory. Nobody holds it yet. */
CostlyTable *costly_table_new(const EndpointSet *set);
/* One holder less: the last one frees it. */
void costly_table_release(CostlyTable *t);
/* Frees one that nobody holds; NULL is none. */
void costly_table_drop(CostlyTable *t);

#endif
