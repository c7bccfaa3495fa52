/* date_parse.c - the three forms of dates, at any time of the clock.
 *
 * sources: http/date.c base/number.c base/text.c base/str.c
 * options: -eva-auto-loop-unroll 16 -eva-slevel 300 -eva-split-return full
 * bytes: 64 quick 0
 */
#include "harness.h"
#include "http/date.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    int64_t now = (int64_t)Frama_C_long_interval(INT64_MIN, INT64_MAX);
    int64_t seconds = 0;
    if (date_parse(s, now, &seconds) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
