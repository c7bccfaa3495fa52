/* uri_normalize.c - paths under every combination of rules, with room for the path exactly.
 *
 * sources: http/normalize.c http/bytes.c base/text.c base/str.c
 * options: -eva-use-spec text_add,path_step
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/uri.h"

static uint8_t proof_room[PROOF_LEN + 1];

void prove(size_t len)
{
    Str s = proof_str(len);
    UriRules rules = {.dot_segments = proof_bool(),
                      .duplicate_slashes = proof_bool(),
                      .encoded_separators = proof_bool(),
                      .control_characters = proof_bool(),
                      .percent_encoding = proof_bool(),
                      .matrix = (MatrixRule)proof_any(MATRIX_PASS, MATRIX_REJECT)};
    Text out = text_in(span_of(proof_room + (sizeof proof_room - len), len));
    if (uri_normalize(s, &rules, &out) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    /*@ assert written_inside: out.len <= len; */
    PROOF_PLANTED(s);
}
