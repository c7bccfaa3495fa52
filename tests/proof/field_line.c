/* field_line.c - one field line, at every position of heads and trailers.
 *
 * sources: http/lines.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * options: -eva-use-spec field_id
 * proves: field_line_read
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/parts.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t at = proof_any(0, len);
    Field field;
    if (field_line_read(s, &at, &field) == HTTP_FAULT_NONE) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
