/* dump_fuzz.c - what a worker takes over from the one before it, of any bytes: nothing breaks, what
 * is not whole changes nothing, and no bucket gives more than its rule.
 *
 * The input stands behind a head that is right; its first byte says whether a last record is added,
 * so that most inputs are whole where their lengths are. */
#include "proxy/dump.h"

#include "fuzz.h"

#define NOW_MS 5000u
#define ROOM (8u << 10)

static const LimiterRule rule = {.tokens = 3, .refill = 1, .interval_ms = 60000, .buckets_max = 40};
static const Snapshot nothing = {.number = 1};
static Worker *worker;
static uint32_t service;

static void open_worker(void)
{
    uint32_t origin = 0;
    Endpoint e = {.name = S("o"), .weight = 1};
    WorkerPlan plan = {.threads = 1, .connections_max = 4, .memory_bytes_max = 16u << 20};
    MUST(worker_build(&plan, &worker) == ERR_OK);
    MUST(worker_hold_service(worker, S("s"), &service) == ERR_OK);
    MUST(worker_hold_origin(worker, S("o"), &e, &origin) == ERR_OK);
}

static void put(Text *t, uint64_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        text_byte(t, (uint8_t)(n >> shift));
    }
}

static unsigned grants(Limiter *l, uint64_t key)
{
    unsigned n = 0;
    while (n < 100 && limiter_take(l, key, NOW_MS).granted) {
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[ROOM];
    if (size < 1 || size > ROOM - 64) {
        return 0;
    }
    open_worker();
    uint32_t limiter = 0;
    MUST(worker_hold_limiter(worker, S("l"), &rule, &limiter) == ERR_OK);
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, S("RIVERDMP"));
    put(&t, DUMP_VERSION);
    put(&t, 1000);
    text_add(&t, str_of(data + 1, size - 1));
    if (data[0] & 1) {
        put(&t, 0);
        put(&t, 0);
    }
    uint64_t before = counter_read(&worker->group.threads[0]->services[service].requests);
    Err err = worker_restore(worker, &nothing, text_str(&t), NOW_MS);
    MUST(err == ERR_OK || err == ERR_SYNTAX);
    if (err != ERR_OK) {
        MUST(counter_read(&worker->group.threads[0]->services[service].requests) == before);
    }
    Limiter *l = worker->limiters[limiter];
    for (uint64_t key = 0; key < 60; key++) {
        MUST(grants(l, key) <= rule.tokens);
    }
    worker_free(worker);
    return 0;
}
