/* list.c - the members of comma-separated lists.
 *
 * sources: http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/field.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t at = 0;
    size_t from = 0;
    size_t to = 0;
    while (list_bounds(s, &at, &from, &to)) {
        /*@ assert inside: from < len && to <= len && at <= len; */
        PROOF_REACHED(member);
    }
    Str rest = s;
    Str member;
    (void)list_next(&rest, &member);
    PROOF_PLANTED(s);
}
