/* tls_lists.h - names of versions, suites and groups, and lists of them (internal to the room). */
#ifndef NET_TLS_LISTS_H
#define NET_TLS_LISTS_H

#include "base/text.h"

#define TLS_KNOWN_MAX 24u
#define TLS_KNOWN_BYTES_MAX 1024u

/* Names with their numbers on the wire, and the same names in a row. */
typedef struct TlsKnown {
    size_t count;
    uint16_t ids[TLS_KNOWN_MAX];
    size_t from[TLS_KNOWN_MAX]; /* where the name begins in `row` */
    size_t row_len;
    uint8_t row[TLS_KNOWN_BYTES_MAX]; /* "a|b|c" */
} TlsKnown;

/* What does not fit is left out. */
void tls_known_add(TlsKnown *known, uint16_t id, Str name);
Str tls_known_row(const TlsKnown *known);
/* The name of a number; empty when it is not known. */
Str tls_known_name(const TlsKnown *known, uint16_t id);

/* The numbers of a list's members, which commas separate; an empty list has all. ERR_SYNTAX:
 * *ret_count is the position of the member that is not known (or is listed twice). */
MUST_USE Err tls_known_ids(const TlsKnown *known, Str list, uint16_t *ret_ids, size_t *ret_count);

#endif
