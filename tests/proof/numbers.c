/* numbers.c - decimal and hexadecimal numbers with any bound.
 *
 * sources: base/number.c
 * proves: number_decimal
 * bytes: 128 quick 32
 */
#include "harness.h"
#include "base/number.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    uint64_t max = (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX);
    uint64_t n = 0;
    Err decimal = number_decimal(s, max, &n);
    Err hex = number_hex(s, max, &n);
    if (decimal == ERR_OK && hex == ERR_OK) {
        PROOF_REACHED(accepted);
    } else if (decimal == ERR_RANGE && hex == ERR_RANGE) {
        PROOF_REACHED(out_of_range);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
