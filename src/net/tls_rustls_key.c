/* tls_rustls_key.c - certificates with their keys, and authorities: from PEM to rustls's objects,
 * which are counted and may serve many servers and clients. */
#include "net/tls_rustls.h"

#include <pthread.h>
#include <time.h>

/* ---- mistakes ---- */

static Err key_mistake(TlsPart part, size_t index, TlsMistake *ret)
{
    *ret = (TlsMistake){.part = part, .index = index};
    return ERR_SYNTAX;
}

Err engine_refused(rustls_result result, TlsPart part, size_t index, TlsMistake *ret, Text *why)
{
    if (why) {
        engine_words(result, why);
    }
    return key_mistake(part, index, ret);
}

Err engine_refused_because(const char *reason, TlsPart part, size_t index, TlsMistake *ret,
                           Text *why)
{
    if (why) {
        text_add(why, str_from_c(reason));
    }
    return key_mistake(part, index, ret);
}

/* ---- a chain with its key ---- */

const rustls_certified_key *engine_certified_key(const EngineKey *key)
{
    return key->plain;
}

/* The clock is read only for a key that has a response. */
const rustls_certified_key *engine_stapled_key(const EngineKey *key)
{
    bool good = key->stapled && tls_staple_at(&key->staple, time(NULL)) == TLS_STAPLE_GOOD;
    return good ? key->stapled : key->plain;
}

TlsStaple engine_key_staple(const EngineKey *key)
{
    return key->staple;
}

/* Suites and groups have nothing to do with keys, so that one provider reads them all. */
static const rustls_crypto_provider *provider;
static pthread_once_t provider_once = PTHREAD_ONCE_INIT;

static void make_provider(void)
{
    provider = river_tls_provider_new(NULL, 0, NULL, 0);
}

/* The chain with its key, which must fit each other. */
static Err pair_load(const TlsPair *pair, size_t index, const rustls_certified_key **ret,
                     TlsMistake *ret_mistake, Text *why)
{
    rustls_signing_key *key = NULL;
    if (pair->chain.len == 0 || pair->key.len == 0) {
        return engine_refused_because("it is empty",
                                      pair->chain.len == 0 ? TLS_PART_CHAIN : TLS_PART_KEY, index,
                                      ret_mistake, why);
    }
    rustls_result result =
        rustls_crypto_provider_load_key(provider, pair->key.at /* system call */, pair->key.len,
                                        &key);
    if (result != RUSTLS_RESULT_OK) {
        return engine_refused(result, TLS_PART_KEY, index, ret_mistake, why);
    }
    const rustls_certified_key *made = NULL;
    result = rustls_certified_key_build_with_signing_key(pair->chain.at /* system call */,
                                                         pair->chain.len, key, &made);
    if (result != RUSTLS_RESULT_OK) {
        return engine_refused(result, TLS_PART_CHAIN, index, ret_mistake, why);
    }
    if (!rustls_certified_key_get_certificate(made, 0)) {
        rustls_certified_key_free(made);
        return engine_refused_because("no certificate in PEM form stands there", TLS_PART_CHAIN,
                                      index, ret_mistake, why);
    }
    result = rustls_certified_key_keys_match(made);
    if (result != RUSTLS_RESULT_OK && result != RUSTLS_RESULT_INCONSISTENT_KEYS_UNKNOWN) {
        bool differ = result == RUSTLS_RESULT_INCONSISTENT_KEYS_KEYS_MISMATCH;
        rustls_certified_key_free(made);
        if (result == RUSTLS_RESULT_CERT_OTHER_ERROR) { /* such as one without extensions */
            return engine_refused_because("the first one is none of X.509 version 3",
                                          TLS_PART_CHAIN, index, ret_mistake, why);
        }
        return engine_refused(result, differ ? TLS_PART_PAIR : TLS_PART_CHAIN, index, ret_mistake,
                              why);
    }
    *ret = made;
    return ERR_OK;
}

/* The same key with a response that is good, for as long as that is. */
static Err key_staple(EngineKey *key, const TlsPair *pair, size_t index, TlsMistake *ret_mistake,
                      Text *why)
{
    key->staple = engine_staple(pair);
    if (key->staple.state != TLS_STAPLE_GOOD) {
        return ERR_OK;
    }
    rustls_slice_bytes ocsp = {.data = pair->ocsp.at /* system call */, .len = pair->ocsp.len};
    rustls_result result = rustls_certified_key_clone_with_ocsp(key->plain, &ocsp, &key->stapled);
    return result == RUSTLS_RESULT_OK
               ? ERR_OK
               : engine_refused(result, TLS_PART_OCSP, index, ret_mistake, why);
}

Err engine_key_new(const TlsPair *pair, size_t index, EngineKey **ret, TlsMistake *ret_mistake,
                   Text *why)
{
    (void)pthread_once(&provider_once, make_provider);
    EngineKey *key = provider ? (EngineKey *)memory_new(NULL, sizeof *key) : NULL;
    if (!key) {
        return ERR_MEMORY;
    }
    Err err = pair_load(pair, index, &key->plain, ret_mistake, why);
    err = err == ERR_OK ? key_staple(key, pair, index, ret_mistake, why) : err;
    if (err != ERR_OK) {
        engine_key_drop(key);
        return err;
    }
    *ret = key;
    return ERR_OK;
}

void engine_key_drop(EngineKey *key)
{
    if (key) {
        rustls_certified_key_free(key->plain);
        rustls_certified_key_free(key->stapled);
        memory_drop(NULL, key, sizeof *key);
    }
}

/* Whether it can sign by one of the schemes (RFC 8446 §4.2.3). */
static bool key_signs(const EngineKey *key, const uint16_t *schemes, size_t count)
{
    rustls_client_hello hello = {.signature_schemes = {.data = schemes, .len = count}};
    const rustls_certified_key *candidate = engine_certified_key(key);
    const rustls_certified_key *found = NULL;
    return rustls_client_hello_select_certified_key(&hello, &candidate, 1, &found) ==
           RUSTLS_RESULT_OK;
}

bool engine_key_is_modern(const EngineKey *key)
{
    static const uint16_t schemes[] = {0x0403, 0x0503, 0x0603, 0x0807};
    return key_signs(key, schemes, sizeof schemes / sizeof schemes[0]);
}

uint16_t engine_key_group(const EngineKey *key)
{
    static const uint16_t curves[][2] = { /* ecdsa_secp256r1_sha256 and so on, and its group */
        {0x0403, 23}, {0x0503, 24}, {0x0603, 25}};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (key_signs(key, &curves[i][0], 1)) {
            return curves[i][1];
        }
    }
    return 0;
}

/* ---- authorities ---- */

const rustls_root_cert_store *engine_root_store(const EngineRoots *roots)
{
    return (const rustls_root_cert_store *)(const void *)roots;
}

Err engine_roots_new(Str pem, bool strict, TlsPart part, EngineRoots **ret, TlsMistake *ret_mistake,
                     Text *why)
{
    const rustls_root_cert_store *made = NULL;
    rustls_root_cert_store_builder *builder = rustls_root_cert_store_builder_new();
    rustls_result result = rustls_root_cert_store_builder_add_pem(
        builder, pem.at /* system call */, pem.len, strict);
    if (result == RUSTLS_RESULT_OK) {
        result = rustls_root_cert_store_builder_build(builder, &made);
    }
    rustls_root_cert_store_builder_free(builder);
    if (result != RUSTLS_RESULT_OK) {
        return engine_refused(result, part, 0, ret_mistake, why);
    }
    *ret = (EngineRoots *)(uintptr_t)made;
    return ERR_OK;
}

void engine_roots_drop(EngineRoots *roots)
{
    rustls_root_cert_store_free(engine_root_store(roots));
}
