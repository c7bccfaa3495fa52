/* chunk_decode.c - the chunked coding, from every state in which the bytes before may have left
 * the decoder.
 *
 * sources: http/chunk.c http/head.c http/uri.c http/fault.c http/lines.c http/field.c http/bytes.c
 * sources: http/framing.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec data_move
 * bytes: 128 quick 8
 */
#include "harness.h"
#include "http/chunk.h"

void prove(size_t len)
{
    Span bytes = proof_span(len);
    ChunkDecoder decoder = {0};
    decoder.state = (uint8_t)proof_any(0, 255);
    decoder.left = (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX);
    decoder.line_bytes = (uint32_t)proof_any(0, UINT32_MAX);
    decoder.overhead_bytes = (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX);
    ChunkStep step = chunk_decode(&decoder, bytes);
    /*@ assert consumed_inside: step.consumed <= len; */
    if (step.fault != HTTP_FAULT_NONE) {
        PROOF_REACHED(refused);
    } else if (step.last) {
        PROOF_REACHED(last);
    } else {
        PROOF_REACHED(more);
    }
    PROOF_PLANTED(span_str(bytes));
}
