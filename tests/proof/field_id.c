/* field_id.c - the perfect hash over known field names, their flags and texts.
 *
 * sources: http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * proves: field_id
 * bytes: 128 quick 32
 */
#include "harness.h"
#include "http/field.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    FieldId id = field_id(s);
    if (id == FIELD_OTHER) {
        PROOF_REACHED(other);
    } else {
        PROOF_REACHED(known);
    }
    FieldId any = (FieldId)proof_any(0, 1000);
    (void)field_name(any);
    (void)field_flags(any);
    (void)field_name_valid(s);
    (void)field_value_valid(s);
    PROOF_PLANTED(s);
}
