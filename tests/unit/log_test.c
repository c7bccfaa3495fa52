/* log_test.c - rings, their writer, timestamps and quoting. */
#include "loop/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/crash.h"
#include "loop/quote.h"
#include "loop/timestamp.h"
#include "test.h"

typedef struct Reader {
    char bytes[1 << 20];
    size_t len;
} Reader;

static Reader reader;

/* Everything that comes out of `fd` until its end. */
static Str read_all(int fd)
{
    reader.len = 0;
    ssize_t n;
    while ((n = read(fd, reader.bytes + reader.len, sizeof reader.bytes - reader.len)) > 0) {
        reader.len += (size_t)n;
    }
    return str_of(reader.bytes, reader.len);
}

static size_t count_of(Str text, const char *what)
{
    size_t count = 0;
    size_t len = strlen(what);
    for (size_t i = 0; i + len <= text.len; i++) {
        count += memcmp(text.at + i, what, len) == 0;
    }
    return count;
}

/* The numbers behind each `key`, added up. */
static unsigned long sum_of(Str text, const char *key)
{
    unsigned long sum = 0;
    size_t len = strlen(key);
    for (size_t i = 0; i + len < text.len; i++) {
        if (memcmp(text.at + i, key, len) == 0) {
            sum += strtoul((const char *)text.at + i + len, NULL, 10);
        }
    }
    return sum;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

TEST("timestamps are right at the ends of months, leap days and centuries")
{
    static const struct {
        uint64_t seconds;
        Str text;
        Str combined;
    } rows[] = {
        {0, S_INIT("1970-01-01T00:00:00.042Z"), S_INIT("01/Jan/1970:00:00:00 +0000")},
        {951782399, S_INIT("2000-02-28T23:59:59.042Z"), S_INIT("28/Feb/2000:23:59:59 +0000")},
        {951782400, S_INIT("2000-02-29T00:00:00.042Z"), S_INIT("29/Feb/2000:00:00:00 +0000")},
        {951868800, S_INIT("2000-03-01T00:00:00.042Z"), S_INIT("01/Mar/2000:00:00:00 +0000")},
        {1735689599, S_INIT("2024-12-31T23:59:59.042Z"), S_INIT("31/Dec/2024:23:59:59 +0000")},
        {4107542400, S_INIT("2100-03-01T00:00:00.042Z"), S_INIT("01/Mar/2100:00:00:00 +0000")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[64];
        Text t = text_in(span_of(room, sizeof room));
        timestamp_print(&t, rows[i].seconds * 1000000 + 42999);
        EXPECT_STR(text_str(&t), rows[i].text);
        t = text_in(span_of(room, sizeof room));
        timestamp_print_combined(&t, rows[i].seconds * 1000000);
        EXPECT_STR(text_str(&t), rows[i].combined);
    }
}

TEST("hostile bytes never leave their quotes")
{
    static const struct {
        Str in;
        Str json;
        Str logfmt;
        Str combined;
    } rows[] = {
        {S_INIT("plain"), S_INIT("\"plain\""), S_INIT("plain"), S_INIT("\"plain\"")},
        {S_INIT(""), S_INIT("\"\""), S_INIT("\"\""), S_INIT("\"\"")},
        {S_INIT("a b"), S_INIT("\"a b\""), S_INIT("\"a b\""), S_INIT("\"a b\"")},
        {S_INIT("a=b"), S_INIT("\"a=b\""), S_INIT("\"a=b\""), S_INIT("\"a=b\"")},
        {S_INIT("\"\\"), S_INIT("\"\\\"\\\\\""), S_INIT("\"\\\"\\\\\""), S_INIT("\"\\\"\\\\\"")},
        {S_INIT("x\r\ny"), S_INIT("\"x\\u000d\\u000ay\""), S_INIT("\"x\\u000d\\u000ay\""),
         S_INIT("\"x\\x0d\\x0ay\"")},
        {S_INIT("\x1b[31m"), S_INIT("\"\\u001b[31m\""), S_INIT("\"\\u001b[31m\""),
         S_INIT("\"\\x1b[31m\"")},
        {S_INIT("\x00\x7f\xff"), S_INIT("\"\\u0000\\u007f\\u00ff\""),
         S_INIT("\"\\u0000\\u007f\\u00ff\""), S_INIT("\"\\x00\\x7f\\xff\"")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[64];
        Text t = text_in(span_of(room, sizeof room));
        quote_json(&t, rows[i].in);
        EXPECT_STR(text_str(&t), rows[i].json);
        t = text_in(span_of(room, sizeof room));
        quote_logfmt(&t, rows[i].in);
        EXPECT_STR(text_str(&t), rows[i].logfmt);
        t = text_in(span_of(room, sizeof room));
        quote_combined(&t, rows[i].in);
        EXPECT_STR(text_str(&t), rows[i].combined);
    }
}

TEST("what is UTF-8 is quoted by characters, and what is not by bytes")
{
    static const struct {
        Str in;
        Str json;
    } rows[] = {
        {S_INIT("J\xc3\xbcrgen"), S_INIT("\"J\\u00fcrgen\"")},
        {S_INIT("\xe2\x82\xac"), S_INIT("\"\\u20ac\"")},
        {S_INIT("\xf0\x9f\x94\x91!"), S_INIT("\"\\ud83d\\udd11!\"")},
        {S_INIT("\xc3"), S_INIT("\"\\u00c3\"")},                  /* cut */
        {S_INIT("\xc0\x80"), S_INIT("\"\\u00c0\\u0080\"")},       /* longer than it has to be */
        {S_INIT("\xed\xa0\x80"), S_INIT("\"\\u00ed\\u00a0\\u0080\"")}, /* half of a pair */
        {S_INIT("a\xc3(\"\n"), S_INIT("\"a\\u00c3(\\\"\\u000a\"")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[64];
        Text t = text_in(span_of(room, sizeof room));
        quote_json_text(&t, rows[i].in);
        EXPECT_STR(text_str(&t), rows[i].json);
        t = text_in(span_of(room, sizeof room));
        quote_logfmt_text(&t, rows[i].in);
        EXPECT_STR(text_str(&t), rows[i].json);
    }
}

TEST("events below the level are not logged, and their fields are not evaluated")
{
    int pipes[2];
    EXPECT(pipe(pipes) == 0);
    log_bind_direct(pipes[1], LOG_WARN);
    int evaluated = 0;
    LOG(INFO, "quiet", LOG_U64("n", (uint64_t)++evaluated));
    LOG(WARN, "loud", LOG_U64("n", (uint64_t)++evaluated), LOG_STR("why", S("a \"b\"")));
    LOG(ERROR, "alone");
    log_bind_direct(-1, LOG_ERROR);
    (void)close(pipes[1]);
    Str out = read_all(pipes[0]);
    (void)close(pipes[0]);
    EXPECT_U64(evaluated, 1);
    EXPECT_U64(count_of(out, "quiet"), 0);
    EXPECT_U64(count_of(out, " level=warn msg=loud n=1 why=\"a \\\"b\\\"\"\n"), 1);
    EXPECT_U64(count_of(out, " level=error msg=alone\n"), 1);
    EXPECT_U64(count_of(out, "time=20"), 2);
}

typedef struct Many {
    Log *log;
    unsigned producer;
    unsigned lines;
} Many;

static void *log_many(void *argument)
{
    Many *many = (Many *)argument;
    log_bind(many->log, many->producer);
    for (unsigned i = 0; i < many->lines; i++) {
        uint8_t room[64];
        Text t = text_in(span_of(room, sizeof room));
        text_format(&t, "thread %u line %06u", many->producer, i);
        while (!log_line(LOG_TO_ACCESS, text_str(&t))) {
            sleep_ms(1);
        }
    }
    return NULL;
}

TEST("lines of several threads arrive whole, all of them, each thread's in order")
{
    enum { THREADS = 3, LINES = 5000 };
    char name[] = "/tmp/river-log-XXXXXX";
    int fd = mkstemp(name);
    LogOptions options = {.producers = THREADS, .fds = {-1, dup(fd)}, .ring_bytes = {0, 16384}};
    Log *log = NULL;
    EXPECT(log_start(&options, NULL, &log) == ERR_OK);
    pthread_t threads[THREADS];
    Many many[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        many[i] = (Many){.log = log, .producer = i, .lines = LINES};
        (void)pthread_create(&threads[i], NULL, log_many, &many[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    log_stop(log, 5000);
    (void)lseek(fd, 0, SEEK_SET);
    Str out = read_all(fd);
    (void)close(fd);
    (void)unlink(name);
    unsigned next[THREADS] = {0};
    while (out.len > 0) {
        StrCut cut = str_cut(out, '\n');
        out = cut.tail;
        char line[64] = {0};
        memcpy(line, cut.head.at, cut.head.len < 63 ? cut.head.len : 63);
        unsigned thread = THREADS;
        unsigned number = 0;
        EXPECT(sscanf(line, "thread %u line %u", &thread, &number) == 2 && thread < THREADS);
        if (thread < THREADS) {
            EXPECT_U64(number, next[thread]);
            next[thread] = number + 1;
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT_U64(next[i], LINES);
    }
}

TEST("a reader that never reads costs lines, not time, and the loss is told")
{
    int error[2];
    int access[2];
    EXPECT(pipe(error) == 0 && pipe(access) == 0);
    LogOptions options = {.producers = 1, .fds = {error[1], access[1]}, .ring_bytes = {0, 16384}};
    Log *log = NULL;
    EXPECT(log_start(&options, NULL, &log) == ERR_OK);
    log_bind(log, 0);
    EXPECT(log_has(LOG_TO_ACCESS) && log_has(LOG_TO_ERROR));
    uint64_t start = timestamp_now_us();
    unsigned kept = 0;
    for (unsigned i = 0; i < 20000; i++) {
        kept += log_line(LOG_TO_ACCESS, S("a line that nobody reads, of some length, again"));
    }
    EXPECT(timestamp_now_us() - start < 2000000);
    EXPECT(kept < 20000);
    EXPECT_U64(log_dropped(log, LOG_TO_ACCESS), 20000 - kept);
    log_stop(log, 50);
    EXPECT(!log_has(LOG_TO_ACCESS));
    Str out = read_all(error[0]);
    EXPECT(count_of(out, "level=warn msg=\"log lines dropped\" log=access") >= 1);
    EXPECT_U64(sum_of(out, "lines="), 20000 - kept);
    (void)close(error[0]);
    (void)close(access[0]);
}

TEST("a replaced descriptor gets the lines that come later")
{
    int old[2];
    int new[2];
    EXPECT(pipe(old) == 0 && pipe(new) == 0);
    LogOptions options = {.producers = 1, .fds = {old[1], -1}, .level = LOG_INFO};
    Log *log = NULL;
    EXPECT(log_start(&options, NULL, &log) == ERR_OK);
    log_bind(log, 0);
    LOG(INFO, "first");
    Str out = {0};
    char first[256];
    ssize_t n = read(old[0], first, sizeof first);
    EXPECT(n > 0 && count_of(str_of(first, (size_t)n), "first") == 1);
    log_replace(log, LOG_TO_ERROR, new[1]);
    LOG(INFO, "second");
    log_stop(log, 1000);
    out = read_all(old[0]);
    EXPECT_U64(out.len, 0);
    out = read_all(new[0]);
    EXPECT_U64(count_of(out, "msg=second\n"), 1);
    (void)close(old[0]);
    (void)close(new[0]);
}

TEST("an event that is too long loses its last fields, not its line")
{
    int pipes[2];
    EXPECT(pipe(pipes) == 0);
    static uint8_t big[LOG_LINE_BYTES_MAX];
    span_fill(span_of(big, sizeof big), 'x');
    log_bind_direct(pipes[1], LOG_WARN);
    LOG(WARN, "big", LOG_STR("value", str_of(big, sizeof big)), LOG_U64("n", 1));
    log_bind_direct(-1, LOG_ERROR);
    (void)close(pipes[1]);
    Str out = read_all(pipes[0]);
    (void)close(pipes[0]);
    EXPECT_U64(count_of(out, "msg=big n=1\n"), 1);
}

TEST("crash notes hold a thread's request id, cut to their room")
{
    CrashNotes *before = crash_notes;
    EXPECT(crash_open(&crash_notes, NULL) == ERR_OK);
    Str id = {0};
    uint8_t bytes[CRASH_ID_BYTES_MAX];
    Span room = span_of(bytes, sizeof bytes);
    EXPECT(!crash_read(crash_notes, 0, room, &id));
    crash_note_set(1, S("abc-123"));
    EXPECT(crash_read(crash_notes, 1, room, &id));
    EXPECT_STR(id, S("abc-123"));
    static uint8_t big[100];
    crash_note_set(0, str_of(big, sizeof big));
    EXPECT(crash_read(crash_notes, 0, room, &id) && id.len == CRASH_ID_BYTES_MAX);
    crash_note_clear(1);
    EXPECT(!crash_read(crash_notes, 1, room, &id) && !crash_read(crash_notes, 2, room, &id));
    /* What was read does not change with the notes, whatever length they claim. */
    crash_note_set(3, S("first"));
    EXPECT(crash_read(crash_notes, 3, room, &id));
    crash_note_set(3, S("other"));
    crash_notes->notes[3].len = UINT32_MAX;
    EXPECT_STR(id, S("first"));
    EXPECT(crash_read(crash_notes, 3, room, &id) && id.len == CRASH_ID_BYTES_MAX);
    crash_note_set(7, S("no such thread"));
    crash_close(crash_notes);
    crash_notes = before;
}
