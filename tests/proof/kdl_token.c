/* kdl_token.c - one token of a KDL document at every position, in both versions.
 *
 * sources: config/kdl_lex.c base/str.c
 * bytes: 64 quick 0
 */
#include "harness.h"
#include "config/kdl_lex.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t at = proof_any(0, len);
    int version = proof_bool() ? 1 : 2;
    /*@ split version; */
    KdlToken token = kdl_token(s, at, version);
    if (token.kind == KDL_TOKEN_BAD) {
        PROOF_REACHED(bad);
    } else {
        PROOF_REACHED(token);
    }
    PROOF_PLANTED(s);
}
