/* text.c - the bounded writer and the copy below it: rooms and slices of every length, and every
 * fill.
 *
 * sources: base/text.c base/str.c
 * options: -eva-auto-loop-unroll 24
 * bytes: 16 quick 0
 */
#include "harness.h"
#include "base/text.h"

static uint8_t proof_room[PROOF_LEN + 1];

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t room = proof_any(0, PROOF_LEN);
    size_t filled = proof_any(0, PROOF_LEN);
    /*@ split room; */
    /*@ split filled; */
    if (filled > room) {
        return;
    }
    Text t = text_in(span_of(proof_room + (sizeof proof_room - room), room));
    t.len = filled;
    text_add(&t, s);
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
    /*@ assert written_inside: t.len <= room; */
    text_byte(&t, 'x');
    text_u64(&t, (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX));
    text_hex(&t, (uint64_t)Frama_C_unsigned_long_interval(0, UINT64_MAX),
             (unsigned)proof_any(0, 99));
    /*@ assert still_inside: t.len <= room; */
    PROOF_PLANTED(s);
}
