/* range.c - Range fields, for representations of every size.
 *
 * sources: http/range.c http/bytes.c
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/range.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    Ranges ranges = {.count = 0};
    RangeVerdict verdict = range_judge(s, proof_any(0, UINT64_MAX), &ranges);
    if (verdict == RANGE_SATISFIED) {
        PROOF_REACHED(satisfied);
    } else if (verdict == RANGE_UNSATISFIABLE) {
        PROOF_REACHED(unsatisfiable);
    } else {
        PROOF_REACHED(ignored);
    }
    PROOF_PLANTED(s);
}
