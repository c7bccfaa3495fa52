/* certificate_cache.h - what was parsed once: certificates with their keys, sets of authorities,
 * and lists of revoked certificates (internal to the room; its owner's side is in tls.h).
 *
 * A `TlsParsed` is counted and never changes, so that servers and clients of any thread may share
 * it. The cache itself belongs to one thread. */
#ifndef NET_CERTIFICATE_CACHE_H
#define NET_CERTIFICATE_CACHE_H

#include "base/keyed_hash.h"
#include "net/tls_engine.h"

typedef struct TlsParsed {
    _Atomic size_t refs;
    Fingerprint print; /* of the bytes that it was parsed from */
    uint64_t round; /* the cache's, when it was last asked for */
    EngineRoots *roots; /* of authorities */
    EngineCrls *crls;   /* of lists; the rest is of a certificate with its key */
    EngineKey *key; /* NULL where another process has judged it */
    TlsStaple staple;
    bool modern; /* what a client that knows no RSA could use: cheaper, and goes first */
    uint16_t group; /* its curve's, or 0 */
    TlsValidity validity;
    size_t names_len;
    uint8_t *names COUNTED_BY(names_len); /* lower case, separated by commas */
} TlsParsed;

/* A reference to what the bytes hold: parsed now, or before if the cache knows it. `cache` may be
 * NULL. Errors as of tls_server_new; `index` is for the mistake. */
MUST_USE Err tls_parsed_pair(CertificateCache *cache, const TlsPair *pair, size_t index,
                             TlsParsed **ret, TlsMistake *ret_mistake, Text *why);
/* `strict`: every certificate must be one that rustls understands. */
MUST_USE Err tls_parsed_roots(CertificateCache *cache, Str pem, bool strict, TlsPart part,
                              TlsParsed **ret, TlsMistake *ret_mistake, Text *why);
/* The lists of a plan, which has some. */
MUST_USE Err tls_parsed_crls(const TlsServerPlan *plan, TlsParsed **ret, TlsMistake *ret_mistake,
                             Text *why);
void tls_parsed_unref(TlsParsed *p); /* No-op on NULL */

static inline Str tls_parsed_names(const TlsParsed *p)
{
    return str_of(p->names, p->names_len);
}

#endif
