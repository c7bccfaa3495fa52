/* dump.h - what a worker has counted and remembers, as bytes for the worker after it: counters of
 * services and origins, buckets of limiters, keys of TLS tickets.
 *
 * The other worker may be of another version and another configuration. A dump begins with
 * "RIVERDMP", a version and the time; then come records, each with its kind and length, and at the
 * end one that says so. What has another version, or is not whole, is not taken at all; a record of
 * a kind that is not known, or of a name that is not there any more, is left out. Numbers are
 * little-endian. Times are of this machine's monotonic clock. */
#ifndef PROXY_DUMP_H
#define PROXY_DUMP_H

#include "proxy/worker.h"

#define DUMP_VERSION 1u
#define DUMP_RECORD_BYTES_MAX (64u << 10)

/* Where the bytes go, in pieces of at most DUMP_RECORD_BYTES_MAX. */
typedef struct DumpSink {
    void *context;
    Err (*write)(void *context, Str bytes);
} DumpSink;

/* From any thread, while the others work. Errors are the sink's. */
MUST_USE Err worker_dump(Worker *w, uint64_t now_ms, const DumpSink *sink);
/* Into a worker that has not started, and will with this snapshot. ERR_UNSUPPORTED: another
 * version's; ERR_SYNTAX: it is not whole; then nothing has changed. */
MUST_USE Err worker_restore(Worker *w, const Snapshot *first, Str dump, uint64_t now_ms);

#endif
