/* stats.c - counts, latencies in each phase, and the report. */
#include <stdarg.h>
#include <string.h>

#include "soak.h"

#define BUCKETS 2048
#define PHASES_MAX 8
#define NAME_BYTES 16
#define SAMPLES_MAX 40
#define SAMPLE_BYTES 200

typedef struct Latency {
    uint64_t count;
    uint64_t max_us;
    uint64_t buckets[BUCKETS];
} Latency;

typedef struct KindStats {
    uint64_t done;
    uint64_t raced;
    uint64_t connections;
    uint64_t idle_closed;
    uint64_t failed[CAUSES];
    Latency phases[PHASES_MAX];
} KindStats;

static KindStats kinds[KINDS];
static char phase_names[PHASES_MAX][NAME_BYTES];
static unsigned phase_count;
static char samples[SAMPLES_MAX][SAMPLE_BYTES]; /* of failures, the first ones */
static unsigned sample_count;
static uint64_t requests;
static uint64_t failures;
static uint64_t started_ns;

static const char *const kind_names[] = {
#define X(name, text) text,
    KIND_TABLE(X)
#undef X
};
static const char *const cause_names[] = {
#define X(name, text) text,
    CAUSE_TABLE(X)
#undef X
};

/* Exact up to 63 us, then with 32 steps for each power of two: never wrong by more than 3 %. */
static unsigned bucket_of(uint64_t us)
{
    if (us < 64) {
        return (unsigned)us;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - 5;
    unsigned bucket = 64 + (shift - 1) * 32 + ((unsigned)(us >> shift) & 31);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The longest time that falls into the bucket. */
static uint64_t bucket_us(unsigned bucket)
{
    if (bucket < 64) {
        return bucket;
    }
    unsigned shift = (bucket - 64) / 32 + 1;
    return (((uint64_t)((bucket - 64) % 32) + 33) << shift) - 1;
}

static uint64_t quantile(const Latency *l, double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += l->buckets[i];
        if (seen > 0 && (double)seen >= (double)l->count * share) {
            uint64_t us = bucket_us(i);
            return us < l->max_us ? us : l->max_us;
        }
    }
    return 0;
}

void stats_done(Kind kind, uint64_t asked_ns)
{
    uint64_t us = (clock_ns() - asked_ns) / 1000;
    Latency *l = &kinds[kind].phases[phase_count - 1];
    l->count++;
    l->max_us = us > l->max_us ? us : l->max_us;
    l->buckets[bucket_of(us)]++;
    kinds[kind].done++;
    requests += kind != KIND_WEBSOCKET;
}

void stats_failed(Kind kind, Cause cause, const char *format, ...)
{
    kinds[kind].failed[cause]++;
    failures++;
    if (sample_count < SAMPLES_MAX) {
        char *sample = samples[sample_count++];
        int n = snprintf(sample, SAMPLE_BYTES, "%.3f s, %s, %s: ",
                         (double)(clock_ns() - started_ns) / 1e9, kind_names[kind],
                         cause_names[cause]);
        va_list list;
        va_start(list, format);
        (void)vsnprintf(sample + n, (size_t)(SAMPLE_BYTES - n), format, list);
        va_end(list);
    }
}

void stats_raced(Kind kind)
{
    kinds[kind].raced++;
}

void stats_connected(Kind kind)
{
    kinds[kind].connections++;
}

void stats_idle_closed(Kind kind)
{
    kinds[kind].idle_closed++;
}

bool stats_phase(const char *name)
{
    if (phase_count == PHASES_MAX || strlen(name) >= NAME_BYTES || strpbrk(name, "\"\\")) {
        return false;
    }
    if (phase_count == 0) {
        started_ns = clock_ns();
    }
    strcpy(phase_names[phase_count++], name);
    return true;
}

uint64_t stats_requests(void)
{
    return requests;
}

uint64_t stats_failures(void)
{
    return failures;
}

/* ---- the report, JSON ---- */

static void report_kind(FILE *to, const KindStats *k, const char *name)
{
    (void)fprintf(to, "\"%s\":{\"done\":%llu,\"raced\":%llu,\"connections\":%llu,", name,
                  (unsigned long long)k->done, (unsigned long long)k->raced,
                  (unsigned long long)k->connections);
    (void)fprintf(to, "\"idle_closed\":%llu,\"failed\":{", (unsigned long long)k->idle_closed);
    for (unsigned i = 0; i < CAUSES; i++) {
        (void)fprintf(to, "%s\"%s\":%llu", i ? "," : "", cause_names[i],
                      (unsigned long long)k->failed[i]);
    }
    (void)fprintf(to, "},\"phases\":{");
    for (unsigned i = 0; i < phase_count; i++) {
        const Latency *l = &k->phases[i];
        (void)fprintf(to,
                      "%s\"%s\":{\"count\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,"
                      "\"p999_us\":%llu,\"max_us\":%llu}",
                      i ? "," : "", phase_names[i], (unsigned long long)l->count,
                      (unsigned long long)quantile(l, 0.5), (unsigned long long)quantile(l, 0.99),
                      (unsigned long long)quantile(l, 0.999), (unsigned long long)l->max_us);
    }
    (void)fprintf(to, "}}");
}

void stats_report(FILE *to)
{
    (void)fprintf(to, "{\"seconds\":%.3f,\"requests\":%llu,\"failures\":%llu,\"kinds\":{",
                  (double)(clock_ns() - started_ns) / 1e9, (unsigned long long)requests,
                  (unsigned long long)failures);
    for (unsigned i = 0; i < KINDS; i++) {
        (void)fprintf(to, i ? "," : "");
        report_kind(to, &kinds[i], kind_names[i]);
    }
    (void)fprintf(to, "},\"samples\":[");
    for (unsigned i = 0; i < sample_count; i++) {
        for (char *c = samples[i]; *c; c++) {
            *c = *c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? '\'' : *c;
        }
        (void)fprintf(to, "%s\"%s\"", i ? "," : "", samples[i]);
    }
    (void)fprintf(to, "]}\n");
}
