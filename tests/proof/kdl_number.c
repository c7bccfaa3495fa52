/* kdl_number.c - the shape of KDL's numbers, and whether a text is an identifier.
 *
 * sources: kdl/lex.c base/str.c
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "kdl/lex.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    KdlNumberShape shape;
    if (kdl_number_shape(s, &shape)) {
        PROOF_REACHED(number);
    } else {
        PROOF_REACHED(other);
    }
    (void)kdl_looks_numeric(s);
    (void)kdl_is_identifier(s, proof_bool() ? 1 : 2);
    PROOF_PLANTED(s);
}
