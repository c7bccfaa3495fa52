/* number.c - digits to numbers, with every overflow caught. */
#include "base/number.h"

static Err number_read(Str s, uint64_t base, uint64_t max, uint64_t *ret)
{
    if (s.len == 0) {
        return ERR_SYNTAX;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int digit = byte_hex_value(str_at(s, i));
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
    return number_read(s, 10, max, ret);
}

Err number_hex(Str s, uint64_t max, uint64_t *ret)
{
    return number_read(s, 16, max, ret);
}
