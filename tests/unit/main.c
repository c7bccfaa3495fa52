/* main.c - runs all registered unit tests and counts them. */
#include <stdio.h>
#include <string.h>

#include "test.h"

static TestCase *tests;
static TestCase *running;
static bool running_failed;

void test_register(TestCase *test)
{
    test->next = tests;
    tests = test;
}

static void fail_line(const char *file, int line)
{
    running_failed = true;
    printf("  %s:%d: in \"%s\": ", file, line, running->sentence);
}

void test_expect(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        fail_line(file, line);
        printf("does not hold: %s\n", what);
    }
}

void test_expect_u64(unsigned long long got, unsigned long long want, const char *what,
                     const char *file, int line)
{
    if (got != want) {
        fail_line(file, line);
        printf("%s is %llu (0x%llx), not %llu (0x%llx)\n", what, got, got, want, want);
    }
}

void test_expect_str(Str got, Str want, const char *what, const char *file, int line)
{
    if (!str_equal(got, want)) {
        fail_line(file, line);
        printf("%s is \"%.*s\", not \"%.*s\"\n", what, STR_ARG(got), STR_ARG(want));
    }
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;
    for (running = tests; running; running = running->next) {
        if (argc > 1 && !strstr(running->sentence, argv[1]) && !strstr(running->file, argv[1])) {
            continue;
        }
        running_failed = false;
        running->body();
        if (running_failed) {
            failed++;
        } else {
            passed++;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
