/* dump.c - writes and reads records of state that outlives a worker. */
#include "proxy/dump.h"

#include "base/number.h"
#include "proxy/exchange.h"

#define MAGIC S("RIVERDMP")
#define RECORD_HEAD_BYTES 16u
#define BUCKETS_A_RECORD 2000u
#define NAME_BYTES_MAX 4096u

typedef enum RecordKind {
    RECORD_END,
    RECORD_TOTALS,  /* requests of services that no longer exist; accepted, refused */
    RECORD_FAULT,   /* a code, and its count */
    RECORD_SERVICE_OLD, /* from versions with unnamed counters */
    RECORD_ORIGIN_OLD,
    RECORD_LIMITER, /* key, rule and secret; its buckets follow */
    RECORD_BUCKETS,
    RECORD_TICKETS, /* fingerprint of a listener's TLS, and its keys */
    RECORD_SERVICE, /* name and counters: each a key, a number of words, the words */
    RECORD_ORIGIN   /* the same, by the origin's key */
} RecordKind;

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct Dumper {
    const DumpSink *sink;
    Worker *worker;
    uint64_t now_ms;
    Text out; /* the record under construction */
} Dumper;

static void put_number(Text *t, uint64_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        text_byte(t, (uint8_t)(n >> shift));
    }
}

static void put_str(Text *t, Str s)
{
    put_number(t, s.len);
    text_add(t, s);
}

static void record_begin(Dumper *d, RecordKind kind)
{
    d->out.len = 0;
    put_number(&d->out, kind);
    put_number(&d->out, 0); /* length, filled in later */
}

static Err record_finish(Dumper *d)
{
    CHECK(!d->out.overflow);
    Str all = text_str(&d->out);
    Text length = text_in(span_take(span_drop(d->out.room, 8), 8)); /* in the record's head */
    put_number(&length, all.len - RECORD_HEAD_BYTES);
    return d->sink->write(d->sink->context, all);
}

static Err dump_totals(Dumper *d)
{
    Worker *w = d->worker;
    uint64_t accepted = 0;
    uint64_t refused = 0;
    for (unsigned i = 0; i < w->group.thread_count; i++) {
        accepted += counter_read(&w->group.threads[i]->accepted);
        refused += counter_read(&w->group.threads[i]->refused);
    }
    record_begin(d, RECORD_TOTALS);
    put_number(&d->out, w->requests_gone);
    put_number(&d->out, accepted);
    put_number(&d->out, refused);
    return record_finish(d);
}

static Err dump_faults(Dumper *d)
{
    for (unsigned f = 1; f < FAULT_COUNT; f++) {
        uint64_t count = 0;
        for (unsigned i = 0; i < d->worker->group.thread_count; i++) {
            count += counter_read(&d->worker->group.threads[i]->faults[f]);
        }
        if (count > 0) {
            record_begin(d, RECORD_FAULT);
            put_str(&d->out, fault_row((Fault)f)->code);
            put_number(&d->out, count);
            TRY(record_finish(d));
        }
    }
    return ERR_OK;
}

static Err dump_sums(Dumper *d, RecordKind kind, Str name, const CounterTable *table,
                     const void *sums)
{
    record_begin(d, kind);
    put_str(&d->out, name);
    for (size_t i = 0; i < table->count; i++) {
        const CounterRow *row = &table->rows[i];
        const uint64_t *words = counters_row(row, sums);
        put_str(&d->out, row->key);
        put_number(&d->out, row->width);
        for (size_t k = 0; k < row->width; k++) {
            put_number(&d->out, words[k]);
        }
    }
    return record_finish(d);
}

static Err dump_service(Dumper *d, uint32_t number)
{
    ServiceSums sums = {0};
    for (unsigned i = 0; i < d->worker->group.thread_count; i++) {
        counters_sum(&service_counters, &d->worker->group.threads[i]->services[number], &sums);
    }
    Str name = roster_name(&d->worker->service_names, number);
    return dump_sums(d, RECORD_SERVICE, name, &service_counters, &sums);
}

static Err dump_origin(Dumper *d, uint32_t number)
{
    OriginSums sums = {0};
    for (unsigned i = 0; i < d->worker->group.thread_count; i++) {
        counters_sum(&origin_counters, &d->worker->group.threads[i]->origins[number], &sums);
    }
    Str key = roster_name(&d->worker->origin_names, number);
    return dump_sums(d, RECORD_ORIGIN, key, &origin_counters, &sums);
}

static Err dump_buckets(Dumper *d, const Limiter *l)
{
    size_t at = 0;
    bool more = true;
    while (more) {
        LimiterBucket b;
        size_t count = 0;
        record_begin(d, RECORD_BUCKETS);
        while (count < BUCKETS_A_RECORD && (more = limiter_next(l, d->now_ms, &at, &b))) {
            put_number(&d->out, b.shared);
            put_number(&d->out, b.key);
            put_number(&d->out, b.state);
            count++;
        }
        TRY(count > 0 ? record_finish(d) : ERR_OK);
    }
    return ERR_OK;
}

static Err dump_limiter(Dumper *d, uint32_t number)
{
    const Limiter *l = d->worker->limiters[number];
    const LimiterRule *rule = limiter_rule(l);
    const HashSecret *secret = limiter_secret(l);
    record_begin(d, RECORD_LIMITER);
    put_str(&d->out, roster_name(&d->worker->limiter_names, number));
    put_number(&d->out, rule->tokens);
    put_number(&d->out, rule->refill);
    put_number(&d->out, rule->interval_ms);
    put_number(&d->out, rule->buckets_max);
    put_number(&d->out, secret->words[0]);
    put_number(&d->out, secret->words[1]);
    TRY(record_finish(d));
    return dump_buckets(d, l);
}

/* Writes a record for each held name; skips names that are too long. */
static Err dump_names(Dumper *d, const Roster *r, Err (*one)(Dumper *d, uint32_t number))
{
    for (uint32_t i = 0; i < r->touched; i++) {
        if (roster_is_held(r, i) && roster_name(r, i).len <= NAME_BYTES_MAX) {
            TRY(one(d, i));
        }
    }
    return ERR_OK;
}

/* Listeners that share a server repeat its keys: they are small. */
static Err dump_tickets(Dumper *d)
{
    const Snapshot *s = atomic_load(&d->worker->snapshot);
    for (size_t i = 0; i < s->listener_count; i++) {
        const Listener *l = s->listeners[i];
        if (!l || !l->tls || l->leaving) {
            continue;
        }
        record_begin(d, RECORD_TICKETS);
        put_number(&d->out, l->tls_identity.words[0]);
        put_number(&d->out, l->tls_identity.words[1]);
        tls_server_save_tickets(l->tls, &d->out);
        TRY(record_finish(d));
    }
    return ERR_OK;
}

Err worker_dump(Worker *w, uint64_t now_ms, const DumpSink *sink)
{
    Span room = memory_reserve_span(DUMP_RECORD_BYTES_MAX);
    if (room.len == 0) {
        return ERR_MEMORY;
    }
    Dumper d = {.sink = sink, .worker = w, .now_ms = now_ms, .out = text_in(room)};
    text_add(&d.out, MAGIC);
    put_number(&d.out, DUMP_VERSION);
    put_number(&d.out, now_ms);
    Err err = sink->write(sink->context, text_str(&d.out));
    err = err == ERR_OK ? dump_totals(&d) : err;
    err = err == ERR_OK ? dump_faults(&d) : err;
    err = err == ERR_OK ? dump_names(&d, &w->service_names, dump_service) : err;
    err = err == ERR_OK ? dump_names(&d, &w->origin_names, dump_origin) : err;
    err = err == ERR_OK ? dump_names(&d, &w->limiter_names, dump_limiter) : err;
    err = err == ERR_OK ? dump_tickets(&d) : err;
    if (err == ERR_OK) {
        record_begin(&d, RECORD_END);
        err = record_finish(&d);
    }
    memory_release_span(room);
    return err;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Takes numbers and texts from the front; after a failure all further reads fail. */
typedef struct Reader {
    Str rest;
    bool broken;
} Reader;

static uint64_t get_number(Reader *r)
{
    uint64_t n = 0;
    if (r->rest.len < 8) {
        r->broken = true;
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        n |= (uint64_t)str_at(r->rest, i) << 8 * i;
    }
    r->rest = str_drop(r->rest, 8);
    return n;
}

static Str get_bytes(Reader *r, uint64_t len)
{
    if (r->broken || len > r->rest.len) {
        r->broken = true;
        return STR_NONE;
    }
    Str s = str_take(r->rest, (size_t)len);
    r->rest = str_drop(r->rest, (size_t)len);
    return s;
}

static Str get_str(Reader *r)
{
    return get_bytes(r, get_number(r));
}

/* Takes the next record; false at the end. */
static bool next_record(Reader *r, uint64_t *ret_kind, Reader *ret_record)
{
    *ret_kind = get_number(r);
    *ret_record = (Reader){.rest = get_str(r)};
    return !r->broken && *ret_kind != RECORD_END;
}

static Err look_at_head(Str dump, uint64_t now_ms, Reader *ret)
{
    Reader r = {.rest = str_drop(dump, MAGIC.len)};
    uint64_t version = get_number(&r);
    uint64_t then_ms = get_number(&r);
    if (!str_starts(dump, MAGIC) || r.broken) {
        return ERR_SYNTAX;
    }
    /* A clock that has gone back belongs to another machine, or to an earlier boot. */
    if (version != DUMP_VERSION || then_ms > now_ms) {
        return ERR_UNSUPPORTED;
    }
    *ret = r;
    return ERR_OK;
}

/* Whether all records are present, to the last. */
static bool is_whole(Reader r)
{
    uint64_t kind = 0;
    Reader record;
    while (next_record(&r, &kind, &record)) {
    }
    return !r.broken && r.rest.len == 0;
}

typedef struct Restorer {
    Worker *worker;
    const Snapshot *snapshot;
    Thread *thread; /* receives the counts: only sums over threads matter */
    uint64_t now_ms;
    Limiter *limiter; /* owner of the buckets that follow; NULL: skip them */
} Restorer;

static void restore_totals(Restorer *x, Reader *r)
{
    uint64_t gone = get_number(r);
    uint64_t accepted = get_number(r);
    uint64_t refused = get_number(r);
    if (!r->broken) {
        x->worker->requests_gone += gone;
        counter_add(&x->thread->accepted, accepted);
        counter_add(&x->thread->refused, refused);
    }
}

static void restore_fault(Restorer *x, Reader *r)
{
    Str code = get_str(r);
    uint64_t count = get_number(r);
    for (unsigned f = 1; f < FAULT_COUNT && !r->broken; f++) {
        if (str_equal(fault_row((Fault)f)->code, code)) {
            counter_add(&x->thread->faults[f], count);
        }
    }
}

#define ROW_WORDS_MAX 64u

/* Adds known rows of equal width to `counters` (NULL: drops them). Returns their requests. */
static uint64_t restore_rows(Reader *r, const CounterTable *table, void *counters)
{
    uint64_t requests = 0;
    while (r->rest.len > 0 && !r->broken) {
        Str key = get_str(r);
        uint64_t width = get_number(r);
        uint64_t words[ROW_WORDS_MAX] = {0};
        for (uint64_t i = 0; i < width && !r->broken; i++) {
            uint64_t word = get_number(r);
            words[i < ROW_WORDS_MAX ? i : 0] = word;
        }
        const CounterRow *row = counters_find(table, key);
        if (r->broken || !row || row->width != width) {
            continue;
        }
        requests = str_equal(key, S("requests")) ? words[0] : requests;
        if (counters) {
            counters_add_row(row, counters, words);
        }
    }
    return requests;
}

static void restore_service(Restorer *x, Reader *r)
{
    uint32_t number = 0;
    bool known = roster_find(&x->worker->service_names, get_str(r), &number);
    void *counters = known ? &x->thread->services[number] : NULL;
    uint64_t requests = restore_rows(r, &service_counters, counters);
    x->worker->requests_gone += known ? 0 : requests;
}

static void restore_origin(Restorer *x, Reader *r)
{
    uint32_t number = 0;
    if (roster_find(&x->worker->origin_names, get_str(r), &number)) {
        (void)restore_rows(r, &origin_counters, &x->thread->origins[number]);
    }
}

/* A limiter accepts only buckets of the same rule. */
static void restore_limiter(Restorer *x, Reader *r)
{
    uint32_t number = 0;
    Str key = get_str(r);
    uint64_t words[6];
    for (size_t i = 0; i < 6; i++) {
        words[i] = get_number(r);
    }
    x->limiter = NULL;
    if (r->broken || !roster_find(&x->worker->limiter_names, key, &number)) {
        return;
    }
    Limiter *l = x->worker->limiters[number];
    const LimiterRule *rule = limiter_rule(l);
    if (rule->tokens == words[0] && rule->refill == words[1] && rule->interval_ms == words[2] &&
        rule->buckets_max == words[3]) {
        limiter_restore_secret(l, &(HashSecret){{words[4], words[5]}});
        x->limiter = l;
    }
}

static void restore_buckets(Restorer *x, Reader *r)
{
    while (x->limiter && r->rest.len > 0) {
        LimiterBucket b = {.shared = get_number(r) != 0};
        b.key = get_number(r);
        b.state = get_number(r);
        if (r->broken || limiter_restore(x->limiter, &b, x->now_ms) == ERR_RANGE) {
            return;
        }
    }
}

static void restore_tickets(Restorer *x, Reader *r)
{
    Fingerprint id = {{get_number(r), 0}};
    id.words[1] = get_number(r);
    const Snapshot *s = x->snapshot;
    for (size_t i = 0; !r->broken && i < s->listener_count; i++) {
        const Listener *l = s->listeners[i];
        if (l && l->tls && fingerprint_equal(&l->tls_identity, &id)) {
            (void)!tls_server_restore_tickets(l->tls, r->rest);
        }
    }
}

static void restore_record(Restorer *x, uint64_t kind, Reader *r)
{
    static void (*const by_kind[])(Restorer *x, Reader *r) = {
        [RECORD_TOTALS] = restore_totals,   [RECORD_FAULT] = restore_fault,
        [RECORD_SERVICE] = restore_service, [RECORD_ORIGIN] = restore_origin,
        [RECORD_LIMITER] = restore_limiter, [RECORD_BUCKETS] = restore_buckets,
        [RECORD_TICKETS] = restore_tickets,
    };
    if (kind < sizeof by_kind / sizeof by_kind[0] && by_kind[kind]) {
        by_kind[kind](x, r);
    }
}

Err worker_restore(Worker *w, const Snapshot *first, Str dump, uint64_t now_ms)
{
    Reader r;
    Reader record;
    uint64_t kind = 0;
    TRY(look_at_head(dump, now_ms, &r));
    if (!is_whole(r)) {
        return ERR_SYNTAX;
    }
    Restorer x = {.worker = w, .snapshot = first, .thread = w->group.threads[0], .now_ms = now_ms};
    while (next_record(&r, &kind, &record)) {
        restore_record(&x, kind, &record);
    }
    return ERR_OK;
}
