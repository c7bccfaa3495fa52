/* sim.c - trials by the thousand.
 *
 *     sim                    the seeds of `make test`, in two processes (fewer under a sanitizer)
 *     sim SEED [COUNT]       these
 *     sim --shard I/N ...    of those, each N-th from I on
 *     sim --quick ...        makes no failing plan smaller
 *     sim --first ...        stops at the first that fails
 *     sim --trace SEED       prints what the smaller plan does
 *
 * Each batch runs in a process of its own, so that a trial which never ends, or dies, is one that
 * failed. A failing seed prints itself, and its plan made as small as still fails: with fewer
 * clients, faults and asks. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/log.h"
#include "trial.h"

#define BATCH 50u
#define TRIAL_S 15
#define SHRINK_RUNS_MAX 150u
#define FAILURES_MAX 20u

/* Under a sanitizer a trial takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(SANITIZED)
#define SEEDS 600u
#elif defined(__clang__)
#define SEEDS 10000u
#else
#define SEEDS 1000u /* the same code, by another compiler */
#endif
#define HALVES 2u /* at once */

typedef struct Outcome { /* shared with the child that runs */
    uint64_t seed;
    char failure[600];
} Outcome;

typedef struct Job {
    uint64_t first;
    uint64_t count;
    uint64_t step;
    bool shrinks;
    bool traces;
    unsigned failures_max;
} Job;

static Outcome *outcome;
static Trial the_trial;

/* One trial, in this process; it ends the process when it fails. */
static void run_here(const Plan *plan)
{
    memset(&the_trial, 0, sizeof the_trial);
    outcome->seed = plan->seed;
    outcome->failure[0] = '\0';
    struct itimerval limit = {.it_value = {.tv_sec = TRIAL_S}}; /* of processor time */
    (void)setitimer(ITIMER_PROF, &limit, NULL);
    if (!trial_run(&the_trial, plan)) {
        memcpy(outcome->failure, the_trial.failure, sizeof outcome->failure);
        fflush(stdout);
        _exit(1);
    }
}

/* Whether a child ended well; else `failure` says how it did not. */
static bool child_is_good(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        const char *late = "a turn never ends, or the trial does not";
        snprintf(outcome->failure, sizeof outcome->failure, "%s",
                 number == SIGPROF ? late : strsignal(number));
        return false;
    }
    return WEXITSTATUS(status) == 0;
}

static pid_t child_begin(void)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    return child;
}

static bool run_apart(const Plan *plan)
{
    pid_t child = child_begin();
    if (child == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        run_here(plan);
        fflush(stdout);
        _exit(0);
    }
    return child_is_good(child);
}

/* --- making it smaller ----------------------------------------------------------------------- */

/* The i-th way to make a plan smaller; false: there are no more. *ret_same: it changes nothing. */
static bool smaller(Plan *p, unsigned i, bool *ret_same)
{
    if (i < p->fault_count) {
        *ret_same = !p->faults[i].on;
        p->faults[i].on = false;
        return true;
    }
    i -= p->fault_count;
    if (i < 2 * p->client_count) {
        ClientPlan *c = &p->clients[i % p->client_count];
        bool fewer = i >= p->client_count;
        *ret_same = !c->on || (fewer && c->asks == 1);
        c->on = fewer;
        c->asks = fewer ? (c->asks + 1) / 2 : c->asks;
        return true;
    }
    i -= 2 * p->client_count;
    *ret_same = i == 0 ? p->threads == 1 : p->short_one_in == 0;
    p->threads = i == 0 ? 1 : p->threads;
    p->short_one_in = i == 1 ? 0 : p->short_one_in;
    return i < 2;
}

/* Whether two failures are of one kind: the same words, whatever the numbers. */
static bool is_alike(const char *a, const char *b)
{
    for (unsigned i = 0; i < 60; i++) {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (*a != *b) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
    return true;
}

static void shrink(Plan *plan)
{
    unsigned runs = 0;
    bool less = true;
    char failure[sizeof outcome->failure];
    memcpy(failure, outcome->failure, sizeof failure);
    while (less) {
        less = false;
        Plan tried = *plan;
        bool same = true;
        for (unsigned i = 0; smaller(&tried, i, &same) && runs < SHRINK_RUNS_MAX; i++) {
            if (!same) {
                runs++;
                if (!run_apart(&tried) && is_alike(failure, outcome->failure)) {
                    *plan = tried;
                    memcpy(failure, outcome->failure, sizeof failure);
                    less = true;
                }
            }
            tried = *plan;
        }
    }
    memcpy(outcome->failure, failure, sizeof failure);
}

static void report(uint64_t seed, const Job *job)
{
    Plan plan;
    plan_make(&plan, seed);
    printf("  seed %llu: %s\n", (unsigned long long)seed, outcome->failure);
    if (job->shrinks) {
        shrink(&plan);
        printf("    made smaller: %s\n", outcome->failure);
        plan_print(&plan);
    }
    if (job->traces) {
        lan_traces = true;
        (void)run_apart(&plan);
        lan_traces = false;
    }
    fflush(stdout);
}

/* --- batches --------------------------------------------------------------------------------- */


/* Runs seeds from `at` on until one fails, or the batch is over; returns how many were good. */
static uint64_t batch(const Job *job, uint64_t at, bool *ret_failed)
{
    uint64_t n = job->count - at < BATCH ? job->count - at : BATCH;
    pid_t child = child_begin();
    if (child == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        for (uint64_t i = at; i < at + n; i++) {
            Plan plan;
            plan_make(&plan, job->first + i * job->step);
            run_here(&plan);
        }
        _exit(0);
    }
    *ret_failed = !child_is_good(child);
    return *ret_failed ? (outcome->seed - job->first) / job->step - at : n;
}

/* What has passed and failed, shared by all processes. */
typedef struct Sum {
    unsigned long passed;
    unsigned long failed;
} Sum;

static void *shared_new(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static void job_run(const Job *job, Sum *sum)
{
    outcome = (Outcome *)shared_new(sizeof *outcome);
    for (uint64_t at = 0; at < job->count && sum->failed < job->failures_max;) {
        bool bad = false;
        uint64_t good = batch(job, at, &bad);
        sum->passed += good;
        sum->failed += bad;
        at += good + bad;
        if (bad) {
            report(outcome->seed, job);
        }
    }
}

/* Each process takes every other seed. */
static void job_run_halves(const Job *job, Sum *sums)
{
    pid_t children[HALVES];
    for (unsigned i = 0; i < HALVES; i++) {
        children[i] = child_begin();
        if (children[i] == 0) {
            Job half = *job;
            half.first += i;
            half.step = HALVES;
            half.count = job->count / HALVES;
            job_run(&half, &sums[i]);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < HALVES; i++) {
        int status = 0;
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        sums[i].failed += status != 0;
    }
}

static unsigned long number_of(const char *text)
{
    return strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    Job job = {.count = SEEDS, .step = 1, .shrinks = true, .failures_max = FAILURES_MAX};
    Sum *sums = (Sum *)shared_new(HALVES * sizeof *sums);
    bool all = argc == 1;
    log_bind_direct(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG); /* lines are made, too */
    for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
        if (strcmp(argv[1], "--quick") == 0) {
            job.shrinks = false;
        } else if (strcmp(argv[1], "--first") == 0) {
            job.shrinks = false;
            job.failures_max = 1;
        } else if (strcmp(argv[1], "--trace") == 0) {
            job.traces = true;
        } else if (strcmp(argv[1], "--shard") == 0 && argc > 2) {
            job.first = number_of(argv[2]);
            job.step = number_of(strchr(argv[2], '/') + 1);
            job.count /= job.step;
            argc--;
            argv++;
        }
    }
    if (argc > 1) {
        job.first += number_of(argv[1]);
        job.count = argc > 2 ? number_of(argv[2]) / job.step : 1;
    }
    if (all) {
        job_run_halves(&job, sums);
    } else {
        job_run(&job, sums);
    }
    unsigned long passed = sums[0].passed + sums[1].passed;
    unsigned long failed = sums[0].failed + sums[1].failed;
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
