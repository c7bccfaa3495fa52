/* counters.h - what is counted for each service and each origin: one table for the threads that
 * count, the status, and the dump to the next worker.
 *
 * Each thread has counters of its own and writes them plainly; who reads sums them up. A row has a
 * member, a kind, and the key under which status and dump know it. Keys are an interface: they
 * stay. */
#ifndef TRANSPORT_COUNTERS_H
#define TRANSPORT_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/str.h"

/* A counter with one writer, read by others. */
typedef _Atomic uint64_t Counter;

/* COUNT: a number. ANSWERS: one for each first digit of a status, [0] for none. TIME: a
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
    X(failures, COUNT, "failures") /* tries that ended in a fault of the origin's */               \
    X(opened, COUNT, "opened")     /* connections */                                               \
    X(reused, COUNT, "reused")     /* requests that went over a pooled connection */

/* Upper bounds (not included) of a histogram's buckets in milliseconds, as OpenTelemetry has them;
 * the last bucket has none. */
#define HISTOGRAM_BOUNDS                                                                           \
    {5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
#define HISTOGRAM_BUCKETS 15u
extern const uint32_t histogram_bounds_ms[HISTOGRAM_BUCKETS - 1];

#define COUNTER_WIDTH_COUNT 1
#define COUNTER_WIDTH_ANSWERS 6
#define COUNTER_WIDTH_TIME (HISTOGRAM_BUCKETS + 1) /* the last one is the sum, in microseconds */

#define COUNTER_MEMBER_COUNT(Type, member) Type member;
#define COUNTER_MEMBER_ANSWERS(Type, member) Type member[COUNTER_WIDTH_ANSWERS];
#define COUNTER_MEMBER_TIME(Type, member) Type member[COUNTER_WIDTH_TIME];

/* As a thread counts, and as a sum: word by word the same. */
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
    size_t first; /* words in front of it */
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

/* Counts a time in a histogram (a TIME member). */
static inline void counter_add_time(Counter *histogram, uint64_t us)
{
    unsigned at = 0;
    while (at < HISTOGRAM_BUCKETS - 1 && us >= histogram_bounds_ms[at] * UINT64_C(1000)) {
        at++;
    }
    counter_add(&histogram[at], 1);
    counter_add(&histogram[HISTOGRAM_BUCKETS], us);
}

/* Adds a thread's counters (a ServiceCounters, or OriginCounters) to a sum of the same table. */
void counters_sum(const CounterTable *table, const void *counters, void *sum);
/* Adds numbers to a row of a thread's counters. */
void counters_add_row(const CounterRow *row, void *counters, const uint64_t *words);
/* The words of a row in a sum. */
const uint64_t *counters_row(const CounterRow *row, const void *sum);
/* The row with that key; NULL: there is none. */
const CounterRow *counters_find(const CounterTable *table, Str key);

#endif
