/* stuck_test.c - what the system says of a thread, and when one is stuck. */

#include "app/stuck.h"
#include "base/memory.h"
#include "loop/crash.h"
#include "loop/heartbeat.h"
#include "test.h"

/* ---- the parser ---- */

/* The fields behind the state, up to the ones that count: faults, user time, system time. */
#define NUMBERS(faults, user, kernel) "1 2 3 0 -1 4194624 7 0 " faults " 0 " user " " kernel
#define REST " 0 0 20 0 3 0 12345\n"
#define MAX64 "18446744073709551615"

/* The text in a block of its exact size: a sanitizer sees each read beyond its end. */
static Err parse(Str text, ThreadStat *ret)
{
    uint8_t *bytes = (uint8_t *)memory_new(NULL, text.len + 1);
    Span copy = span_of(bytes + 1, text.len);
    (void)span_copy(copy, text);
    Err err = thread_stat_parse(span_str(copy), ret);
    memory_drop(NULL, bytes, text.len + 1);
    return err;
}

TEST("thread stat: texts that are right, whatever the name is")
{
    static const struct {
        Str text;
        ThreadStat want;
    } rows[] = {
        {S_INIT("7 (river) R " NUMBERS("3", "10", "5") REST), {'R', 3, 15}},
        {S_INIT("7 () S " NUMBERS("0", "0", "0") REST), {'S', 0, 0}},
        {S_INIT("7 (a b) D " NUMBERS("1", "2", "3") REST), {'D', 1, 5}},
        {S_INIT("7 (a) R 1 2 3) S " NUMBERS("1", "2", "3") REST), {'S', 1, 5}},
        {S_INIT("7 ()) T " NUMBERS("1", "2", "3") REST), {'T', 1, 5}},
        {S_INIT("7 (() t " NUMBERS("1", "2", "3") REST), {'t', 1, 5}},
        {S_INIT("7 () ) Z " NUMBERS("1", "2", "3") REST), {'Z', 1, 5}},
        {S_INIT("7 (a\nb) R " NUMBERS("1", "2", "3") REST), {'R', 1, 5}},
        {S_INIT("7 (\xff\x80) R " NUMBERS("1", "2", "3") REST), {'R', 1, 5}},
        {S_INIT("2147483647 (a) R " NUMBERS(MAX64, "0", MAX64) REST),
         {'R', UINT64_MAX, UINT64_MAX}},
        {S_INIT("7 (a) R -1 -2 -3 -4 -5 -6 -7 -8 0 -9 1 2 -3\n"), {'R', 0, 3}},
        {S_INIT("7 (a) R " NUMBERS("0", "1", "2") " \n"), {'R', 0, 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ThreadStat stat = {0};
        EXPECT(parse(rows[i].text, &stat) == ERR_OK);
        EXPECT_U64(stat.state, rows[i].want.state);
        EXPECT_U64(stat.major_faults, rows[i].want.major_faults);
        EXPECT_U64(stat.ticks, rows[i].want.ticks);
    }
}

TEST("thread stat: texts that are wrong")
{
    static const struct {
        Str text;
        Err want;
    } rows[] = {
        {S_INIT(""), ERR_SYNTAX},
        {S_INIT("\n"), ERR_SYNTAX},
        {S_INIT("7\n"), ERR_SYNTAX},
        {S_INIT("7 \n"), ERR_SYNTAX},
        {S_INIT(")\n"), ERR_SYNTAX},
        {S_INIT(" (a) R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("x (a) R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("-7 (a) R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("2147483648 (a) R " NUMBERS("1", "2", "3") REST), ERR_RANGE},
        {S_INIT("7  (a) R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 a) R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a)R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a)  R " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) RR " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) Rx" NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) 1 " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) " NUMBERS("1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a)\n"), ERR_SYNTAX},
        {S_INIT("7 (a) R\n"), ERR_SYNTAX},
        {S_INIT("7 (a) R \n"), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "2", "3")), ERR_SYNTAX},       /* no end of the line */
        {S_INIT("7 (a) R " NUMBERS("1", "2", "3") "\n"), ERR_SYNTAX},  /* nothing follows */
        {S_INIT("7 (a) R " NUMBERS("1", "2", "3x") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "-2", "3") REST), ERR_SYNTAX}, /* no time is negative */
        {S_INIT("7 (a) R " NUMBERS("1", "2", "-3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("-1", "2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "2 ", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "+2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "0x2", "3") REST), ERR_SYNTAX},
        {S_INIT("7 (a) R - 2 3 0 -1 4 5 6 7 8 9 10 11\n"), ERR_SYNTAX},
        {S_INIT("7 (a) R --1 2 3 0 -1 4 5 6 7 8 9 10 11\n"), ERR_SYNTAX},
        {S_INIT("7 (a) R " NUMBERS("1", "18446744073709551616", "3") REST), ERR_RANGE},
        {S_INIT("7 (a) R " NUMBERS("1", "99999999999999999999999999", "3") REST), ERR_RANGE},
        {S_INIT("7 (a) R " NUMBERS("99999999999999999999", "2", "3") REST), ERR_RANGE},
        {S_INIT("7 (a) R " NUMBERS("1", MAX64, "1") REST), ERR_RANGE}, /* their sum */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ThreadStat stat = {.state = '?', .ticks = 42};
        Err err = parse(rows[i].text, &stat);
        EXPECT_U64(err, rows[i].want);
        EXPECT(stat.state == '?' && stat.ticks == 42); /* nothing is written */
    }
}

TEST("thread stat: a text that was cut anywhere is refused")
{
    Str text = S("7 (a) b) R " NUMBERS("3", "10", "5") REST);
    for (size_t n = 0; n < text.len; n++) {
        ThreadStat stat;
        EXPECT(parse(str_take(text, n), &stat) == ERR_SYNTAX);
    }
}

TEST("thread stat: any byte may be another one")
{
    Str text = S("7 (a) R " NUMBERS("3", "10", "5") REST);
    uint8_t bytes[128];
    for (size_t i = 0; i < text.len; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            ThreadStat stat;
            Span changed = span_of(bytes, text.len);
            (void)span_copy(changed, text);
            changed.at[i] = (uint8_t)byte;
            Err err = parse(span_str(changed), &stat);
            EXPECT(err == ERR_OK || err == ERR_SYNTAX || err == ERR_RANGE);
        }
    }
}

/* ---- the decision ---- */

#define RUN 50u /* ticks that a running thread must get */

enum { N = STUCK_NOT, U = STUCK_UNKNOWN, H = STUCK_STARVED, M = STUCK_MAYBE, Y = STUCK_YES };

typedef struct LookRow {
    uint64_t beat; /* odd: within a turn */
    uint8_t state; /* 0: the system says nothing */
    uint64_t ticks;
    uint64_t faults;
    unsigned want;
} LookRow;

#define LOOKS_MAX 16

static const struct {
    const char *what;
    LookRow looks[LOOKS_MAX]; /* up to the first one that is all nought */
} stories[] = {
    {"a thread that sleeps is never asked about",
     {{4, 'S', 0, 0, N}, {4, 'S', 0, 0, N}, {4, 'S', 0, 0, N}, {4, 'R', 900, 0, N}}},
    {"a thread that turns",
     {{5, 'R', 0, 0, N}, {7, 'R', 90, 0, N}, {9, 'R', 200, 0, N}, {11, 'R', 300, 0, N}}},
    {"one that spins: the fifth look after the first sight",
     {{5, 'R', 0, 0, N},
      {5, 'R', 100, 0, M},
      {5, 'R', 300, 0, M},
      {5, 'R', 500, 0, M},
      {5, 'R', 700, 0, M},
      {5, 'R', 900, 0, Y}}},
    {"just enough time each time",
     {{5, 'R', 0, 0, N},
      {5, 'R', 0, 0, M},
      {5, 'R', RUN, 0, M},
      {5, 'R', 2 * RUN, 0, M},
      {5, 'R', 3 * RUN, 0, M},
      {5, 'R', 4 * RUN - 1, 0, H},
      {5, 'R', 4 * RUN, 0, Y}}},
    {"one that gets no processor at all",
     {{5, 'R', 7, 0, N},
      {5, 'R', 7, 0, M},
      {5, 'R', 7, 0, H},
      {5, 'R', 8, 0, H},
      {5, 'R', 9, 0, H},
      {5, 'R', 10, 0, H},
      {5, 'R', 11, 0, H},
      {5, 'R', 12, 0, H},
      {5, 'R', 13, 0, H}}},
    {"little by little it comes to enough, too",
     {{5, 'R', 0, 0, N},
      {5, 'R', 0, 0, M},
      {5, 'R', 30, 0, H},
      {5, 'R', 60, 0, M},
      {5, 'R', 90, 0, H},
      {5, 'R', 120, 0, M},
      {5, 'R', 240, 0, M},
      {5, 'R', 260, 0, H},
      {5, 'R', 300, 0, Y}}},
    {"a clock that goes back is no time",
     {{5, 'R', 90, 0, N}, {5, 'R', 90, 0, M}, {5, 'R', 10, 0, H}, {5, 'R', 139, 0, H}}},
    {"a system call that never returns uses no time",
     {{5, 'S', 0, 0, N},
      {5, 'S', 9, 0, M},
      {5, 'S', 9, 0, M},
      {5, 'D', 9, 0, M},
      {5, 'D', 9, 0, M},
      {5, 'S', 9, 0, Y}}},
    {"a machine that swaps",
     {{5, 'D', 0, 1, N},
      {5, 'D', 0, 3, M},
      {5, 'D', 0, 4, H},
      {5, 'D', 0, 9, H},
      {5, 'D', 0, 11, H},
      {5, 'S', 0, 12, H},
      {5, 'S', 0, 13, H},
      {5, 'S', 0, 13, M}}},
    {"another turn takes everything back",
     {{5, 'R', 0, 0, N},
      {5, 'R', 100, 0, M},
      {5, 'R', 300, 0, M},
      {5, 'R', 500, 0, M},
      {5, 'R', 700, 0, M},
      {7, 'R', 900, 0, N},
      {7, 'R', 999, 0, M}}},
    {"so does sleep, and the same turn number awake is another turn's",
     {{5, 'S', 0, 0, N},
      {5, 'S', 0, 0, M},
      {4, 'S', 0, 0, N},
      {5, 'S', 0, 0, N},
      {5, 'S', 0, 0, M}}},
    {"one that is stopped, traced, dying, or of which nothing is known",
     {{5, 'R', 0, 0, N},
      {5, 'T', 100, 0, U},
      {5, 't', 200, 0, U},
      {5, 'Z', 300, 0, U},
      {5, 0, 0, 0, U},
      {5, 'X', 400, 0, U},
      {5, 'I', 500, 0, U},
      {5, 'r', 600, 0, U}}},
    {"which takes nothing back",
     {{5, 'S', 0, 0, N},
      {5, 'S', 0, 0, M},
      {5, 'T', 0, 0, U},
      {5, 'S', 0, 0, M},
      {5, 0, 0, 0, U},
      {5, 'S', 0, 0, M},
      {5, 'S', 0, 0, M},
      {5, 'S', 0, 0, Y}}},
};

TEST("stuck: what is said of a thread, look by look")
{
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        StuckWatch watch = {0};
        for (size_t k = 0; k < LOOKS_MAX && stories[i].looks[k].beat != 0; k++) {
            const LookRow *look = &stories[i].looks[k];
            ThreadStat stat = {look->state, look->faults, look->ticks};
            unsigned got = stuck_judge(&watch, look->beat, look->state ? &stat : NULL, RUN);
            test_expect_u64(got, look->want, stories[i].what, __FILE__, (int)k);
        }
    }
}

TEST("stuck: the system is asked only of threads that are in the same turn as before")
{
    StuckWatch watch = {.beat = 7};
    EXPECT(stuck_asks(&watch, 7));
    EXPECT(!stuck_asks(&watch, 6));
    EXPECT(!stuck_asks(&watch, 9));
    watch.beat = 6;
    EXPECT(!stuck_asks(&watch, 6));
}

/* ---- the heartbeat ---- */

TEST("heartbeat: a thread rests before its first turn, and each turn is another word")
{
    Heartbeat h = {0};
    StuckWatch watch = {0};
    EXPECT(!stuck_asks(&watch, heartbeat_read(&h)));
    uint64_t before = heartbeat_read(&h);
    for (int i = 0; i < 4; i++) {
        heartbeat_idle(&h);
        EXPECT_U64(heartbeat_read(&h) & HEARTBEAT_IN_TURN, 0);
        heartbeat_idle(&h);
        EXPECT_U64(heartbeat_read(&h) & HEARTBEAT_IN_TURN, 0);
        heartbeat_turn(&h);
        EXPECT(heartbeat_read(&h) & HEARTBEAT_IN_TURN);
        EXPECT(heartbeat_read(&h) != before);
        before = heartbeat_read(&h);
    }
    heartbeat_turn(&h); /* without a rest between, as with a poll that does not wait */
    EXPECT(heartbeat_read(&h) != before && (heartbeat_read(&h) & HEARTBEAT_IN_TURN));
    atomic_store(&h.beat, UINT64_MAX);
    heartbeat_turn(&h);
    EXPECT_U64(heartbeat_read(&h), 1);
}

TEST("heartbeat: each has a cache line of its own, and so has each note")
{
    CrashNotes *notes = NULL;
    EXPECT(crash_open(&notes, NULL) == ERR_OK);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_U64((uintptr_t)&notes->heartbeats[i] % 64, 0);
        EXPECT_U64((uintptr_t)&notes->notes[i] % 64, 0);
    }
    EXPECT_U64(sizeof(Heartbeat), 64);
    EXPECT_U64(sizeof(CrashNote), 64);
    crash_close(notes);
}
