/* keep_alive.c - one member of a Keep-Alive field.
 *
 * sources: http/framing.c http/uri.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec number_decimal -eva-interprocedural-splits -eva-auto-loop-unroll 130
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/parts.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    uint64_t ms = 0;
    if (keep_alive_member(s, &ms)) {
        PROOF_REACHED(timeout);
    } else {
        PROOF_REACHED(other);
    }
    PROOF_PLANTED(s);
}
