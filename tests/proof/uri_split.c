/* uri_split.c - request targets of every method.
 *
 * sources: http/uri.c http/field.c http/bytes.c http/scan_scalar.c http/scan_plain.c
 * sources: base/ip.c base/number.c base/text.c base/str.c
 * options: -eva-use-spec authority_valid,authority_read
 * proves: uri_split
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "http/uri.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    UriParts parts;
    Method method = (Method)proof_any(METHOD_OTHER, METHOD_PATCH);
    if (uri_split(s, method, &parts) == ERR_OK) {
        PROOF_REACHED(accepted);
    } else {
        PROOF_REACHED(refused);
    }
    PROOF_PLANTED(s);
}
