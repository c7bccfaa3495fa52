/* ip_print.c - every address and prefix written into rooms of every size.
 *
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec text_add,text_u64,text_hex
 * bytes: 48 quick 6
 */
#include "harness.h"
#include "base/ip.h"

void prove(size_t len)
{
    Text t = text_in(proof_span(len));
    IpPrefix prefix;
    Frama_C_make_unknown((char *)&prefix, sizeof prefix);
    ip_prefix_print(&t, &prefix);
    /*@ assert written_inside: t.len <= len; */
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
    PROOF_PLANTED(span_str(t.room));
}
