/* summary.h - log lines about what goes wrong, bounded: one a minute for each reason code.
 *
 * Clients decide how often River refuses something, so a line for each refusal would be a way to
 * fill a disk. The first one for a reason is logged at once; those of the minute that follows are
 * counted, and then one line gives their number and an example:
 *
 *     msg="request refused" reason=no-route count=37 what="..." status=404 client=... target=/x
 *
 * Each thread counts its own and keeps one example for each reason; one word per reason, which
 * no good request touches, settles whose turn it is to write. All memory is allocated at the start.
 *
 * Who writes a kept example: the thread's timer (TOKEN_SUMMARY), another thread whose line counts
 * it, or summary_end. */
#ifndef POOL_SUMMARY_H
#define POOL_SUMMARY_H

#include "loop/log.h"
#include "transport/thread.h"

#define SUMMARY_MS 60000u
#define SUMMARY_EXAMPLE_BYTES 1024u

/* Counted apart: a request may succeed after a try that failed, and what a connection's line says
 * (which alert, which certificate) explains many requests. */
typedef enum SummaryKind {
    SUMMARY_REQUEST,
    SUMMARY_TRY,        /* another one follows */
    SUMMARY_CONNECTION, /* a few of these are logged whole before counting begins */
    SUMMARY_KINDS
} SummaryKind;

typedef struct Note {
    SummaryKind kind;
    Fault fault;
    uint64_t times; /* how many happened */
    LogLevel level;
    Str message; /* a literal, as for LOG */
} Note;

/* Notes it; the fields (of the example) are evaluated only if `wanted_level` is logged. */
#define SUMMARY(t, wanted_kind, what, wanted_level, literal, ...)                                  \
    do {                                                                                           \
        if (log_wants(LOG_##wanted_level)) {                                                       \
            const Note note_ = {.kind = SUMMARY_##wanted_kind, .fault = (what), .times = 1,        \
                                .level = LOG_##wanted_level, .message = S_INIT(literal)};          \
            const LogField fields_[] = {__VA_ARGS__};                                              \
            summary_note(t, &note_, fields_, sizeof fields_ / sizeof fields_[0]);                  \
        }                                                                                          \
    } while (0)

/* Before the group's threads run; thread by thread. */
MUST_USE Err summaries_open(Thread *t);
void summaries_close(Thread *t);
/* Logs it, or counts it and keeps its fields as the example. A thread without summaries logs. */
void summary_note(Thread *t, const Note *note, const LogField *fields, size_t count);
/* A minute is over: writes what is due. */
void summary_on_timer(Thread *t);
/* The thread ends: writes what is left. */
void summary_end(Thread *t);

/* How many were noted by all threads, and how many of these the lines have told, for tests. */
uint64_t summary_noted(const ThreadGroup *g, SummaryKind kind, Fault fault);
uint64_t summary_told(const ThreadGroup *g, SummaryKind kind, Fault fault);
/* How many examples the thread keeps, and when it will look at them; for tests. */
uint32_t summary_kept(const Thread *t);
uint64_t summary_due_ms(const Thread *t);

#endif
