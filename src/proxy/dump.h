/* dump.h - a worker's counters and memory, serialised for the next worker: counters of services and
 * origins, buckets of limiters, keys of TLS tickets.
 *
 * The other worker may have another version and another configuration. A dump begins with
 * "RIVERDMP", a version and the time; records with kind and length follow, and an end record. A
 * dump of another version, or an incomplete one, is rejected as a whole; records of an unknown
 * kind, or for a name that no longer exists, are skipped. Numbers are little-endian. Times are on
 * this machine's monotonic clock. */
#ifndef PROXY_DUMP_H
#define PROXY_DUMP_H

#include "proxy/worker.h"

#define DUMP_VERSION 1u
#define DUMP_RECORD_BYTES_MAX (64u << 10)

/* Receives the bytes, in pieces of at most DUMP_RECORD_BYTES_MAX. */
typedef struct DumpSink {
    void *context;
    Err (*write)(void *context, Str bytes);
} DumpSink;

/* May be called from any thread, while the others work. Errors are the sink's. */
MUST_USE Err worker_dump(Worker *w, uint64_t now_ms, const DumpSink *sink);
/* Restores a dump into a worker that has not started, and will start with this snapshot.
 * ERR_UNSUPPORTED: another version; ERR_SYNTAX: incomplete; in both cases nothing has changed. */
MUST_USE Err worker_restore(Worker *w, const Snapshot *first, Str dump, uint64_t now_ms);

#endif
