/* forwarded_for.c - entries of X-Forwarded-For.
 *
 * sources: http/forwarded_for.c base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec ip_parse
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/forwarded_for.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t end = len;
    size_t from = 0;
    size_t to = 0;
    IpAddress address;
    if (forwarded_address(s, &address) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    while (forwarded_last(s, &end, &from, &to)) {
        PROOF_REACHED(entry);
        /*@ assert comma: end <= len; */
        /*@ assert inside: from <= len && to <= len; */
    }
    PROOF_PLANTED(s);
}
