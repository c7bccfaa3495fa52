/* log.c - the rings and their writer.
 *
 * A ring has one producer (its thread) and one consumer (the writer), so two counters that grow
 * are all its synchronisation: the producer owns `head`, the writer `tail`. Lines are whole between
 * the two. The writer takes the bytes of one ring up to a head that it read once, so lines of
 * different threads never mix.
 *
 * Who wakes the writer: it sleeps for LOG_PAUSE_MS after a round that found something, and without
 * limit after one that found nothing. A producer wakes it only out of the long sleep, or when its
 * ring becomes more than half full. Head and `asleep` are sequentially consistent, so that either
 * the producer sees the sleep or the writer sees the line. */
#include "loop/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/gate.h"
#include "loop/quote.h"
#include "loop/timestamp.h"

#define LOG_PAUSE_MS 5
#define LOG_STUCK_MS 100       /* how often a writer that cannot write looks at `stopping` */
#define LOG_TELL_DROPS_MS 1000 /* how often drops are reported */
#define LOG_PIPE_BYTES 4096u   /* a pipe that polls writable takes that much without blocking */
#define LOG_RING_ACCESS_BYTES (256u << 10)
#define LOG_RING_ERROR_BYTES (64u << 10)

#define CACHE_LINE_BYTES 64

/* Producer and writer each change cache lines of their own. */
typedef struct LogRing {
    Span bytes; /* a power of two; empty: the stream is off */
    uint8_t apart_1[CACHE_LINE_BYTES];
    _Atomic uint64_t head; /* the producer's */
    _Atomic uint64_t dropped;
    uint8_t apart_2[CACHE_LINE_BYTES];
    _Atomic uint64_t tail; /* the writer's */
    uint64_t dropped_told; /* how many drops it has written a line about */
    uint8_t apart_3[CACHE_LINE_BYTES];
} LogRing;

typedef struct LogProducer {
    Log *log;
    LogRing rings[LOG_STREAMS];
} LogProducer;

struct Log {
    Budget *budget;
    LogLevel level;
    unsigned producer_count;
    LogProducer *producers;
    int wake_fd;
    _Atomic bool asleep;   /* the writer waits without limit */
    _Atomic bool hurried;  /* someone has woken it already */
    _Atomic bool stopping;
    _Atomic uint64_t stop_by_ms;
    _Atomic int next_fds[LOG_STREAMS]; /* log_replace's, until the writer takes them; -1: none */
    int fds[LOG_STREAMS];              /* the writer's */
    bool seekable[LOG_STREAMS];        /* regular files never make the writer wait */
    bool torn[LOG_STREAMS];            /* the last line there lacks its end */
    uint64_t told_ms;
    bool beside; /* the writer serves one stream while the other one is stuck */
    Gate gate; /* the writer has begun */
    pthread_t writer;
};

/* What a thread logs to: a ring, or a descriptor, or nothing. */
static _Thread_local LogProducer *bound_producer;
static _Thread_local int bound_fd = -1;
static _Thread_local LogLevel bound_level;

static const Str level_names[] = {S_INIT("error"), S_INIT("warn"), S_INIT("info"),
                                  S_INIT("debug")};

Str log_level_name(LogLevel level)
{
    CHECK((size_t)level < sizeof level_names / sizeof level_names[0]);
    return level_names[level];
}

/* ---- the producer's side ---- */

static void log_wake(Log *log)
{
    if (!atomic_exchange(&log->hurried, true)) {
        uint64_t one = 1;
        (void)!write(log->wake_fd, &one, sizeof one);
    }
}

/* Copies `s` to the ring's position `at`, around the end where it must. */
static uint64_t ring_put(LogRing *ring, uint64_t at, Str s)
{
    size_t offset = (size_t)(at & (ring->bytes.len - 1));
    Span to_end = span_drop(ring->bytes, offset);
    Str head = str_take(s, to_end.len);
    (void)span_copy(to_end, head);
    (void)span_copy(ring->bytes, str_drop(s, head.len));
    return at + s.len;
}

static bool ring_add(Log *log, LogRing *ring, Str line)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint64_t used = head - tail;
    if (line.len >= LOG_LINE_BYTES_MAX || line.len + 1 > ring->bytes.len - used) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return false;
    }
    uint64_t end = ring_put(ring, ring_put(ring, head, line), S("\n"));
    atomic_store(&ring->head, end);
    if (atomic_load(&log->asleep) || end - tail > ring->bytes.len / 2) {
        log_wake(log);
    }
    return true;
}

bool log_has(LogStream stream)
{
    return bound_producer && bound_producer->rings[stream].bytes.len > 0;
}

bool log_line(LogStream stream, Str line)
{
    return log_has(stream) &&
           ring_add(bound_producer->log, &bound_producer->rings[stream], line);
}

bool log_wants(LogLevel level)
{
    if (bound_producer) {
        return level <= bound_producer->log->level && log_has(LOG_TO_ERROR);
    }
    return bound_fd >= 0 && level <= bound_level;
}

/* A line for a thread without a ring. */
static void write_direct(Text *t)
{
    text_byte(t, '\n');
    Str line = text_str(t);
    struct pollfd ready = {.fd = bound_fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT)) {
        (void)!write(bound_fd, line.at, line.len); /* system call */
    }
}

static void print_field(Text *t, const LogField *field)
{
    bool empty = !field->is_number && field->text.len == 0;
    if (empty && (field->room > 0 || field->key.len == 0)) {
        return;
    }
    if (t->len > 0) {
        text_byte(t, ' ');
    }
    if (field->key.len == 0) {
        text_add(t, field->text);
        return;
    }
    text_add(t, field->key);
    text_byte(t, '=');
    if (field->is_number) {
        text_u64(t, field->number);
    } else if (field->room > 0) {
        quote_within(t, quote_logfmt, field->text, field->room);
    } else {
        quote_logfmt(t, field->text);
    }
}

void log_print(Text *t, const LogField *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = t->len;
        print_field(t, &fields[i]);
        if (t->overflow) {
            t->len = before;
            t->overflow = false;
        }
    }
}

static void print_event(Text *t, LogLevel level, const LogField *fields, size_t count)
{
    text_add(t, S("time="));
    timestamp_print(t, timestamp_now_us());
    print_field(t, &(LogField){.key = S_INIT("level"), .text = log_level_name(level)});
    log_print(t, fields, count);
}

void log_event(LogLevel level, const LogField *fields, size_t count)
{
    if (!log_wants(level)) {
        return;
    }
    uint8_t room[LOG_LINE_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room - 1)); /* a byte stays free for the line end */
    print_event(&t, level, fields, count);
    if (bound_producer) {
        (void)log_line(LOG_TO_ERROR, text_str(&t));
    } else {
        t.room = span_of(room, sizeof room);
        write_direct(&t);
    }
}

void log_bind(Log *log, unsigned producer)
{
    CHECK(producer < log->producer_count);
    bound_producer = &log->producers[producer];
}

void log_bind_direct(int fd, LogLevel level)
{
    bound_producer = NULL;
    bound_fd = fd;
    bound_level = level;
}

/* ---- the writer's side ---- */

static bool must_give_up(const Log *log)
{
    return atomic_load(&log->stopping) && clock_ms() >= atomic_load(&log->stop_by_ms);
}

/* Takes a descriptor that log_replace left. Returns whether there was one. */
static bool take_replacement(Log *log, LogStream stream)
{
    int fd = atomic_exchange(&log->next_fds[stream], -1);
    if (fd < 0) {
        return false;
    }
    if (log->fds[stream] >= 0) {
        (void)close(log->fds[stream]);
    }
    log->fds[stream] = fd;
    log->torn[stream] = false;
    struct stat about;
    log->seekable[stream] = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    return true;
}

static void serve_beside(Log *log, LogStream stuck);

/* Waits until something can be written, and serves the other stream meanwhile; false when the
 * writer must give up. */
static bool wait_writable(Log *log, LogStream stream)
{
    for (;;) {
        (void)take_replacement(log, stream);
        struct pollfd ready = {.fd = log->fds[stream], .events = POLLOUT};
        int n = poll(&ready, 1, LOG_STUCK_MS);
        if (n == 1) {
            /* A reader that is gone (POLLERR) cannot be waited for: write fails, and that drops. */
            return true;
        }
        if (must_give_up(log) || log->beside) {
            return false;
        }
        serve_beside(log, stream);
    }
}

/* Ends a line that could be written in part only, so that the next one is on a line of its own. */
static void mend_line(Log *log, LogStream stream)
{
    if (log->torn[stream] && write(log->fds[stream], "\n", 1) == 1) {
        log->torn[stream] = false;
    }
}

static uint64_t count_lines(Str s)
{
    uint64_t count = 0;
    for (StrCut cut = str_cut(s, '\n'); cut.found; cut = str_cut(cut.tail, '\n')) {
        count++;
    }
    return count;
}

/* Writes all of `bytes`, waiting as long as it takes. What cannot be written (a full disk, a reader
 * that has gone) is lost; *ret_lost counts the lines. Returns how many bytes are done with: fewer
 * when the writer gives up. */
static size_t write_all(Log *log, LogStream stream, Str bytes, uint64_t *ret_lost)
{
    Str s = bytes;
    while (s.len > 0) {
        if (!log->seekable[stream] && !wait_writable(log, stream)) {
            return bytes.len - s.len;
        }
        mend_line(log, stream);
        Str piece = log->seekable[stream] ? s : str_take(s, LOG_PIPE_BYTES);
        ssize_t n = write(log->fds[stream], piece.at, piece.len); /* system call */
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n < 0) {
            *ret_lost += count_lines(s);
            size_t written = bytes.len - s.len;
            log->torn[stream] = log->torn[stream] || (written > 0 && bytes.at[written - 1] != '\n');
            break;
        }
        s = str_drop(s, (size_t)n);
    }
    return bytes.len;
}

/* Writes what is in the ring. Returns whether there was anything. */
static bool drain_ring(Log *log, LogRing *ring, LogStream stream)
{
    uint64_t head = atomic_load(&ring->head);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (head == tail) {
        return false;
    }
    size_t offset = (size_t)(tail & (ring->bytes.len - 1));
    size_t len = (size_t)(head - tail);
    Str first = str_take(str_drop(span_str(ring->bytes), offset), len);
    uint64_t lost = 0;
    size_t done = write_all(log, stream, first, &lost);
    if (done == first.len) {
        done += write_all(log, stream, str_take(span_str(ring->bytes), len - first.len), &lost);
    }
    atomic_fetch_add_explicit(&ring->dropped, lost, memory_order_relaxed);
    /* What was not written is tried again, unless there is no time for that any more. */
    uint64_t next = must_give_up(log) ? head : tail + done;
    atomic_store_explicit(&ring->tail, next, memory_order_release);
    return true;
}

static bool drain_all(Log *log)
{
    bool any = false;
    for (unsigned p = 0; p < log->producer_count; p++) {
        for (unsigned s = 0; s < LOG_STREAMS; s++) {
            LogRing *ring = &log->producers[p].rings[s];
            any |= ring->bytes.len > 0 && drain_ring(log, ring, (LogStream)s);
        }
    }
    return any;
}

/* Writes a line about what was dropped since the last one. */
static void tell_drops(Log *log)
{
    static const Str names[LOG_STREAMS] = {S_INIT("error"), S_INIT("access")};
    for (unsigned s = 0; s < LOG_STREAMS; s++) {
        uint64_t count = 0;
        for (unsigned p = 0; p < log->producer_count; p++) {
            LogRing *ring = &log->producers[p].rings[s];
            uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
            count += dropped - ring->dropped_told;
            ring->dropped_told = dropped;
        }
        if (count > 0 && log->fds[LOG_TO_ERROR] >= 0) {
            uint8_t room[256];
            Text t = text_in(span_of(room, sizeof room));
            LogField fields[] = {LOG_STR("msg", S("log lines dropped")), LOG_STR("log", names[s]),
                                 LOG_U64("lines", count)};
            print_event(&t, LOG_WARN, fields, sizeof fields / sizeof fields[0]);
            text_byte(&t, '\n');
            uint64_t lost = 0; /* it is no line of a ring's */
            (void)write_all(log, LOG_TO_ERROR, text_str(&t), &lost);
        }
    }
    log->told_ms = clock_ms();
}

static bool drops_untold(const Log *log)
{
    for (unsigned p = 0; p < log->producer_count; p++) {
        for (unsigned s = 0; s < LOG_STREAMS; s++) {
            const LogRing *ring = &log->producers[p].rings[s];
            if (atomic_load_explicit(&ring->dropped, memory_order_relaxed) != ring->dropped_told) {
                return true;
            }
        }
    }
    return false;
}

/* While no one reads one stream: writes what the other one takes, so that a stuck access log does
 * not silence the error log, which says that lines are being dropped. */
static void serve_beside(Log *log, LogStream stuck)
{
    LogStream other = stuck == LOG_TO_ACCESS ? LOG_TO_ERROR : LOG_TO_ACCESS;
    log->beside = true;
    for (unsigned p = 0; p < log->producer_count; p++) {
        LogRing *ring = &log->producers[p].rings[other];
        (void)(ring->bytes.len > 0 && drain_ring(log, ring, other));
    }
    bool due = clock_ms() - log->told_ms >= LOG_TELL_DROPS_MS;
    if (other == LOG_TO_ERROR && due && drops_untold(log)) {
        tell_drops(log);
    }
    log->beside = false;
}

/* Sleeps for at most `ms` (-1: until woken). */
static void writer_sleep(Log *log, int ms)
{
    struct pollfd wake = {.fd = log->wake_fd, .events = POLLIN};
    if (poll(&wake, 1, ms) == 1) {
        uint64_t count;
        (void)!read(log->wake_fd, &count, sizeof count);
    }
    atomic_store(&log->hurried, false);
}

/* One round; returns how long to sleep after it. */
static int writer_round(Log *log)
{
    for (unsigned s = 0; s < LOG_STREAMS; s++) {
        (void)take_replacement(log, (LogStream)s);
    }
    bool any = drain_all(log);
    bool untold = drops_untold(log);
    if (untold && (clock_ms() - log->told_ms >= LOG_TELL_DROPS_MS || atomic_load(&log->stopping))) {
        tell_drops(log);
        untold = false;
    }
    return any || untold ? LOG_PAUSE_MS : -1;
}

/* Signals are other threads' business; a reader that went away is an error of write, no signal. */
static void block_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        (void)sigdelset(&all, fatal[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void *writer_main(void *argument)
{
    Log *log = (Log *)argument;
    block_signals();
    gate_arrive(&log->gate);
    for (;;) {
        int pause_ms = writer_round(log);
        if (pause_ms < 0) {
            /* Say that we sleep, and look once more: see the top. */
            atomic_store(&log->asleep, true);
            pause_ms = writer_round(log);
        }
        if (atomic_load(&log->stopping)) {
            (void)writer_round(log);
            return NULL;
        }
        writer_sleep(log, pause_ms);
        atomic_store(&log->asleep, false);
    }
}

/* ---- life ---- */

static void log_drop(Log *log)
{
    for (unsigned p = 0; log->producers && p < log->producer_count; p++) {
        for (unsigned s = 0; s < LOG_STREAMS; s++) {
            Span bytes = log->producers[p].rings[s].bytes;
            memory_drop(log->budget, bytes.at, bytes.len); /* system call */
        }
    }
    memory_drop(log->budget, log->producers, log->producer_count * sizeof(LogProducer));
    gate_drop(&log->gate);
    if (log->wake_fd >= 0) {
        (void)close(log->wake_fd);
    }
    memory_drop(log->budget, log, sizeof *log);
}

static Err make_rings(Log *log, const LogOptions *options)
{
    static const size_t defaults[LOG_STREAMS] = {LOG_RING_ERROR_BYTES, LOG_RING_ACCESS_BYTES};
    log->producers =
        (LogProducer *)memory_new(log->budget, options->producers * sizeof(LogProducer));
    if (!log->producers) {
        return ERR_MEMORY;
    }
    log->producer_count = options->producers;
    for (unsigned p = 0; p < log->producer_count; p++) {
        log->producers[p].log = log;
        for (unsigned s = 0; s < LOG_STREAMS; s++) {
            size_t bytes = options->ring_bytes[s] ? options->ring_bytes[s] : defaults[s];
            CHECK((bytes & (bytes - 1)) == 0);
            if (options->fds[s] < 0) {
                continue;
            }
            void *ring = memory_new(log->budget, bytes);
            if (!ring) {
                return ERR_MEMORY;
            }
            log->producers[p].rings[s].bytes = span_of(ring, bytes);
        }
    }
    return ERR_OK;
}

static Err start_writer(Log *log, const LogOptions *options)
{
    TRY(make_rings(log, options));
    log->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (log->wake_fd < 0) {
        return err_from_errno(errno);
    }
    for (unsigned s = 0; s < LOG_STREAMS; s++) {
        atomic_store(&log->next_fds[s], options->fds[s]);
    }
    TRY(err_from_errno(pthread_create(&log->writer, NULL, writer_main, log)));
    /* What a thread asks of the system to begin with, it may not ask later (cage/cage.h). */
    gate_wait(&log->gate, 1);
    return ERR_OK;
}

Err log_start(const LogOptions *options, Budget *budget, Log **ret)
{
    Log *log = (Log *)memory_new(budget, sizeof *log);
    if (!log) {
        return ERR_MEMORY;
    }
    log->budget = budget;
    log->level = options->level;
    log->wake_fd = -1;
    gate_init(&log->gate);
    for (unsigned s = 0; s < LOG_STREAMS; s++) {
        log->fds[s] = -1;
    }
    Err err = start_writer(log, options);
    if (err != ERR_OK) {
        log_drop(log);
        return err;
    }
    *ret = log;
    return ERR_OK;
}

void log_stop(Log *log, uint64_t wait_ms)
{
    if (!log) {
        return;
    }
    atomic_store(&log->stop_by_ms, clock_ms() + wait_ms);
    atomic_store(&log->stopping, true);
    log_wake(log);
    (void)pthread_join(log->writer, NULL);
    for (unsigned s = 0; s < LOG_STREAMS; s++) {
        int fd = atomic_exchange(&log->next_fds[s], -1);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (log->fds[s] >= 0) {
            (void)close(log->fds[s]);
        }
    }
    if (bound_producer && bound_producer->log == log) {
        bound_producer = NULL;
    }
    log_drop(log);
}

void log_replace(Log *log, LogStream stream, int fd)
{
    int unused = atomic_exchange(&log->next_fds[stream], fd);
    if (unused >= 0) {
        (void)close(unused);
    }
    log_wake(log);
}

uint64_t log_dropped(const Log *log, LogStream stream)
{
    uint64_t count = 0;
    for (unsigned p = 0; p < log->producer_count; p++) {
        count += atomic_load_explicit(&log->producers[p].rings[stream].dropped,
                                      memory_order_relaxed);
    }
    return count;
}
