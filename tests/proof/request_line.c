/* request_line.c - method, target and version, with all that judges a target.
 *
 * sources: http/head.c http/uri.c http/fault.c http/lines.c http/field.c http/framing.c
 * sources: http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec uri_split
 * bytes: 64 quick 16
 */
#include "harness.h"
#include "http/parts.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    RequestHead request;
    UriParts parts;
    size_t next = 0;
    size_t target_bytes_max = proof_any(0, PROOF_LEN);
    if (request_line_read(s, target_bytes_max, &request, &parts, &next) == HTTP_FAULT_NONE) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
