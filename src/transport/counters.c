/* counters.c - the tables of counters, and sums over threads (see counters.h). */
#include "transport/counters.h"

const uint32_t histogram_bounds_ms[HISTOGRAM_BUCKETS - 1] = HISTOGRAM_BOUNDS;

#define ROW(Sums, member, kind_, key_)                                                             \
    {.key = S_INIT(key_),                                                                          \
     .kind = COUNTER_##kind_,                                                                      \
     .first = offsetof(Sums, member) / sizeof(uint64_t),                                           \
     .width = COUNTER_WIDTH_##kind_},

static const CounterRow service_rows[] = {
#define X(member, kind, key) ROW(ServiceSums, member, kind, key)
    SERVICE_COUNTERS(X)
#undef X
};
static const CounterRow origin_rows[] = {
#define X(member, kind, key) ROW(OriginSums, member, kind, key)
    ORIGIN_COUNTERS(X)
#undef X
};

_Static_assert(sizeof(ServiceCounters) == sizeof(ServiceSums), "word by word the same");
_Static_assert(sizeof(OriginCounters) == sizeof(OriginSums), "word by word the same");

const CounterTable service_counters = {.words = sizeof(ServiceSums) / sizeof(uint64_t),
                                       .count = sizeof service_rows / sizeof service_rows[0],
                                       .rows = service_rows};
const CounterTable origin_counters = {.words = sizeof(OriginSums) / sizeof(uint64_t),
                                      .count = sizeof origin_rows / sizeof origin_rows[0],
                                      .rows = origin_rows};

void counters_sum(const CounterTable *table, const void *counters, void *sum)
{
    const Counter *from = (const Counter *)counters;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < table->words; i++) {
        to[i] += counter_read(&from[i]);
    }
}

void counters_add_row(const CounterRow *row, void *counters, const uint64_t *words)
{
    Counter *to = (Counter *)counters;
    for (size_t i = 0; i < row->width; i++) {
        counter_add(&to[row->first + i], words[i]);
    }
}

const uint64_t *counters_row(const CounterRow *row, const void *sum)
{
    return (const uint64_t *)sum + row->first;
}

const CounterRow *counters_find(const CounterTable *table, Str key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (str_equal(table->rows[i].key, key)) {
            return &table->rows[i];
        }
    }
    return NULL;
}
