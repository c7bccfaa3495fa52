/* uri_step.c - one step of the normaliser, at every position of every path, for any state of the
 * writer whose positions lie in its room.
 *
 * sources: http/bytes.c base/text.c base/str.c
 * options: -eva-use-spec text_add
 * proves: path_step
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/normalize.c"

static uint8_t proof_room[PROOF_LEN + 1];

void prove(size_t len)
{
    Str s = proof_str(len);
    if (len == 0) {
        return; /* no position to stand at */
    }
    UriRules rules = {.dot_segments = proof_bool(),
                      .duplicate_slashes = proof_bool(),
                      .encoded_separators = proof_bool(),
                      .control_characters = proof_bool(),
                      .percent_encoding = proof_bool(),
                      .matrix = (MatrixRule)proof_any(MATRIX_PASS, MATRIX_REJECT)};
    Text out = text_in(span_of(proof_room + (sizeof proof_room - len), len));
    out.len = proof_any(0, len);
    PathWriter w = {.out = &out,
                    .root = proof_any(0, len),
                    .segment = proof_any(0, len),
                    .dots = (unsigned)proof_any(0, UINT32_MAX),
                    .other = proof_bool()};
    size_t used = 0;
    if (path_step(&w, &rules, s, proof_any(0, len - 1), &used) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
