/* test.h - the unit tests' frame: a test is a sentence and a body.
 *
 *     TEST("an empty slice has no first byte") { EXPECT(str_peek(S(""), 0) == -1); }
 *
 * A failed expectation is printed with its place and the test goes on. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdbool.h>
#include <time.h>

#include "base/str.h"

typedef struct TestCase {
    const char *sentence;
    const char *file;
    void (*body)(void);
    struct TestCase *next;
} TestCase;

void test_register(TestCase *test);
void test_expect(bool holds, const char *what, const char *file, int line);
void test_expect_u64(unsigned long long got, unsigned long long want, const char *what,
                     const char *file, int line);
void test_expect_str(Str got, Str want, const char *what, const char *file, int line);

/* Nanoseconds of processor time, for tests of what something costs. */
static inline uint64_t test_cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define TEST_NAME_2(prefix, line) prefix##line
#define TEST_NAME(prefix, line) TEST_NAME_2(prefix, line)
#define TEST(text)                                                                                 \
    static void TEST_NAME(test_body_, __LINE__)(void);                                             \
    __attribute__((constructor)) static void TEST_NAME(test_add_, __LINE__)(void)                  \
    {                                                                                              \
        static TestCase test = {text, __FILE__, TEST_NAME(test_body_, __LINE__), 0};               \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void TEST_NAME(test_body_, __LINE__)(void)

#define EXPECT(condition) test_expect((condition), #condition, __FILE__, __LINE__)
#define EXPECT_U64(got, want)                                                                      \
    test_expect_u64((unsigned long long)(got), (unsigned long long)(want), #got, __FILE__, __LINE__)
#define EXPECT_STR(got, want) test_expect_str((got), (want), #got, __FILE__, __LINE__)

#endif
