/* etag_list.c - lists of entity tags, against a tag of any content.
 *
 * sources: http/conditional.c
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/conditional.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    uint8_t bytes[8];
    Frama_C_make_unknown((char *)bytes, sizeof bytes);
    size_t tag_bytes = proof_any(0, sizeof bytes);
    /*@ split tag_bytes; */
    Str etag = str_of(bytes, tag_bytes);
    if (etag_list_holds(s, etag, proof_bool())) {
        PROOF_REACHED(holds);
    } else {
        PROOF_REACHED(fails);
    }
    PROOF_PLANTED(s);
}
