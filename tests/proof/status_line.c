/* status_line.c - the first line of a response.
 *
 * sources: http/head.c http/uri.c http/fault.c http/lines.c http/field.c http/framing.c
 * sources: http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * bytes: 128 quick 20
 */
#include "harness.h"
#include "http/parts.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    ResponseHead response;
    size_t next = 0;
    if (status_line_read(s, &response, &next) == HTTP_FAULT_NONE) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
