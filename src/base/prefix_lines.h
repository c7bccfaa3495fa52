/* prefix_lines.h - the lines of a file that holds one prefix in each (leaf parser, proved).
 *
 * Blanks around a prefix, empty lines, and "#" with all that follows it in a line are skipped. A
 * line ends with LF or CRLF; the last one may end with the file. */
#ifndef BASE_PREFIX_LINES_H
#define BASE_PREFIX_LINES_H

#include "base/str.h"

typedef struct PrefixLines {
    Str text;    /* of the file */
    size_t at;   /* what is before it was looked at */
    size_t line; /* the last line that was, from 1 */
} PrefixLines;

/* The next line that is not empty: what is in it, which ip_prefix_parse is to judge. false when
 * there is none left. */
MUST_USE bool prefix_lines_next(PrefixLines *lines, Str *ret_content);

#endif
