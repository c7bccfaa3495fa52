/* log.h - how lines leave: a ring per thread, and one writer thread that empties them.
 *
 * A thread that logs copies its line into its own ring and goes on: it never waits and, as long as
 * lines flow, makes no system call. The writer sleeps while nothing is logged and comes back every
 * few milliseconds while something is. A full ring drops whole lines and counts them; the writer
 * says so in the error log. Descriptors may be files, terminals, or pipes that no one reads.
 *
 *     LOG(WARN, "origin refused", LOG_STR("upstream", address), LOG_U64("attempts", 2));
 *     time=2026-11-24T00:06:30.123Z level=warn msg="origin refused" upstream=10.0.0.1:80 attempts=2
 *
 * Only proxy, config and app log. Requests are printed by proxy/access.h. */
#ifndef LOOP_LOG_H
#define LOOP_LOG_H

#include "base/memory.h"
#include "base/text.h"

typedef enum LogLevel { /* what is logged: this level and all above it */
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG
} LogLevel;

typedef enum LogStream {
    LOG_TO_ERROR,
    LOG_TO_ACCESS,
    LOG_STREAMS
} LogStream;

#define LOG_LINE_BYTES_MAX 8192u /* a longer line is dropped, and counted */

typedef struct LogField {
    Str key; /* empty: `text` has been printed already (log_print) */
    bool is_number;
    Str text;
    uint64_t number;
    size_t room; /* not 0: an empty text is left out, a longer one is cut (quote_within) */
} LogField;

#define LOG_STR(name, value) ((LogField){.key = S_INIT(name), .text = (value)})
#define LOG_CUT(name, value, most)                                                                 \
    ((LogField){.key = S_INIT(name), .text = (value), .room = (most)})
#define LOG_U64(name, value)                                                                       \
    ((LogField){.key = S_INIT(name), .is_number = true, .number = (value)})

/* Writes one event of this thread to the error log; the fields are evaluated only when `level` is
 * logged. The message is a literal in lower case, without a full stop, always the same for the same
 * event: what differs goes into fields. */
#define LOG(level, message, ...)                                                                   \
    do {                                                                                           \
        if (log_wants(LOG_##level)) {                                                              \
            const LogField log_fields_[] = {{.key = S_INIT("msg"), .text = S_INIT(message)},       \
                                            ##__VA_ARGS__};                                        \
            log_event(LOG_##level, log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);       \
        }                                                                                          \
    } while (0)

typedef struct Log Log;

typedef struct LogOptions {
    unsigned producers;           /* threads that will log */
    int fds[LOG_STREAMS];         /* taken over; -1: this stream is off */
    size_t ring_bytes[LOG_STREAMS]; /* of each thread, a power of two; 0: a good default */
    LogLevel level;
} LogOptions;

/* Makes the rings and starts the writer. On failure the descriptors stay the caller's. */
MUST_USE Err log_start(const LogOptions *options, Budget *budget, Log **ret);
/* Writes what is still in the rings, for at most `wait_ms`, and ends the writer. Threads that were
 * bound must not log any more. No-op on NULL. */
void log_stop(Log *log, uint64_t wait_ms);
/* From now on lines go to `fd` (taken over); the old descriptor is closed once it is not in use. */
void log_replace(Log *log, LogStream stream, int fd);

/* This thread's lines go through ring `producer` (below `producers`; one thread each). */
void log_bind(Log *log, unsigned producer);
/* This thread has no ring: its events are written at once to `fd` (the caller's), or dropped when
 * that would block. For the supervisor, and for the start before there are rings. */
void log_bind_direct(int fd, LogLevel level);

/* Whether this thread's events of that level are logged; false for a thread that is not bound. */
bool log_wants(LogLevel level);
/* Whether the stream is on, for this thread. */
bool log_has(LogStream stream);
/* Copies a whole line (without its line end) to this thread's ring; false when it was dropped. */
bool log_line(LogStream stream, Str line);
/* What LOG calls; fields[0] is the message. */
void log_event(LogLevel level, const LogField *fields, size_t count);
/* Prints fields as they appear in a line; one that does not fit is left out whole. */
void log_print(Text *t, const LogField *fields, size_t count);

/* Lines dropped since the start, and lines that could not be written (a full disk). */
uint64_t log_dropped(const Log *log, LogStream stream);

/* "error", "warn", "info" or "debug". */
Str log_level_name(LogLevel level);

#endif
