/* summary.c - who counts, who keeps an example, who writes the line. */
#include "pool/summary.h"

#include "base/number.h"

#define KEYS (SUMMARY_KINDS * (unsigned)FAULT_COUNT)
#define CONNECTION_LINES_MAX 8u /* whole lines of SUMMARY_CONNECTION in a minute, for each reason */

/* One for each key, shared by all threads. */
typedef struct SummaryRow {
    _Atomic uint64_t due_ms; /* the minute of the last line ends */
    _Atomic uint32_t lines;  /* written in this minute */
    _Atomic uint64_t told;   /* how many of those noted are in a line */
} SummaryRow;

struct SummaryTable {
    SummaryRow rows[KEYS];
};

typedef struct Example {
    Str message; /* empty: none is kept */
    LogLevel level;
    size_t len;
    uint8_t bytes[SUMMARY_EXAMPLE_BYTES]; /* printed fields */
} Example;

struct Summaries {
    Timer timer; /* set while examples are kept */
    uint32_t kept_count;
    uint16_t kept[KEYS]; /* the keys of examples */
    Counter noted[KEYS];
    Example examples[KEYS]; /* touched only where one was kept */
};

Err summaries_open(Thread *t)
{
    ThreadGroup *g = t->group;
    if (!g->summaries) {
        g->summaries = (SummaryTable *)memory_reserve(sizeof(SummaryTable));
    }
    t->summaries = (Summaries *)memory_reserve(sizeof(Summaries));
    return g->summaries && t->summaries ? ERR_OK : ERR_MEMORY;
}

void summaries_close(Thread *t)
{
    memory_release(t->summaries, sizeof(Summaries));
    t->summaries = NULL;
    if (t->index == 0) {
        memory_release(t->group->summaries, sizeof(SummaryTable));
        t->group->summaries = NULL;
    }
}

static unsigned key_of(SummaryKind kind, Fault fault)
{
    CHECK(kind < SUMMARY_KINDS && fault < FAULT_COUNT);
    return (unsigned)kind * FAULT_COUNT + (unsigned)fault;
}

static uint64_t noted_sum(const ThreadGroup *g, unsigned key)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < g->thread_count; i++) {
        const Thread *t = g->threads[i];
        sum += t && t->summaries ? counter_read(&t->summaries->noted[key]) : 0;
    }
    return sum;
}

/* Takes those that no line has told yet, and counts them as told. */
static uint64_t take_untold(const ThreadGroup *g, unsigned key)
{
    _Atomic uint64_t *told = &g->summaries->rows[key].told;
    uint64_t sum = noted_sum(g, key);
    uint64_t before = atomic_load(told);
    while (before < sum && !atomic_compare_exchange_weak(told, &before, sum)) {
    }
    return before < sum ? sum - before : 0;
}

/* Whether it is this thread's turn to write the first line of a minute. */
static bool begin_minute(const Thread *t, SummaryRow *row)
{
    uint64_t due_ms = atomic_load(&row->due_ms);
    if (t->now_ms < due_ms ||
        !atomic_compare_exchange_strong(&row->due_ms, &due_ms, t->now_ms + SUMMARY_MS)) {
        return false;
    }
    atomic_store(&row->lines, 1);
    return true;
}

/* Whether a further whole line is allowed in this minute. */
static bool may_add_line(SummaryRow *row, SummaryKind kind)
{
    return kind == SUMMARY_CONNECTION && atomic_load(&row->lines) < CONNECTION_LINES_MAX &&
           atomic_fetch_add(&row->lines, 1) < CONNECTION_LINES_MAX;
}

static void write_line(const Thread *t, unsigned key, LogLevel level, Str message, Str printed)
{
    const FaultRow *row = fault_row((Fault)(key % FAULT_COUNT));
    uint64_t count = take_untold(t->group, key);
    const LogField fields[] = {LOG_STR("msg", message), LOG_STR("reason", row->code),
                               LOG_U64("count", count), LOG_STR("what", row->sentence),
                               {.text = printed}};
    if (count > 0) {
        log_event(level, fields, sizeof fields / sizeof fields[0]);
    }
}

static void timer_until(Thread *t, uint64_t due_ms)
{
    Token token = token_of(TOKEN_SUMMARY, HANDLE_NONE);
    if (due_ms < timer_due_ms(&t->wheel, t->summaries->timer)) {
        CHECK(timer_set(&t->wheel, &t->summaries->timer, due_ms, token) == ERR_OK);
    }
}

static void keep_example(Thread *t, unsigned key, const Note *note, Str printed)
{
    Summaries *s = t->summaries;
    Example *e = &s->examples[key];
    if (e->message.len > 0) {
        return;
    }
    e->message = note->message;
    e->level = note->level;
    e->len = printed.len;
    (void)span_copy(span_of(e->bytes, sizeof e->bytes), printed);
    s->kept[s->kept_count++] = (uint16_t)key;
    timer_until(t, atomic_load(&t->group->summaries->rows[key].due_ms));
}

void summary_note(Thread *t, const Note *note, const LogField *fields, size_t count)
{
    if (!log_wants(note->level)) {
        return;
    }
    uint8_t room[SUMMARY_EXAMPLE_BYTES];
    Text printed = text_in(span_of(room, sizeof room));
    unsigned key = key_of(note->kind, note->fault);
    Summaries *s = t->summaries;
    if (!s) {
        log_print(&printed, fields, count);
        const LogField all[] = {LOG_STR("msg", note->message),
                                LOG_STR("reason", fault_row(note->fault)->code),
                                {.text = text_str(&printed)}};
        log_event(note->level, all, sizeof all / sizeof all[0]);
        return;
    }
    counter_add(&s->noted[key], note->times);
    SummaryRow *row = &t->group->summaries->rows[key];
    bool now = begin_minute(t, row) || may_add_line(row, note->kind);
    if (!now && s->examples[key].message.len > 0) {
        return;
    }
    log_print(&printed, fields, count);
    if (now) {
        write_line(t, key, note->level, note->message, text_str(&printed));
    } else {
        keep_example(t, key, note, text_str(&printed));
    }
}

static void write_example(const Thread *t, unsigned key)
{
    const Example *e = &t->summaries->examples[key];
    write_line(t, key, e->level, e->message, str_of(e->bytes, e->len));
}

/* Whether the example has served: another thread's line has counted it, or its own is written. */
static bool example_is_over(const Thread *t, unsigned key)
{
    SummaryRow *row = &t->group->summaries->rows[key];
    if (noted_sum(t->group, key) <= atomic_load(&row->told)) {
        return true;
    }
    bool turn = begin_minute(t, row);
    if (turn) {
        write_example(t, key);
    }
    return turn;
}

void summary_on_timer(Thread *t)
{
    Summaries *s = t->summaries;
    uint32_t count = s->kept_count;
    s->kept_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned key = s->kept[i];
        if (example_is_over(t, key)) {
            s->examples[key].message = STR_NONE;
            continue;
        }
        s->kept[s->kept_count++] = (uint16_t)key;
        uint64_t due_ms = atomic_load(&t->group->summaries->rows[key].due_ms);
        timer_until(t, u64_max(due_ms, t->now_ms + 1));
    }
}

void summary_end(Thread *t)
{
    Summaries *s = t->summaries;
    if (!s) {
        return;
    }
    for (uint32_t i = 0; i < s->kept_count; i++) {
        write_example(t, s->kept[i]);
        s->examples[s->kept[i]].message = STR_NONE;
    }
    s->kept_count = 0;
    timer_drop(&t->wheel, &s->timer);
}

uint64_t summary_noted(const ThreadGroup *g, SummaryKind kind, Fault fault)
{
    return noted_sum(g, key_of(kind, fault));
}

uint64_t summary_told(const ThreadGroup *g, SummaryKind kind, Fault fault)
{
    return atomic_load(&g->summaries->rows[key_of(kind, fault)].told);
}

uint32_t summary_kept(const Thread *t)
{
    return t->summaries ? t->summaries->kept_count : 0;
}

uint64_t summary_due_ms(const Thread *t)
{
    return t->summaries ? timer_due_ms(&t->wheel, t->summaries->timer) : UINT64_MAX;
}
