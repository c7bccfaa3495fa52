/* ip_parse.c - addresses.
 *
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * proves: ip_parse ip_read
 * bytes: 107 quick 4
 */
#include "harness.h"
#include "base/ip.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    IpAddress address;
    if (ip_parse(s, &address) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
