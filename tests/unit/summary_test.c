/* summary_test.c - log lines about faults: one a minute for each reason, and none is lost. */
#include "pool/summary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loop/log.h"
#include "proxy/worker.h"
#include "test.h"

typedef struct Site {
    Worker *worker;
    FILE *file;
} Site;

static Site site_open(unsigned threads)
{
    Site s = {.file = tmpfile()};
    const WorkerPlan plan = {.threads = threads, .connections_max = 10};
    EXPECT(worker_build(&plan, &s.worker) == ERR_OK && s.file);
    log_bind_direct(fileno(s.file), LOG_INFO);
    return s;
}

static void site_close(Site *s)
{
    log_bind_direct(-1, LOG_ERROR);
    worker_free(s->worker);
    (void)fclose(s->file);
}

/* The log from its start. */
static Str log_text(const Site *s)
{
    static char bytes[1 << 16];
    ssize_t n = pread(fileno(s->file), bytes, sizeof bytes, 0);
    return str_of(bytes, n > 0 ? (size_t)n : 0);
}

static size_t lines_with(const Site *s, const char *what)
{
    Str text = log_text(s);
    size_t count = 0;
    for (StrCut cut = str_cut(text, '\n'); cut.found; cut = str_cut(cut.tail, '\n')) {
        count += memmem(cut.head.at, cut.head.len, what, strlen(what)) != NULL;
    }
    return count;
}

static void note(const Site *s, unsigned thread, Fault fault, Str target)
{
    SUMMARY(s->worker->group.threads[thread], REQUEST, fault, INFO, "request refused",
            LOG_CUT("target", target, 40));
}

/* Time passes; the timers of all threads that are due run. */
static void pass(const Site *s, uint64_t ms)
{
    for (unsigned i = 0; i < s->worker->group.thread_count; i++) {
        Thread *t = s->worker->group.threads[i];
        Token token;
        t->now_ms += ms;
        wheel_advance(&t->wheel, t->now_ms);
        while (wheel_expired(&t->wheel, &token)) {
            EXPECT(token_kind(token) == TOKEN_SUMMARY);
            summary_on_timer(t);
        }
    }
}

TEST("the first refusal for a reason is logged at once, the others of a minute in one line")
{
    Site s = site_open(1);
    for (unsigned i = 0; i < 100; i++) {
        note(&s, 0, FAULT_NO_ROUTE, i == 0 ? S("/first") : i == 1 ? S("/second") : S("/later"));
    }
    note(&s, 0, FAULT_FILE_MISSING, S("/other"));
    EXPECT_U64(lines_with(&s, "msg=\"request refused\""), 2);
    EXPECT_U64(lines_with(&s, "reason=no-route count=1 what=\"no route matches this path and "
                              "method\" target=/first"), 1);
    EXPECT_U64(lines_with(&s, "reason=file-missing count=1 "), 1);
    pass(&s, SUMMARY_MS - 1);
    EXPECT_U64(lines_with(&s, "msg="), 2);
    pass(&s, 1);
    EXPECT_U64(lines_with(&s, "reason=no-route count=99 "), 1);
    EXPECT_U64(lines_with(&s, "target=/second"), 1);
    EXPECT_U64(lines_with(&s, "msg="), 3);
    EXPECT(summary_due_ms(s.worker->group.threads[0]) == UINT64_MAX);
    pass(&s, 10 * SUMMARY_MS);
    EXPECT_U64(lines_with(&s, "msg="), 3);
    note(&s, 0, FAULT_NO_ROUTE, S("/again"));
    EXPECT_U64(lines_with(&s, "reason=no-route count=1 "), 2);
    site_close(&s);
}

TEST("threads share the line of a minute, and each refusal is in exactly one")
{
    enum { THREADS = 4, MINUTES = 20, EACH = 7 };
    Site s = site_open(THREADS);
    for (unsigned m = 0; m < MINUTES; m++) {
        for (unsigned i = 0; i < THREADS * EACH; i++) {
            note(&s, (i * 7 + m) % THREADS, FAULT_NO_ROUTE, S("/"));
        }
        pass(&s, SUMMARY_MS);
        EXPECT(lines_with(&s, "reason=no-route") <= m + 2);
    }
    pass(&s, SUMMARY_MS);
    const ThreadGroup *g = &s.worker->group;
    EXPECT_U64(summary_noted(g, SUMMARY_REQUEST, FAULT_NO_ROUTE), THREADS * EACH * MINUTES);
    EXPECT_U64(summary_told(g, SUMMARY_REQUEST, FAULT_NO_ROUTE), THREADS * EACH * MINUTES);
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT_U64(summary_kept(g->threads[i]), 0);
    }
    site_close(&s);
}

TEST("the last minute is not lost when the threads end")
{
    Site s = site_open(2);
    for (unsigned i = 0; i < 11; i++) {
        note(&s, i % 2, FAULT_UNKNOWN_HOST, S("/"));
    }
    EXPECT_U64(lines_with(&s, "msg="), 1);
    summary_end(s.worker->group.threads[0]);
    summary_end(s.worker->group.threads[1]);
    EXPECT_U64(lines_with(&s, "reason=unknown-host count=10 "), 1);
    EXPECT_U64(lines_with(&s, "msg="), 2);
    EXPECT_U64(s.worker->group.threads[0]->wheel.armed, 0);
    site_close(&s);
}

TEST("hostile bytes neither break a line nor make it long")
{
    static char long_target[100000];
    for (size_t i = 0; i < sizeof long_target; i++) {
        long_target[i] = (char)(i * 131);
    }
    Site s = site_open(1);
    note(&s, 0, FAULT_NO_ROUTE, S("/\r\nlevel=error \x1b[2J\"\\\xff"));
    for (Fault f = FAULT_HEAD_TIMEOUT; f < FAULT_COUNT; f++) {
        for (unsigned i = 0; i < 2; i++) {
            note(&s, 0, f, str_of(long_target, sizeof long_target));
        }
    }
    pass(&s, SUMMARY_MS);
    Str text = log_text(&s);
    EXPECT_U64(lines_with(&s, "target=\"/\\u000d\\u000alevel=error \\u001b[2J\\\"\\\\...\""), 1);
    EXPECT_U64(lines_with(&s, "time="), lines_with(&s, ""));
    for (StrCut cut = str_cut(text, '\n'); cut.found; cut = str_cut(cut.tail, '\n')) {
        EXPECT(cut.head.len < 400);
        for (size_t i = 0; i < cut.head.len; i++) {
            EXPECT(cut.head.at[i] >= ' ' && cut.head.at[i] < 0x7f);
        }
    }
    site_close(&s);
}

TEST("connections get a few whole lines a minute for each reason")
{
    Site s = site_open(1);
    Thread *t = s.worker->group.threads[0];
    for (unsigned i = 0; i < 1000; i++) {
        SUMMARY(t, CONNECTION, FAULT_TLS_CERTIFICATE, INFO, "TLS handshake failed",
                LOG_CUT("why", S("it has expired"), 40));
    }
    EXPECT_U64(lines_with(&s, "reason=tls-certificate count=1 "), 8);
    pass(&s, SUMMARY_MS);
    EXPECT_U64(lines_with(&s, "reason=tls-certificate count=992 "), 1);
    EXPECT_U64(lines_with(&s, "msg="), 9);
    site_close(&s);
}

TEST("a level that is not logged costs no summary")
{
    Site s = site_open(1);
    log_bind_direct(fileno(s.file), LOG_WARN);
    note(&s, 0, FAULT_NO_ROUTE, S("/"));
    EXPECT_U64(summary_noted(&s.worker->group, SUMMARY_REQUEST, FAULT_NO_ROUTE), 0);
    EXPECT_U64(lines_with(&s, "msg="), 0);
    site_close(&s);
}
