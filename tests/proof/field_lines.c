/* field_lines.c - the section of field lines, as heads and trailers have it.
 *
 * sources: http/lines.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * options: -eva-use-spec field_line_read
 * bytes: 64 quick 16
 */
#include "harness.h"
#include "http/parts.h"

#define ROOM 3

void prove(size_t len)
{
    Str s = proof_str(len);
    Field room[ROOM];
    Fields fields = {.room = ROOM, .at = room};
    FieldsSeen seen;
    if (field_lines_read(s, 0, proof_any(0, ROOM + 1), &fields, &seen) == HTTP_FAULT_NONE) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
