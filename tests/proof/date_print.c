/* date_print.c - every second written into rooms of every size.
 *
 * sources: http/date.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec text_add -eva-auto-loop-unroll 16
 * bytes: 32 quick 4
 */
#include "harness.h"
#include "http/date.h"

void prove(size_t len)
{
    Text t = text_in(proof_span(len));
    date_print(&t, (int64_t)Frama_C_long_interval(INT64_MIN, INT64_MAX));
    /*@ assert written_inside: t.len <= len; */
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
    PROOF_PLANTED(span_str(t.room));
}
