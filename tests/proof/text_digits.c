/* text_digits.c - single bytes and digits of numbers, written into rooms of every size that are
 * filled to any position.
 *
 * sources: base/text.c base/str.c
 * proves: text_u64 text_hex text_hex_word
 * bytes: 128 quick 8
 */
#include "harness.h"
#include "base/text.h"

void prove(size_t len)
{
    Span room = proof_span(len);
    Text t = text_in(room);
    t.len = proof_any(0, len);
    text_byte(&t, 'x');
    /*@ assert byte_inside: t.len <= len; */
    text_u64(&t, (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX));
    /*@ assert decimal_inside: t.len <= len; */
    text_hex(&t, (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX),
             (unsigned)proof_any(0, 99));
    /*@ assert hexadecimal_inside: t.len <= len; */
    Text word = text_in(room);
    word.len = proof_any(0, len);
    text_hex_word(&word, (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX));
    /*@ assert word_inside: word.len <= len; */
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
    PROOF_PLANTED(span_str(room));
}
