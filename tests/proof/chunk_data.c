/* chunk_data.c - the data of a chunk moved down within its slice, from every position to every
 * position.
 *
 * sources: http/head.c http/uri.c http/fault.c http/lines.c http/field.c http/bytes.c
 * sources: http/framing.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * proves: data_move
 * bytes: 128 quick 8
 */
#include "harness.h"
#include "http/chunk.c"

void prove(size_t len)
{
    Span bytes = proof_span(len);
    size_t to = proof_any(0, SIZE_MAX);
    size_t from = proof_any(0, len);
    size_t end = proof_any(0, len);
    if (data_move(bytes, to, from, end) > 0) {
        PROOF_REACHED(moved);
    }
    PROOF_PLANTED(span_str(bytes));
}
