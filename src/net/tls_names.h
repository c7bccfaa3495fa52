/* tls_names.h - which of a server's certificates a host name belongs to (internal to the room).
 *
 * Pure look-up: names come from the certificates, exact ones win over wildcards ("*.a.example"
 * stands for one label), case does not count. Certificates that serve one name side by side (ECDSA
 * and RSA) are all found, in the order in which they were added. */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include "base/str_map.h"

/* More than these for one name are not looked at. */
#define TLS_NAME_PAIRS_MAX 8u

typedef struct TlsNamePair {
    uint32_t pair;
    uint32_t next; /* of the same name: one more than its index; 0: none */
} TlsNamePair;

typedef struct TlsNames {
    StrMap texts; /* of a wildcard without its star (".a.example"): the index of the first pair */
    size_t room;
    TlsNamePair *pairs COUNTED_BY(room);
    size_t count;
    uint32_t default_count;
    uint32_t defaults[TLS_NAME_PAIRS_MAX]; /* for names that no certificate has */
} TlsNames;

/* Room for so many names. */
MUST_USE Err tls_names_open(Arena *a, size_t name_count, TlsNames *ret);
/* Adds the names of a certificate, separated by commas, in lower case. They must live as long as
 * the table, which must have room for them. */
void tls_names_add(TlsNames *n, Str names, size_t pair);
/* All are added. The defaults are the pairs that share the first of the names of pair 0. */
void tls_names_close(TlsNames *n, Str names);

/* How many names a list holds. */
size_t tls_names_count(Str names);

/* The pairs of a host name, the preferred first; at least one. */
size_t tls_names_find(const TlsNames *n, Str host, uint32_t *ret_pairs, size_t room);
/* The lowest of them: what the name's identity is called by. */
size_t tls_names_identity(const TlsNames *n, Str host);

#endif
