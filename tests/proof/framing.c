/* framing.c - Content-Length, Transfer-Encoding, Connection, Expect, Keep-Alive: the judges of
 * where a message ends. Two fields of any known or unknown name, each with any value.
 *
 * sources: http/framing.c http/uri.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * bytes: 64 quick 8
 */
#include "harness.h"
#include "http/parts.h"

static Field any_field(Str value)
{
    Field field = {.name = S("x"), .value = value};
    field.id = (FieldId)proof_any(0, FIELD_ID_COUNT - 1);
    field.dropped = proof_bool();
    return field;
}

void prove(size_t len)
{
    Str s = proof_str(len);
    Field room[2] = {any_field(s), any_field(s)};
    Fields fields = {.room = 2, .at = room, .count = 2};
    FieldsSeen seen = {.once = Frama_C_unsigned_long_interval(0, UINT64_MAX),
                       .again = Frama_C_unsigned_long_interval(0, UINT64_MAX)};
    uint8_t minor = (uint8_t)proof_any(0, 1);
    Framing framing;
    bool wants_continue = false;
    bool other = false;
    if (framing_read(&fields, &seen, minor, &framing) == HTTP_FAULT_NONE) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    (void)framing_read_bodiless(&fields, &seen, minor, &framing);
    expect_read(&fields, minor, &wants_continue, &other);
    (void)keep_alive_read(&fields);
    (void)connection_names(&fields, S("upgrade"));
    PROOF_PLANTED(s);
}
