/* text.c - the bounded writer and the copy below it: slices of every length into rooms of every
 * size up to the same bound, filled to any position.
 *
 * sources: base/text.c base/str.c
 * proves: text_add
 * bytes: 128 quick 8
 */
#include "harness.h"
#include "base/text.h"

static uint8_t proof_room[PROOF_LEN + 1];

void prove(size_t len)
{
    Str s = proof_str(len);
    size_t room = proof_any(0, PROOF_LEN);
    /*@ split room; */
    size_t filled = proof_any(0, room);
    Text t = text_in(span_of(proof_room + (sizeof proof_room - room), room));
    t.len = filled;
    text_add(&t, s);
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
    /*@ assert written_inside: t.len <= room; */
    PROOF_PLANTED(s);
}
