/* bytes.h - what each byte may be in HTTP's grammars, as one table, and scans over it.
 *
 * Every parser of this room asks the same table, so no two of them can disagree about a byte. It
 * knows single bytes only; what they form together is the parsers' business. */
#ifndef HTTP_BYTES_H
#define HTTP_BYTES_H

#include "base/str.h"

enum {
    BYTE_TOKEN = 1,       /* tchar (RFC 9110 §5.6.2) */
    BYTE_VALUE = 2,       /* HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5) */
    BYTE_TARGET = 4,      /* VCHAR and obs-text; '#' is in no target (RFC 9112 §3.2) */
    BYTE_UNRESERVED = 8,  /* RFC 3986 §2.3 */
    BYTE_HOST = 16,       /* unreserved and sub-delims (RFC 3986 §3.2.2) */
    BYTE_PLAIN = 32,      /* stands for itself in a path: none of /%.;?# and no control */
    BYTE_CONTROL = 64     /* CTL (RFC 5234 B.1) */
};

extern const uint8_t byte_classes[256];

static inline bool byte_is(uint8_t c, unsigned class)
{
    return (byte_classes[c] & class) != 0;
}

/* The first position at or after `from` whose byte is not of `class`; s.len when all are. */
static inline size_t scan_class(Str s, size_t from, unsigned class)
{
    size_t i = from;
    while (i < s.len && byte_is(str_at(s, i), class)) {
        i++;
    }
    return i;
}

/* scan_class for field values (BYTE_VALUE) and names (BYTE_TOKEN), which are most of each head:
 * scan_scalar.c is the proved form, scan_sse2.c a faster one that is tested against it; the build
 * chooses. */
size_t scan_value(Str s, size_t from);
size_t scan_value_scalar(Str s, size_t from);
size_t scan_name(Str s, size_t from);
size_t scan_name_scalar(Str s, size_t from);

#endif
