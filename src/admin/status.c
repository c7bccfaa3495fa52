/* status.c - the two formats of the status. The JSON keys are an interface and must stay. */
#include "admin/status.h"

#include "base/number.h"
#include "loop/quote.h"

#define TABLE_COLUMNS_MAX 8u
#define LINE_COLUMNS 80u

/* ---- JSON ---- */

static void json_key(Text *t, Str key)
{
    quote_json(t, key);
    text_byte(t, ':');
}

/* `"key":n` and a comma. */
static void json_number(Text *t, Str key, uint64_t n)
{
    json_key(t, key);
    text_u64(t, n);
    text_byte(t, ',');
}

static void json_str(Text *t, Str key, Str value)
{
    json_key(t, key);
    quote_json(t, value);
    text_byte(t, ',');
}

/* Closes an object or list, replacing the comma after its last member. */
static void json_end(Text *t, uint8_t bracket)
{
    if (t->len > 0 && !t->overflow && str_at(text_str(t), t->len - 1) == ',') {
        t->len--;
    }
    text_byte(t, bracket);
}

static void json_process(Text *t, const ProcessStatus *p)
{
    text_byte(t, '{');
    json_str(t, S("version"), p->version);
    json_str(t, S("state"), p->state);
    json_number(t, S("supervisor_pid"), p->supervisor_pid);
    json_number(t, S("up_ms"), p->up_ms);
    json_number(t, S("worker_pid"), p->worker_pid);
    json_number(t, S("worker_up_ms"), p->worker_up_ms);
    json_number(t, S("restarts"), p->restarts);
    json_number(t, S("reloads"), p->reloads);
    json_str(t, S("cage"), p->cage);
}

static const Str answer_names[6] = {S_INIT("none"), S_INIT("1xx"), S_INIT("2xx"),
                                    S_INIT("3xx"),  S_INIT("4xx"), S_INIT("5xx")};

static void json_answers(Text *t, const uint64_t *words)
{
    text_byte(t, '{');
    for (size_t i = 0; i < COUNTER_WIDTH_ANSWERS; i++) {
        json_number(t, answer_names[i], words[i]);
    }
    json_end(t, '}');
    text_byte(t, ',');
}

/* The number of times, their sum, and a count per bucket: up to its bound and above the previous
 * one; the bucket "more" has no bound. */
static void json_times(Text *t, const uint64_t *words)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += words[i];
    }
    text_byte(t, '{');
    json_number(t, S("count"), count);
    json_number(t, S("sum_us"), words[HISTOGRAM_BUCKETS]);
    json_key(t, S("ms"));
    text_byte(t, '{');
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        uint8_t room[24];
        Text bound = text_in(span_of(room, sizeof room));
        text_u64(&bound, histogram_bounds_ms[i]);
        json_number(t, text_str(&bound), words[i]);
    }
    json_number(t, S("more"), words[HISTOGRAM_BUCKETS - 1]);
    json_end(t, '}');
    text_byte(t, '}');
    text_byte(t, ',');
}

static void json_sums(Text *t, const CounterTable *table, const void *sums)
{
    for (size_t i = 0; i < table->count; i++) {
        const CounterRow *row = &table->rows[i];
        const uint64_t *words = counters_row(row, sums);
        switch (row->kind) {
        case COUNTER_COUNT:
            json_number(t, row->key, words[0]);
            break;
        case COUNTER_ANSWERS:
            json_key(t, row->key);
            json_answers(t, words);
            break;
        case COUNTER_TIME:
            json_key(t, row->key);
            json_times(t, words);
            break;
        }
    }
}

static const Str state_names[] = {
    [ENDPOINT_UP] = S_INIT("up"),
    [ENDPOINT_DOWN] = S_INIT("down"),
    [ENDPOINT_DRAINING] = S_INIT("draining"),
};

static void json_endpoint(Text *t, const EndpointStatus *e)
{
    text_byte(t, '{');
    json_str(t, S("name"), e->name);
    if (e->route.len > 0) {
        json_str(t, S("route"), e->route);
    }
    json_str(t, S("state"), state_names[e->state]);
    json_number(t, S("weight"), e->weight);
    json_end(t, '}');
}

static void json_service(Text *t, const WorkerStatus *w, const ServiceStatus *s)
{
    text_byte(t, '{');
    json_str(t, S("name"), s->name);
    json_sums(t, &service_counters, &s->sums);
    json_key(t, S("upstreams"));
    text_byte(t, '[');
    for (size_t i = 0; i < s->origin_count; i++) {
        CHECK(s->origins[i] < w->origin_count);
        quote_json(t, w->origins[s->origins[i]].name);
        text_byte(t, ',');
    }
    json_end(t, ']');
    text_byte(t, ',');
    json_key(t, S("endpoints"));
    text_byte(t, '[');
    for (size_t i = 0; i < s->endpoint_count; i++) {
        json_endpoint(t, &s->endpoints[i]);
        text_byte(t, ',');
    }
    json_end(t, ']');
    text_byte(t, '}');
}

static void json_origin(Text *t, const OriginStatus *o)
{
    text_byte(t, '{');
    json_str(t, S("name"), o->name);
    json_sums(t, &origin_counters, &o->sums);
    json_number(t, S("active"), o->active);
    json_number(t, S("idle"), o->idle);
    json_number(t, S("connecting"), o->connecting);
    json_number(t, S("waiting"), o->waiting);
    json_end(t, '}');
}

static void json_lists(Text *t, const WorkerStatus *w)
{
    json_key(t, S("services"));
    text_byte(t, '[');
    for (size_t i = 0; i < w->service_count; i++) {
        json_service(t, w, &w->services[i]);
        text_byte(t, ',');
    }
    json_end(t, ']');
    text_byte(t, ',');
    json_key(t, S("upstreams"));
    text_byte(t, '[');
    for (size_t i = 0; i < w->origin_count; i++) {
        json_origin(t, &w->origins[i]);
        text_byte(t, ',');
    }
    json_end(t, ']');
    text_byte(t, ',');
    json_key(t, S("faults"));
    text_byte(t, '{');
    for (size_t i = 0; i < w->fault_count; i++) {
        json_number(t, w->faults[i].code, w->faults[i].count);
    }
    json_end(t, '}');
}

static void json_worker(Text *t, const WorkerStatus *w)
{
    text_byte(t, '{');
    json_number(t, S("threads"), w->threads);
    json_number(t, S("connections"), w->connections);
    json_number(t, S("accepted"), w->accepted);
    json_number(t, S("refused"), w->refused);
    json_number(t, S("active"), w->active);
    json_number(t, S("requests"), w->requests);
    json_key(t, S("memory"));
    text_byte(t, '{');
    json_number(t, S("used_bytes"), w->memory_used_bytes);
    json_number(t, S("peak_bytes"), w->memory_peak_bytes);
    json_number(t, S("max_bytes"), w->memory_max_bytes);
    json_end(t, '}');
    text_byte(t, ',');
    json_key(t, S("log_lines_dropped"));
    text_byte(t, '{');
    json_number(t, S("access"), w->access_dropped);
    json_number(t, S("error"), w->error_dropped);
    json_end(t, '}');
    text_byte(t, ',');
    json_lists(t, w);
    text_byte(t, '}');
}

/* ---- text ---- */

/* "3 d 4 h", "4 h 12 min", "12 min 5 s" or "5 s". */
static void print_duration(Text *t, uint64_t ms)
{
    uint64_t s = ms / 1000;
    if (s >= 86400) {
        text_format(t, "%llu d %llu h", (unsigned long long)(s / 86400),
                    (unsigned long long)(s / 3600 % 24));
    } else if (s >= 3600) {
        text_format(t, "%llu h %llu min", (unsigned long long)(s / 3600),
                    (unsigned long long)(s / 60 % 60));
    } else if (s >= 60) {
        text_format(t, "%llu min %llu s", (unsigned long long)(s / 60),
                    (unsigned long long)(s % 60));
    } else {
        text_format(t, "%llu s", (unsigned long long)s);
    }
}

/* "12 B", "3.4 KiB", "5.6 MiB" and so on. */
static void print_bytes(Text *t, uint64_t n)
{
    static const Str units[] = {S_INIT("KiB"), S_INIT("MiB"), S_INIT("GiB"), S_INIT("TiB")};
    if (n < 1024) {
        text_format(t, "%llu B", (unsigned long long)n);
        return;
    }
    size_t unit = 0;
    uint64_t scaled = n;
    while (scaled >= UINT64_C(1024) * 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        scaled /= 1024;
        unit++;
    }
    text_format(t, "%llu.%llu %.*s", (unsigned long long)(scaled / 1024),
                (unsigned long long)(scaled % 1024 * 10 / 1024), STR_ARG(units[unit]));
}

/* A comma-separated list, in lines of at most LINE_COLUMNS that begin at column `at`. */
static void print_list(Text *t, Str list, size_t at)
{
    size_t column = at;
    while (list.len > 0) {
        StrCut cut = str_cut(list, ',');
        size_t comma = cut.found ? 1 : 0;
        if (column + cut.head.len + comma > LINE_COLUMNS) {
            text_byte(t, '\n');
            for (column = 1; column < at; column++) {
                text_byte(t, ' ');
            }
            column = at - 1;
        }
        text_add(t, str_take(list, cut.head.len + comma));
        column += cut.head.len + comma;
        list = cut.tail;
    }
}

static void text_process(Text *t, const ProcessStatus *p)
{
    text_format(t, "River %.*s, %.*s for ", STR_ARG(p->version), STR_ARG(p->state));
    print_duration(t, p->up_ms);
    text_format(t, "\n\nsupervisor  pid %llu\n", (unsigned long long)p->supervisor_pid);
    if (p->worker_pid != 0) {
        text_format(t, "worker      pid %llu, for ", (unsigned long long)p->worker_pid);
        print_duration(t, p->worker_up_ms);
        text_format(t, ", %llu restarts, %llu reloads\n", (unsigned long long)p->restarts,
                    (unsigned long long)p->reloads);
        text_add(t, S("cage        "));
        print_list(t, p->cage, sizeof "cage        " - 1);
        text_byte(t, '\n');
    }
}

static void text_summary(Text *t, const WorkerStatus *w)
{
    text_format(t, "threads     %u\n", w->threads);
    text_format(t, "clients     %llu connected, %llu accepted, %llu refused\n",
                (unsigned long long)w->connections, (unsigned long long)w->accepted,
                (unsigned long long)w->refused);
    text_format(t, "requests    %llu under way, %llu in all\n", (unsigned long long)w->active,
                (unsigned long long)w->requests);
    text_add(t, S("memory      "));
    print_bytes(t, w->memory_used_bytes);
    text_add(t, S(" used, "));
    print_bytes(t, w->memory_peak_bytes);
    text_add(t, S(" at most so far, "));
    print_bytes(t, w->memory_max_bytes);
    text_add(t, S(" allowed\n"));
    if (w->access_dropped + w->error_dropped > 0) {
        text_format(t, "log lines   %llu access and %llu error lines dropped\n",
                    (unsigned long long)w->access_dropped, (unsigned long long)w->error_dropped);
    }
}

/* A name, padded to the column where the numbers begin. */
static void print_name(Text *t, Str name, size_t width)
{
    text_add(t, name);
    for (size_t i = name.len; i < width; i++) {
        text_byte(t, ' ');
    }
}

/* A table is gone through twice: its columns are measured, then it is printed, each column as wide
 * as its widest cell. */
typedef struct Table {
    Text *t;
    bool prints;
    size_t name_width; /* of the first column */
    size_t column;
    size_t widths[TABLE_COLUMNS_MAX];
} Table;

static void table_row(Table *b, Str name)
{
    b->column = 0;
    if (b->prints) {
        print_name(b->t, name, b->name_width);
    }
}

static void table_cell(Table *b, Str s)
{
    CHECK(b->column < TABLE_COLUMNS_MAX);
    size_t *width = &b->widths[b->column++];
    *width = size_max(*width, s.len);
    if (b->prints) {
        print_name(b->t, STR_NONE, 1 + *width - s.len);
        text_add(b->t, s);
    }
}

static void table_number(Table *b, uint64_t n)
{
    uint8_t room[24];
    Text digits = text_in(span_of(room, sizeof room));
    text_u64(&digits, n);
    table_cell(b, text_str(&digits));
}

static void table_bytes(Table *b, uint64_t n)
{
    uint8_t room[24];
    Text size = text_in(span_of(room, sizeof room));
    print_bytes(&size, n);
    table_cell(b, text_str(&size));
}

static void table_end(Table *b)
{
    if (b->prints) {
        text_byte(b->t, '\n');
    }
}

static void table_headings(Table *b, const Str *names, size_t count)
{
    if (b->prints) {
        text_byte(b->t, '\n');
    }
    table_row(b, names[0]);
    for (size_t i = 1; i < count; i++) {
        table_cell(b, names[i]);
    }
    table_end(b);
}

static void add_services(Table *b, const WorkerStatus *w)
{
    static const Str names[] = {S_INIT("SERVICE"), S_INIT("REQUESTS"), S_INIT("2xx"),
                                S_INIT("3xx"),     S_INIT("4xx"),      S_INIT("5xx"),
                                S_INIT("IN"),      S_INIT("OUT")};
    table_headings(b, names, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < w->service_count; i++) {
        const ServiceStatus *s = &w->services[i];
        table_row(b, s->name);
        table_number(b, s->sums.requests);
        for (size_t k = 2; k <= 5; k++) {
            table_number(b, s->sums.answers[k]);
        }
        table_bytes(b, s->sums.bytes_in);
        table_bytes(b, s->sums.bytes_out);
        table_end(b);
    }
}

static void add_origins(Table *b, const WorkerStatus *w)
{
    static const Str names[] = {S_INIT("UPSTREAM"),   S_INIT("ACTIVE"),   S_INIT("IDLE"),
                                S_INIT("CONNECTING"), S_INIT("WAITING"),  S_INIT("REQUESTS"),
                                S_INIT("FAILURES"),   S_INIT("OPENED"),   S_INIT("REUSED")};
    if (w->origin_count > 0) {
        table_headings(b, names, sizeof names / sizeof names[0]);
    }
    for (size_t i = 0; i < w->origin_count; i++) {
        const OriginStatus *o = &w->origins[i];
        table_row(b, o->name);
        table_number(b, o->active);
        table_number(b, o->idle);
        table_number(b, o->connecting);
        table_number(b, o->waiting);
        table_number(b, o->sums.requests);
        table_number(b, o->sums.failures);
        table_number(b, o->sums.opened);
        table_number(b, o->sums.reused);
        table_end(b);
    }
}

/* The name of an endpoint's service, and its route. */
static void table_place(Table *b, const ServiceStatus *s, const EndpointStatus *e)
{
    if (b->prints) {
        text_format(b->t, " %.*s%s%.*s", STR_ARG(s->name), e->route.len > 0 ? " " : "",
                    STR_ARG(e->route));
    }
}

/* Endpoints that are not up or have a weight other than 1. */
static void add_endpoints(Table *b, const WorkerStatus *w)
{
    static const Str names[] = {S_INIT("ENDPOINT"), S_INIT("STATE"), S_INIT("WEIGHT"),
                                S_INIT("SERVICE")};
    bool some = false;
    for (size_t i = 0; i < w->service_count; i++) {
        const ServiceStatus *s = &w->services[i];
        for (size_t k = 0; k < s->endpoint_count; k++) {
            const EndpointStatus *e = &s->endpoints[k];
            if (!some) {
                table_headings(b, names, sizeof names / sizeof names[0]);
                some = true;
            }
            table_row(b, e->name);
            table_cell(b, state_names[e->state]);
            table_number(b, e->weight);
            table_place(b, s, e);
            table_end(b);
        }
    }
}

static void print_table(Text *t, const WorkerStatus *w, size_t width,
                        void (*add)(Table *b, const WorkerStatus *w))
{
    Table b = {.t = t, .name_width = width};
    add(&b, w);
    b.prints = true;
    add(&b, w);
}

static void text_worker(Text *t, const WorkerStatus *w)
{
    enum { WIDTH_MIN = 16, WIDTH_MAX = 48 };
    size_t width = WIDTH_MIN;
    for (size_t i = 0; i < w->service_count; i++) {
        width = size_max(width, w->services[i].name.len);
    }
    for (size_t i = 0; i < w->origin_count; i++) {
        width = size_max(width, w->origins[i].name.len);
    }
    width = size_min(width, WIDTH_MAX);
    text_summary(t, w);
    print_table(t, w, width, add_services);
    print_table(t, w, width, add_origins);
    print_table(t, w, width, add_endpoints);
    for (size_t i = 0; i < w->fault_count; i++) {
        text_add(t, i == 0 ? S("\nFAULTS\n") : S(""));
        print_name(t, w->faults[i].code, width);
        text_format(t, " %10llu\n", (unsigned long long)w->faults[i].count);
    }
}

void status_print_process(Text *t, const ProcessStatus *p, bool json)
{
    if (json) {
        json_process(t, p);
    } else {
        text_process(t, p);
    }
}

void status_print_worker(Text *t, const WorkerStatus *w, bool json)
{
    if (json) {
        json_worker(t, w);
    } else {
        text_worker(t, w);
    }
}
