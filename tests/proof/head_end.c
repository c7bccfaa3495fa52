/* head_end.c - where a head or a trailer section ends, from every position of an earlier search.
 *
 * sources: http/head.c http/uri.c http/fault.c http/lines.c http/field.c http/framing.c
 * sources: http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * bytes: 128 quick 16
 */
#include "harness.h"
#include "http/parts.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t scanned = proof_any(0, len);
    size_t end = 0;
    (void)head_skip_empty(s);
    Err err = head_find_end(s, &scanned, &end);
    if (err == ERR_OK) {
        PROOF_REACHED(found);
        /*@ assert end_inside: end <= len; */
    } else if (err == ERR_INCOMPLETE) {
        PROOF_REACHED(incomplete);
    } else {
        PROOF_REACHED(refused);
    }
    /*@ assert scanned_inside: scanned <= len; */
    PROOF_PLANTED(s);
}
