/* kdl_token.c - one token of a KDL document at every position, in both versions, and the search for
 * what no document may hold.
 *
 * sources: kdl/lex.c base/str.c
 * options: -eva-use-spec kdl_code_point,kdl_newline,kdl_space,identifier_char
 * bytes: 128 quick 6
 */
#include "harness.h"
#include "kdl/lex.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t at = proof_any(0, len);
    int version = proof_bool() ? 1 : 2;
    /*@ split version; */
    KdlToken token = kdl_token(s, at, version);
    if (token.kind == KDL_TOKEN_BAD) {
        PROOF_REACHED(bad);
    } else if (token.kind == KDL_TOKEN_WORD) {
        PROOF_REACHED(word);
    } else if (token.kind == KDL_TOKEN_RAW) {
        PROOF_REACHED(raw);
    } else {
        PROOF_REACHED(other);
    }
    KdlFault fault = KDL_FAULT_NONE;
    if (kdl_find_banned(s, version, &fault) < len) {
        PROOF_REACHED(banned);
    }
    PROOF_PLANTED(s);
}
