/* number.h - checked arithmetic, and numbers read from bytes (leaf parsers, proved). */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/err.h"
#include "base/str.h"

/* false when the sum or product does not fit; then *ret is not written. */
MUST_USE static inline bool u64_add(uint64_t a, uint64_t b, uint64_t *ret)
{
    if (a > UINT64_MAX - b) {
        return false;
    }
    *ret = a + b;
    return true;
}

MUST_USE static inline bool u64_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
    if (b != 0 && a > UINT64_MAX / b) {
        return false;
    }
    *ret = a * b;
    return true;
}

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Reads decimal digits and nothing else (no sign, no blanks, at least one digit).
 * ERR_SYNTAX for other bytes, ERR_RANGE above `max`. */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1], max, *ret;
    assigns \result \from s.at[0 .. s.len - 1], max; */
MUST_USE Err number_decimal(Str s, uint64_t max, uint64_t *ret);

/* The same for the bytes in [from, to); what lies past the end of `s` is no digit. */
MUST_USE Err number_decimal_in(Str s, size_t from, size_t to, uint64_t max, uint64_t *ret);

/* The same for hexadecimal digits without a prefix. */
MUST_USE Err number_hex(Str s, uint64_t max, uint64_t *ret);

#endif
