/* http_support.h - what the tests of the HTTP room share: reading heads in exact-size copies, so
 * that AddressSanitizer sees every read behind the end. */
#ifndef TESTS_UNIT_HTTP_SUPPORT_H
#define TESTS_UNIT_HTTP_SUPPORT_H

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/head.h"
#include "test.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* A heap copy that ends where the slice ends; free(copy.at) is the caller's. */
static inline Span exact_copy(Str s)
{
    uint8_t *at = (uint8_t *)malloc(s.len ? s.len : 1);
    if (!at) {
        abort();
    }
    if (s.len) {
        memcpy(at, s.at, s.len);
    }
    return span_of(at, s.len);
}

#define TEST_FIELDS_MAX 16
#define TEST_LIMITS                                                                                \
    {.head_bytes_max = 65536, .fields_max = TEST_FIELDS_MAX, .target_bytes_max = 16384}

#endif
