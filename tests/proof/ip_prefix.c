/* ip_prefix.c - prefixes (CIDR), and what holds which address.
 *
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec ip_read,number_decimal
 * proves: ip_prefix_parse
 * bytes: 64 quick 4
 */
#include "harness.h"
#include "base/ip.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    IpPrefix prefix;
    IpAddress address;
    Err err = ip_prefix_parse(s, &prefix);
    if (err == ERR_OK || err == ERR_LIMIT) {
        PROOF_REACHED(accepted);
        Frama_C_make_unknown((char *)&address, sizeof address);
        (void)ip_prefix_holds(&prefix, address);
        (void)ip_equal(prefix.address, address);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
