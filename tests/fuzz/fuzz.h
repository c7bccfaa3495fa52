/* fuzz.h - what the fuzz targets share: the entry point, and how a broken property is reported.
 *
 * A target states properties that hold for every input. The same file is linked with libFuzzer
 * (`make fuzz`) and with replay.c, which runs the committed corpus in every other build. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

/* Always 0. The bytes end where their memory ends, so that AddressSanitizer sees each read
 * behind them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property must hold; else the program stops, which libFuzzer and replay both count. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A heap copy that ends where the slice ends; free(copy.at) is the caller's. */
static inline Span fuzz_copy(Str s)
{
    uint8_t *at = (uint8_t *)malloc(s.len ? s.len : 1);
    if (!at) {
        abort();
    }
    Span copy = span_of(at, s.len);
    span_copy(copy, s);
    return copy;
}

#endif
