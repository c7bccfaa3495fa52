/* dump_test.c - what a worker hands to the next one: all of it, or nothing, whatever the bytes. */
#include "proxy/dump.h"

#include "test.h"

typedef struct Bytes {
    size_t len;
    uint8_t at[1 << 16];
} Bytes;

static Err keep(void *context, Str bytes)
{
    Bytes *b = (Bytes *)context;
    if (bytes.len > sizeof b->at - b->len) {
        return ERR_FULL;
    }
    span_copy(span_drop(span_of(b->at, sizeof b->at), b->len), bytes);
    b->len += bytes.len;
    return ERR_OK;
}

static const LimiterRule rule = {.tokens = 5, .refill = 1, .interval_ms = 1000, .buckets_max = 100};
static const Snapshot nothing = {.number = 1};

typedef struct One {
    Worker *worker;
    uint32_t service;
    uint32_t limiter;
} One;

static void one_open(One *o, const LimiterRule *r)
{
    WorkerPlan plan = {.threads = 2, .connections_max = 10, .memory_bytes_max = 64u << 20};
    EXPECT(worker_build(&plan, &o->worker) == ERR_OK);
    EXPECT(worker_hold_service(o->worker, S("app"), &o->service) == ERR_OK);
    EXPECT(worker_hold_limiter(o->worker, S("app rule"), r, &o->limiter) == ERR_OK);
    atomic_store(&o->worker->snapshot, &nothing);
}

static uint64_t requests(const One *o)
{
    return counter_read(&o->worker->group.threads[0]->services[o->service].requests) +
           counter_read(&o->worker->group.threads[1]->services[o->service].requests);
}

/* How many tokens a client may still take. */
static unsigned left(const One *o, uint64_t client, uint64_t now_ms)
{
    Limiter *l = o->worker->limiters[o->limiter];
    unsigned n = 0;
    while (n < 100 && limiter_take(l, limiter_key_pair(l, client, 0), now_ms).granted) {
        n++;
    }
    return n;
}

static void take(const One *o, uint64_t client, uint64_t now_ms)
{
    Limiter *l = o->worker->limiters[o->limiter];
    EXPECT(limiter_take(l, limiter_key_pair(l, client, 0), now_ms).granted);
}

static void dump_of(Bytes *b)
{
    One old;
    one_open(&old, &rule);
    counter_add(&old.worker->group.threads[0]->services[old.service].requests, 40);
    counter_add(&old.worker->group.threads[1]->services[old.service].requests, 2);
    counter_add(&old.worker->group.threads[1]->faults[FAULT_RATE_LIMITED], 3);
    ServiceCounters *times = &old.worker->group.threads[0]->services[old.service];
    counter_add_time(times->request_time, 4999);
    counter_add_time(times->request_time, 5000);
    counter_add_time(times->request_time, UINT64_MAX / 2);
    for (uint64_t client = 0; client < 50; client++) {
        take(&old, client, 10000);
        take(&old, client, 10000);
    }
    b->len = 0;
    EXPECT(worker_dump(old.worker, 10100, &(DumpSink){.context = b, .write = keep}) == ERR_OK);
    worker_free(old.worker);
}

static Bytes bytes;

TEST("dump: counters and buckets go on where they were")
{
    One fresh;
    dump_of(&bytes);
    one_open(&fresh, &rule);
    EXPECT(worker_restore(fresh.worker, &nothing, str_of(bytes.at, bytes.len), 10200) == ERR_OK);
    EXPECT_U64(requests(&fresh), 42);
    const Counter *times = fresh.worker->group.threads[0]->services[fresh.service].request_time;
    EXPECT_U64(counter_read(&times[0]), 1); /* below 5 ms */
    EXPECT_U64(counter_read(&times[1]), 1); /* 5 ms, to below 10 */
    EXPECT_U64(counter_read(&times[HISTOGRAM_BUCKETS - 1]), 1);
    EXPECT_U64(counter_read(&times[HISTOGRAM_BUCKETS]), 9999 + UINT64_MAX / 2);
    EXPECT_U64(counter_read(&fresh.worker->group.threads[0]->faults[FAULT_RATE_LIMITED]), 3);
    for (uint64_t client = 0; client < 50; client++) {
        EXPECT_U64(left(&fresh, client, 10200), 3);
    }
    EXPECT_U64(left(&fresh, 99, 10200), 5);
    worker_free(fresh.worker);
}

TEST("dump: a limiter of another rule begins anew")
{
    One fresh;
    LimiterRule other = rule;
    other.tokens = 6;
    dump_of(&bytes);
    one_open(&fresh, &other);
    EXPECT(worker_restore(fresh.worker, &nothing, str_of(bytes.at, bytes.len), 10200) == ERR_OK);
    EXPECT_U64(left(&fresh, 1, 10200), 6);
    worker_free(fresh.worker);
}

TEST("dump: what is cut, of another version or of another clock is not taken at all")
{
    One fresh;
    dump_of(&bytes);
    one_open(&fresh, &rule);
    for (size_t len = 0; len < bytes.len; len++) {
        EXPECT(worker_restore(fresh.worker, &nothing, str_of(bytes.at, len), 10200) == ERR_SYNTAX);
    }
    Str all = str_of(bytes.at, bytes.len);
    EXPECT(worker_restore(fresh.worker, &nothing, all, 10099) == ERR_UNSUPPORTED);
    bytes.at[8]++;
    EXPECT(worker_restore(fresh.worker, &nothing, all, 10200) == ERR_UNSUPPORTED);
    EXPECT_U64(requests(&fresh), 0);
    EXPECT_U64(left(&fresh, 1, 10200), 5);
    worker_free(fresh.worker);
}

TEST("dump: whatever byte is wrong, nobody gets more than the rule gives, and nothing breaks")
{
    for (size_t at = 24; at < 1024; at += 13) {
        One fresh;
        dump_of(&bytes);
        one_open(&fresh, &rule);
        bytes.at[at] ^= 0xff;
        (void)!worker_restore(fresh.worker, &nothing, str_of(bytes.at, bytes.len), 10200);
        EXPECT(left(&fresh, 1, 10200) <= 5);
        worker_free(fresh.worker);
    }
}
