/* tls_rustls.h - the one place where rustls's headers come in, for the four files that speak to
 * it: tls_rustls.c (connections), tls_rustls_config.c (what they are made from), tls_rustls_key.c
 * (keys and authorities) and tls_rustls_revocation.c (lists of revoked certificates, and OCSP
 * responses). Nothing else may include it. */
#ifndef NET_TLS_RUSTLS_H
#define NET_TLS_RUSTLS_H

#include <river_certificate.h>
#include <river_revocation.h>
#include <river_tls.h>
#include <rustls.h>

#include "net/tls_engine.h"
#include "net/tls_lists.h"

#define ENGINE_NAME_BYTES_MAX 256u

struct EngineKey {
    const rustls_certified_key *plain;
    const rustls_certified_key *stapled; /* NULL: there is no good response */
    TlsStaple staple;
};

struct EngineServer {
    const rustls_server_config *config;
    EngineServerParts parts;
    river_tls_ticketer *tickets;
    int key_log_fd;
};

struct EngineClient {
    const rustls_client_config *config;
    int key_log_fd;
    char name[ENGINE_NAME_BYTES_MAX];
};

/* ERR_SYNTAX, with the mistake and rustls's words or others. */
Err engine_refused(rustls_result result, TlsPart part, size_t index, TlsMistake *ret, Text *why);
Err engine_refused_because(const char *reason, TlsPart part, size_t index, TlsMistake *ret,
                           Text *why);
/* rustls's own objects after the opaque ones. */
const rustls_certified_key *engine_certified_key(const EngineKey *key);
/* The same, with the OCSP response while that is good. */
const rustls_certified_key *engine_stapled_key(const EngineKey *key);
/* What the response of a pair is worth. */
TlsStaple engine_staple(const TlsPair *pair);
const rustls_root_cert_store *engine_root_store(const EngineRoots *roots);
const river_crls *engine_lists(const EngineCrls *crls);

/* The names that rustls knows, and their numbers. */
const TlsKnown *engine_names(TlsList list);
/* A key log's callback; the context is the server's or client's descriptor. */
void engine_on_secret(void *context, const char *label, size_t label_len, const uint8_t *random,
                      size_t random_len, const uint8_t *secret, size_t secret_len);

#endif
