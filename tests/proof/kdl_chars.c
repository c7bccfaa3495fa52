/* kdl_chars.c - one code point at any position, also behind the end: what it is in both versions.
 *
 * sources: base/str.c
 * proves: kdl_code_point kdl_newline kdl_space identifier_char
 * bytes: 128 quick 8
 */
#include "harness.h"
#include "kdl/lex.c"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t at = proof_any(0, SIZE_MAX);
    int version = proof_bool() ? 1 : 2;
    uint32_t point = 0;
    if (kdl_code_point(s, at, &point) > 0) {
        PROOF_REACHED(valid);
    } else {
        PROOF_REACHED(invalid);
    }
    if (kdl_newline(s, at, version) > 0) {
        PROOF_REACHED(newline);
    }
    if (kdl_space(s, at, version) > 0) {
        PROOF_REACHED(space);
    }
    if (identifier_char(s, at, version) > 0) {
        PROOF_REACHED(identifier);
    }
    PROOF_PLANTED(s);
}
