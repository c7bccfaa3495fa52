/* authority.c - Host and authorities.
 *
 * sources: http/framing.c http/uri.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec ip_parse,number_decimal
 * proves: authority_valid authority_read
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/uri.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    if (authority_valid(s)) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
