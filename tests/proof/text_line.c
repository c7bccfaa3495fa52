/* text_line.c - field lines: a name of every length, then a value of every length, each beside a
 * short one of the other, into rooms of every size up to the same bound.
 *
 * sources: base/text.c base/str.c
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "base/text.h"

static uint8_t proof_room[PROOF_LEN + 1];

static void write_line(Str name, Str value)
{
    size_t room = proof_any(0, PROOF_LEN);
    /*@ split room; */
    size_t filled = proof_any(0, room);
    Text t = text_in(span_of(proof_room + (sizeof proof_room - room), room));
    t.len = filled;
    text_line(&t, name, value);
    /*@ assert written_inside: t.len <= room; */
    if (t.overflow) {
        PROOF_REACHED(overflow);
    } else {
        PROOF_REACHED(fits);
    }
}

void prove(size_t len)
{
    Str s = proof_str(len);
    if (proof_any(0, 1)) {
        write_line(s, S("v"));
    } else {
        write_line(S("N"), s);
    }
    PROOF_PLANTED(s);
}
