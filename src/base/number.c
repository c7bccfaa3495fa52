/* number.c - digits to numbers, with every overflow caught. */
#include "base/number.h"

/* The digits in [from, to): positions, no smaller slice, so that callers can be proved. */
static Err number_read(Str s, size_t from, size_t to, uint64_t base, uint64_t max, uint64_t *ret)
{
    if (from >= to) {
        return ERR_SYNTAX;
    }
    uint64_t n = 0;
    for (size_t i = from; i < to; i++) {
        int digit = byte_hex_value(str_peek(s, i));
        if (digit < 0 || (uint64_t)digit >= base) {
            return ERR_SYNTAX;
        }
        if (n > (UINT64_MAX - (uint64_t)digit) / base) {
            return ERR_RANGE;
        }
        n = n * base + (uint64_t)digit;
    }
    if (n > max) {
        return ERR_RANGE;
    }
    *ret = n;
    return ERR_OK;
}

Err number_decimal(Str s, uint64_t max, uint64_t *ret)
{
    return number_read(s, 0, s.len, 10, max, ret);
}

Err number_decimal_in(Str s, size_t from, size_t to, uint64_t max, uint64_t *ret)
{
    return number_read(s, from, to, 10, max, ret);
}

Err number_hex(Str s, uint64_t max, uint64_t *ret)
{
    return number_read(s, 0, s.len, 16, max, ret);
}
