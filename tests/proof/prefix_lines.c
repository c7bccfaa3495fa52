/* prefix_lines.c - files of prefixes, line by line.
 *
 * sources: base/prefix_lines.c
 * bytes: 64 quick 6
 */
#include "harness.h"
#include "base/prefix_lines.h"

void prove(size_t len)
{
    Str s = proof_str(len);
    PrefixLines lines = {.text = s};
    Str content;
    while (prefix_lines_next(&lines, &content)) {
        PROOF_REACHED(content);
        /*@ assert inside: lines.at <= len; */
    }
    PROOF_REACHED(end);
    PROOF_PLANTED(s);
}
