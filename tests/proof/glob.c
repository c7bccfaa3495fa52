/* glob.c - a glob made of unknown bytes, and unknown text matched by any glob at all.
 *
 * sources: http/glob.c base/str.c
 * bytes: 80 quick 6
 */
#include "harness.h"
#include "http/pattern.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    Glob g;
    if (glob_make(s, proof_bool(), &g) == ERR_OK) {
        PROOF_REACHED(made);
    }
    Frama_C_make_unknown((char *)&g, sizeof g);
    if (glob_matches(&g, s)) {
        PROOF_REACHED(matched);
    } else {
        PROOF_REACHED(not_matched);
    }
    PROOF_PLANTED(s);
}
