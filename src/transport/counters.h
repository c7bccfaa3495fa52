/* counters.h - the counters of each service and each origin: one table for the counting threads,
 * the status, and the dump to the next worker.
 *
 * Each thread writes its own counters, without contention; readers sum them up. A row has a member,
 * a kind, and its key in status and dump. Keys are an interface and must not change. */
#ifndef TRANSPORT_COUNTERS_H
#define TRANSPORT_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/str.h"

/* A counter with one writer, read by others. */
typedef _Atomic uint64_t Counter;

/* COUNT: a number. ANSWERS: one per first digit of the status, [0] for no answer. TIME: a
 * histogram. */
#define SERVICE_COUNTERS(X)                                                                        \
    X(requests, COUNT, "requests")                                                                 \
    X(answers, ANSWERS, "answers")                                                                 \
    X(bytes_in, COUNT, "bytes_in")                                                                 \
    X(bytes_out, COUNT, "bytes_out")                                                               \
    X(request_time, TIME, "request_time")       /* from the head's first byte to the end */        \
    X(connect_time, TIME, "connect_time")       /* of each try that got a connection */            \
    X(first_byte_time, TIME, "first_byte_time") /* until the origin's first byte */

#define ORIGIN_COUNTERS(X)                                                                         \
    X(requests, COUNT, "requests")                                                                 \
    X(failures, COUNT, "failures") /* tries that ended in a fault of the origin */                 \
    X(opened, COUNT, "opened")     /* connections */                                               \
    X(reused, COUNT, "reused")     /* requests sent over a pooled connection */

/* Upper bounds (exclusive) of a histogram's buckets in milliseconds, OpenTelemetry's defaults; the
 * last bucket is unbounded. */
#define HISTOGRAM_BOUNDS                                                                           \
    {5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
#define HISTOGRAM_BUCKETS 15u
extern const uint32_t histogram_bounds_ms[HISTOGRAM_BUCKETS - 1];

#define COUNTER_WIDTH_COUNT 1
#define COUNTER_WIDTH_ANSWERS 6
#define COUNTER_WIDTH_TIME (HISTOGRAM_BUCKETS + 1) /* the last word is the sum, in microseconds */

#define COUNTER_MEMBER_COUNT(Type, member) Type member;
#define COUNTER_MEMBER_ANSWERS(Type, member) Type member[COUNTER_WIDTH_ANSWERS];
#define COUNTER_MEMBER_TIME(Type, member) Type member[COUNTER_WIDTH_TIME];

/* A thread's counters, and a sum of them, in the same layout. */
#define X(member, kind, key) COUNTER_MEMBER_##kind(Counter, member)
typedef struct ServiceCounters {
    SERVICE_COUNTERS(X)
} ServiceCounters;
typedef struct OriginCounters {
    ORIGIN_COUNTERS(X)
} OriginCounters;
#undef X
#define X(member, kind, key) COUNTER_MEMBER_##kind(uint64_t, member)
typedef struct ServiceSums {
    SERVICE_COUNTERS(X)
} ServiceSums;
typedef struct OriginSums {
    ORIGIN_COUNTERS(X)
} OriginSums;
#undef X

typedef enum CounterKind { COUNTER_COUNT, COUNTER_ANSWERS, COUNTER_TIME } CounterKind;

typedef struct CounterRow {
    Str key;
    CounterKind kind;
    size_t first; /* offset in words */
    size_t width; /* in words */
} CounterRow;

typedef struct CounterTable {
    size_t words; /* of all rows */
    size_t count;
    const CounterRow *rows COUNTED_BY(count);
} CounterTable;

extern const CounterTable service_counters;
extern const CounterTable origin_counters;

static inline void counter_add(Counter *c, uint64_t n)
{
    uint64_t value = atomic_load_explicit(c, memory_order_relaxed);
    atomic_store_explicit(c, value + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const Counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* Adds a time to a histogram (a TIME member). */
static inline void counter_add_time(Counter *histogram, uint64_t us)
{
    unsigned at = 0;
    while (at < HISTOGRAM_BUCKETS - 1 && us >= histogram_bounds_ms[at] * UINT64_C(1000)) {
        at++;
    }
    counter_add(&histogram[at], 1);
    counter_add(&histogram[HISTOGRAM_BUCKETS], us);
}

/* Adds a thread's counters (ServiceCounters or OriginCounters) to a sum of the same table. */
void counters_sum(const CounterTable *table, const void *counters, void *sum);
/* Adds `words` to a row of a thread's counters. */
void counters_add_row(const CounterRow *row, void *counters, const uint64_t *words);
/* A row's words in a sum. */
const uint64_t *counters_row(const CounterRow *row, const void *sum);
/* The row with that key, or NULL. */
const CounterRow *counters_find(const CounterTable *table, Str key);

#endif
