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
    Str member;
    while (list_member(s, &at, &member)) {
        PROOF_REACHED(member);
    }
    PROOF_PLANTED(s);
}
