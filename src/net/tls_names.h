/* tls_names.h - which of a server's certificates a host name belongs to (internal to the room).
 *
 * Pure look-up: names come from the certificates, exact ones win over wildcards ("*.a.example"
 * stands for one label), case does not count. Certificates that serve one name side by side (ECDSA
 * and RSA) are all found, the preferred kind first. */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include "base/arena.h"

/* More than these for one name are not looked at. */
#define TLS_NAME_PAIRS_MAX 8u

typedef struct TlsName {
    Str text; /* lower case; of a wildcard without its star: ".a.example" */
    uint32_t pair;
    uint32_t rank; /* among pairs of one name, lower ones come first */
} TlsName;

typedef struct TlsNames {
    size_t room;
    TlsName *list COUNTED_BY(room); /* sorted, once tls_names_close was called */
    size_t count;
    uint32_t default_count;
    uint32_t defaults[TLS_NAME_PAIRS_MAX]; /* for names that no certificate has */
} TlsNames;

/* Room for so many names. */
MUST_USE Err tls_names_open(Arena *a, size_t name_count, TlsNames *ret);
/* Adds the names of a certificate, separated by commas. ERR_MEMORY only. */
MUST_USE Err tls_names_add(TlsNames *n, Arena *a, Str names, size_t pair, uint32_t rank);
/* Sorts. The defaults are the pairs that share the first name of pair 0 (`first`, may be empty). */
void tls_names_close(TlsNames *n, Str first);

/* How many names a list holds. */
size_t tls_names_count(Str names);

/* The pairs of a host name, the preferred first; at least one. */
size_t tls_names_find(const TlsNames *n, Str host, uint32_t *ret_pairs, size_t room);
/* The lowest of them: what the name's identity is called by. */
size_t tls_names_identity(const TlsNames *n, Str host);

#endif
