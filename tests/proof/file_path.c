/* file_path.c - request paths to file paths, with room for the path exactly; and the way back, with
 * less room than it may need.
 *
 * sources: http/file_path.c http/media_type.c http/bytes.c base/text.c base/str.c
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/file_path.h"
#include "http/media_type.h"

static uint8_t proof_room[PROOF_LEN + 1];
static uint8_t proof_again[PROOF_LEN + 1];

void prove(size_t len)
{
    Str s = proof_str(len);
    Text out = text_in(span_of(proof_room + (sizeof proof_room - len), len));
    FilePath found = file_path_decode(s, &out);
    if (found.verdict == FILE_PATH_IMPOSSIBLE) {
        PROOF_REACHED(impossible);
    } else if (found.verdict == FILE_PATH_DOUBLED) {
        PROOF_REACHED(doubled);
    } else {
        PROOF_REACHED(plain);
    }
    Text again = text_in(span_of(proof_again + (sizeof proof_again - len), len));
    file_path_encode(s, &again);
    (void)media_type_of(s);
    PROOF_PLANTED(s);
}
