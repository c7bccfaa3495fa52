/* proxy_header.c - the PROXY protocol's header, both versions.
 *
 * sources: net/proxy_header.c base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec ip_parse
 * bytes: 107 quick 28
 */
#include "harness.h"
#include "net/proxy_header.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    ProxyHeader header = {0};
    Err err = proxy_header_parse(s, &header);
    if (err == ERR_OK) {
        PROOF_REACHED(accepted);
        /*@ assert inside: header.bytes <= len; */
        if (header.source == PROXY_SOURCE_IP) {
            PROOF_REACHED(address);
        }
    } else if (err == ERR_INCOMPLETE) {
        PROOF_REACHED(incomplete);
    } else if (err == ERR_LIMIT) {
        PROOF_REACHED(too_long);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
