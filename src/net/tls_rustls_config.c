/* tls_rustls_config.c - what connections are made from: certificates with their keys, whom to
 * trust, what to offer; and the choice of a certificate for each client. */
#include "net/tls_rustls.h"

#define TICKETS 2u /* that a client gets after a handshake in TLS 1.3 */

/* ---- mistakes ---- */

static Err mistake(TlsPart part, size_t index, TlsMistake *ret)
{
    *ret = (TlsMistake){.part = part, .index = index};
    return ERR_SYNTAX;
}

/* The same with rustls's words. */
static Err refused(rustls_result result, TlsPart part, size_t index, TlsMistake *ret, Text *why)
{
    if (why) {
        engine_words(result, why);
    }
    return mistake(part, index, ret);
}

static Err refused_because(const char *reason, TlsPart part, size_t index, TlsMistake *ret,
                           Text *why)
{
    if (why) {
        text_add(why, str_from_c(reason));
    }
    return mistake(part, index, ret);
}

/* ---- what both sides' configurations are made of ---- */

typedef struct Base {
    const rustls_crypto_provider *provider;
    size_t version_count;
    uint16_t versions[TLS_KNOWN_MAX];
} Base;

/* A provider with these suites and groups (empty: rustls's own choice), and versions. */
static Err base_make(Str versions, Str suites, Str groups, Base *ret, TlsMistake *ret_mistake)
{
    uint16_t suite_ids[TLS_KNOWN_MAX];
    uint16_t group_ids[TLS_KNOWN_MAX];
    size_t suite_count = 0;
    size_t group_count = 0;
    if (tls_known_ids(engine_names(TLS_LIST_VERSIONS), versions, ret->versions,
                      &ret->version_count) != ERR_OK) {
        return mistake(TLS_PART_VERSIONS, ret->version_count, ret_mistake);
    }
    if (suites.len > 0 &&
        tls_known_ids(engine_names(TLS_LIST_SUITES), suites, suite_ids, &suite_count) != ERR_OK) {
        return mistake(TLS_PART_SUITES, suite_count, ret_mistake);
    }
    if (groups.len > 0 &&
        tls_known_ids(engine_names(TLS_LIST_GROUPS), groups, group_ids, &group_count) != ERR_OK) {
        return mistake(TLS_PART_GROUPS, group_count, ret_mistake);
    }
    ret->provider = river_tls_provider_new(group_ids, group_count, suite_ids, suite_count);
    return ret->provider ? ERR_OK : ERR_MEMORY;
}

/* The chain with its key, which must fit each other. */
static Err pair_load(const rustls_crypto_provider *provider, const TlsPair *pair, size_t index,
                     const rustls_certified_key **ret, TlsMistake *ret_mistake, Text *why)
{
    rustls_signing_key *key = NULL;
    if (pair->chain.len == 0 || pair->key.len == 0) {
        return refused_because("it is empty", pair->chain.len == 0 ? TLS_PART_CHAIN : TLS_PART_KEY,
                               index, ret_mistake, why);
    }
    rustls_result result =
        rustls_crypto_provider_load_key(provider, pair->key.at /* system call */, pair->key.len,
                                        &key);
    if (result != RUSTLS_RESULT_OK) {
        return refused(result, TLS_PART_KEY, index, ret_mistake, why);
    }
    const rustls_certified_key *made = NULL;
    result = rustls_certified_key_build_with_signing_key(pair->chain.at /* system call */,
                                                         pair->chain.len, key, &made);
    if (result != RUSTLS_RESULT_OK) {
        return refused(result, TLS_PART_CHAIN, index, ret_mistake, why);
    }
    if (!rustls_certified_key_get_certificate(made, 0)) {
        rustls_certified_key_free(made);
        return refused_because("no certificate in PEM form stands there", TLS_PART_CHAIN, index,
                               ret_mistake, why);
    }
    result = rustls_certified_key_keys_match(made);
    if (result != RUSTLS_RESULT_OK && result != RUSTLS_RESULT_INCONSISTENT_KEYS_UNKNOWN) {
        bool differ = result == RUSTLS_RESULT_INCONSISTENT_KEYS_KEYS_MISMATCH;
        rustls_certified_key_free(made);
        return refused(result, differ ? TLS_PART_PAIR : TLS_PART_CHAIN, index, ret_mistake, why);
    }
    *ret = made;
    return ERR_OK;
}

/* `strict`: every certificate must be one that rustls understands. */
static Err roots_load(Str pem, bool strict, TlsPart part, const rustls_root_cert_store **ret,
                      TlsMistake *ret_mistake, Text *why)
{
    rustls_root_cert_store_builder *builder = rustls_root_cert_store_builder_new();
    rustls_result result = rustls_root_cert_store_builder_add_pem(
        builder, pem.at /* system call */, pem.len, strict);
    if (result == RUSTLS_RESULT_OK) {
        result = rustls_root_cert_store_builder_build(builder, ret);
    }
    rustls_root_cert_store_builder_free(builder);
    return result == RUSTLS_RESULT_OK ? ERR_OK : refused(result, part, 0, ret_mistake, why);
}

typedef struct Alpn {
    size_t count;
    rustls_slice_bytes names[2];
} Alpn;

static Alpn alpn_make(bool h2, bool h1)
{
    Alpn alpn = {0};
    if (h2) {
        alpn.names[alpn.count++] = (rustls_slice_bytes){.data = (const uint8_t *)"h2", .len = 2};
    }
    if (h1) {
        alpn.names[alpn.count++] =
            (rustls_slice_bytes){.data = (const uint8_t *)"http/1.1", .len = 8};
    }
    return alpn;
}

/* ---- a server's configuration ---- */

/* Whether a client that knows no RSA could use the key: such keys are cheaper and go first. */
static bool is_modern(const rustls_certified_key *key)
{
    static const uint16_t schemes[] = {0x0403, 0x0503, 0x0603, 0x0807}; /* RFC 8446 §4.2.3 */
    rustls_client_hello hello = {
        .signature_schemes = {.data = schemes, .len = sizeof schemes / sizeof schemes[0]}};
    const rustls_certified_key *found = NULL;
    return rustls_client_hello_select_certified_key(&hello, &key, 1, &found) == RUSTLS_RESULT_OK;
}

/* The certificate for this client: by name, then by what it can verify. */
static const rustls_certified_key *on_hello(void *context, const rustls_client_hello *hello)
{
    const EngineServer *s = (const EngineServer *)context;
    uint32_t pairs[TLS_NAME_PAIRS_MAX];
    const rustls_certified_key *candidates[TLS_NAME_PAIRS_MAX];
    Str sni = str_of(hello->server_name.data, hello->server_name.len);
    size_t count = tls_names_find(s->names, sni, pairs, TLS_NAME_PAIRS_MAX);
    for (size_t i = 0; i < count; i++) {
        candidates[i] = s->keys[pairs[i]];
    }
    const rustls_certified_key *chosen = candidates[0]; /* then rustls says what does not fit */
    (void)rustls_client_hello_select_certified_key(hello, candidates, count, &chosen);
    return chosen;
}

/* Adds the response to staple; a response is a SEQUENCE in DER (RFC 6960 §4.2.1). */
static Err staple(const TlsPair *pair, size_t index, const rustls_certified_key **key,
                  TlsMistake *ret_mistake, Text *why)
{
    if (pair->ocsp.len == 0) {
        return ERR_OK;
    }
    if (str_at(pair->ocsp, 0) != 0x30) {
        return refused_because("it is not in DER form", TLS_PART_OCSP, index, ret_mistake, why);
    }
    rustls_slice_bytes ocsp = {.data = pair->ocsp.at /* system call */, .len = pair->ocsp.len};
    const rustls_certified_key *stapled = NULL;
    rustls_result result = rustls_certified_key_clone_with_ocsp(*key, &ocsp, &stapled);
    if (result != RUSTLS_RESULT_OK) {
        return refused(result, TLS_PART_OCSP, index, ret_mistake, why);
    }
    rustls_certified_key_free(*key);
    *key = stapled;
    return ERR_OK;
}

static Err keys_load(EngineServer *s, Arena *a, const Base *base, const TlsServerPlan *plan,
                     TlsNames *names, TlsMistake *ret_mistake, Text *why)
{
    size_t name_count = 0;
    TlsCertificate *about = arena_array(a, TlsCertificate, plan->pair_count);
    const rustls_certified_key **keys =
        (const rustls_certified_key **)arena_alloc_array(a, plan->pair_count, sizeof *keys);
    if (!about || !keys) {
        return ERR_MEMORY;
    }
    s->keys = keys;
    s->key_count = plan->pair_count;
    for (size_t i = 0; i < plan->pair_count; i++) {
        const TlsPair *pair = &plan->pairs[i];
        TRY(pair_load(base->provider, pair, i, &s->keys[i], ret_mistake, why));
        TRY(staple(pair, i, &s->keys[i], ret_mistake, why));
        if (engine_certificate_read(pair->chain, a, &about[i]) != ERR_OK) {
            return refused_because("the certificate is malformed", TLS_PART_CHAIN, i, ret_mistake,
                                   why);
        }
        name_count += tls_names_count(about[i].names);
    }
    TRY(tls_names_open(a, name_count, names));
    for (size_t i = 0; i < plan->pair_count; i++) {
        TRY(tls_names_add(names, a, about[i].names, i, is_modern(s->keys[i]) ? 0 : 1));
    }
    tls_names_close(names, str_cut(about[0].names, ',').head);
    s->names = names;
    return ERR_OK;
}

static Err verifier_make(const Base *base, const TlsServerPlan *plan,
                         rustls_client_cert_verifier **ret, TlsMistake *ret_mistake, Text *why)
{
    const rustls_root_cert_store *roots = NULL;
    TRY(roots_load(plan->client_roots, true, TLS_PART_CLIENT_ROOTS, &roots, ret_mistake, why));
    rustls_web_pki_client_cert_verifier_builder *builder =
        rustls_web_pki_client_cert_verifier_builder_new_with_provider(base->provider, roots);
    rustls_root_cert_store_free(roots);
    rustls_result result = RUSTLS_RESULT_OK;
    TlsPart part = TLS_PART_CLIENT_CRLS;
    if (plan->client_crls.len > 0) {
        result = rustls_web_pki_client_cert_verifier_builder_add_crl(
            builder, plan->client_crls.at /* system call */, plan->client_crls.len);
    }
    if (result == RUSTLS_RESULT_OK && plan->clients == TLS_CLIENTS_OPTIONAL) {
        result = rustls_web_pki_client_cert_verifier_builder_allow_unauthenticated(builder);
    }
    if (result == RUSTLS_RESULT_OK) {
        result = rustls_web_pki_client_cert_verifier_builder_build(builder, ret);
        bool empty = result == RUSTLS_RESULT_CLIENT_CERT_VERIFIER_BUILDER_NO_ROOT_ANCHORS;
        part = empty ? TLS_PART_CLIENT_ROOTS : part;
    }
    rustls_web_pki_client_cert_verifier_builder_free(builder);
    return result == RUSTLS_RESULT_OK ? ERR_OK : refused(result, part, 0, ret_mistake, why);
}

/* Ticket keys of its own: no other server can resume its sessions. */
static Err finish_server(EngineServer *s, int key_log_fd)
{
    s->tickets = river_tls_ticketer_new();
    rustls_result result =
        s->tickets ? river_tls_server_config_set_tickets(&s->config, s->tickets, TICKETS)
                   : RUSTLS_RESULT_PANIC;
    s->key_log_fd = key_log_fd;
    if (result == RUSTLS_RESULT_OK && key_log_fd >= 0) {
        result = river_tls_server_config_set_key_log(&s->config, engine_on_secret, &s->key_log_fd);
    }
    return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
}

static Err server_config(EngineServer *s, const Base *base, const TlsServerPlan *plan,
                         TlsMistake *ret_mistake, Text *why)
{
    rustls_client_cert_verifier *verifier = NULL;
    if (plan->clients != TLS_CLIENTS_NONE) {
        TRY(verifier_make(base, plan, &verifier, ret_mistake, why));
    }
    rustls_server_config_builder *builder = NULL;
    rustls_result result = rustls_server_config_builder_new_custom(
        base->provider, base->versions, base->version_count, &builder);
    if (result != RUSTLS_RESULT_OK) {
        rustls_client_cert_verifier_free(verifier);
        return ERR_MEMORY;
    }
    Alpn alpn = alpn_make(plan->offer_h2, plan->offer_h1);
    if (verifier) {
        rustls_server_config_builder_set_client_verifier(builder, verifier);
        rustls_client_cert_verifier_free(verifier);
    }
    result = rustls_server_config_builder_set_alpn_protocols(builder, alpn.names, alpn.count);
    if (result == RUSTLS_RESULT_OK) {
        result = rustls_server_config_builder_set_hello_callback(builder, on_hello);
    }
    if (result != RUSTLS_RESULT_OK) {
        rustls_server_config_builder_free(builder);
        return ERR_MEMORY;
    }
    result = rustls_server_config_builder_build(builder, &s->config);
    /* Only suites and groups that fit no version can be at fault by now. */
    return result == RUSTLS_RESULT_OK
               ? finish_server(s, plan->key_log_fd)
               : refused_because("none of them fits the versions", TLS_PART_SUITES, 0, ret_mistake,
                                 why);
}

Err engine_server_new(Arena *a, const TlsServerPlan *plan, TlsNames *names, EngineServer **ret,
                      TlsMistake *ret_mistake, Text *why)
{
    Base base = {0};
    EngineServer *s = arena_new(a, EngineServer);
    if (!s) {
        return ERR_MEMORY;
    }
    TRY(base_make(plan->versions, plan->suites, plan->groups, &base, ret_mistake));
    Err err = keys_load(s, a, &base, plan, names, ret_mistake, why);
    if (err == ERR_OK) {
        err = server_config(s, &base, plan, ret_mistake, why);
    }
    rustls_crypto_provider_free(base.provider);
    if (err != ERR_OK) {
        engine_server_drop(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void engine_save_tickets(const EngineServer *s, Text *out)
{
    uint8_t keys[TLS_TICKETS_BYTES_MAX];
    size_t len = river_tls_ticketer_save(s->tickets, keys, sizeof keys);
    text_add(out, str_of(keys, len));
    memory_wipe(keys, sizeof keys);
}

bool engine_restore_tickets(const EngineServer *s, Str keys)
{
    return river_tls_ticketer_restore(s->tickets, keys.at, keys.len); /* foreign call */
}

void engine_server_drop(EngineServer *s)
{
    river_tls_ticketer_free(s->tickets);
    s->tickets = NULL;
    rustls_server_config_free(s->config);
    for (size_t i = 0; i < s->key_count; i++) {
        rustls_certified_key_free(s->keys[i]);
    }
    s->config = NULL;
    s->key_count = 0;
}

/* ---- a client's configuration ---- */

/* `verify=false`: the operator wrote that any certificate will do. */
static uint32_t on_any_certificate(void *context, const rustls_verify_server_cert_params *params)
{
    (void)context;
    (void)params;
    return RUSTLS_RESULT_OK;
}

static Err set_verifier(rustls_client_config_builder *builder, const Base *base,
                        const TlsClientPlan *plan, TlsMistake *ret_mistake, Text *why)
{
    if (!plan->verify) {
        rustls_result result = rustls_client_config_builder_dangerous_set_certificate_verifier(
            builder, on_any_certificate);
        return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
    }
    const rustls_root_cert_store *roots = NULL;
    TRY(roots_load(plan->roots, !plan->roots_of_platform, TLS_PART_ROOTS, &roots, ret_mistake,
                   why));
    rustls_web_pki_server_cert_verifier_builder *made =
        rustls_web_pki_server_cert_verifier_builder_new_with_provider(base->provider, roots);
    rustls_root_cert_store_free(roots);
    rustls_server_cert_verifier *verifier = NULL;
    rustls_result result = rustls_web_pki_server_cert_verifier_builder_build(made, &verifier);
    rustls_web_pki_server_cert_verifier_builder_free(made);
    if (result != RUSTLS_RESULT_OK) {
        return refused(result, TLS_PART_ROOTS, 0, ret_mistake, why);
    }
    rustls_client_config_builder_set_server_verifier(builder, verifier);
    rustls_server_cert_verifier_free(verifier);
    return ERR_OK;
}

static Err fill_client(rustls_client_config_builder *builder, const Base *base,
                       const TlsClientPlan *plan, TlsMistake *ret_mistake, Text *why)
{
    TRY(set_verifier(builder, base, plan, ret_mistake, why));
    Alpn alpn = alpn_make(plan->offer_h2, plan->offer_h1);
    rustls_result result =
        rustls_client_config_builder_set_alpn_protocols(builder, alpn.names, alpn.count);
    if (result == RUSTLS_RESULT_OK && plan->own.chain.len > 0) {
        const rustls_certified_key *key = NULL;
        TRY(pair_load(base->provider, &plan->own, 0, &key, ret_mistake, why));
        result = rustls_client_config_builder_set_certified_key(builder, &key, 1);
        rustls_certified_key_free(key);
    }
    return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
}

static Err client_config(EngineClient *c, const Base *base, const TlsClientPlan *plan,
                         TlsMistake *ret_mistake, Text *why)
{
    rustls_client_config_builder *builder = NULL;
    rustls_result result = rustls_client_config_builder_new_custom(
        base->provider, base->versions, base->version_count, &builder);
    if (result != RUSTLS_RESULT_OK) {
        return ERR_MEMORY;
    }
    Err err = fill_client(builder, base, plan, ret_mistake, why);
    if (err != ERR_OK) {
        rustls_client_config_builder_free(builder);
        return err;
    }
    result = rustls_client_config_builder_build(builder, &c->config);
    c->key_log_fd = plan->key_log_fd;
    if (result == RUSTLS_RESULT_OK && plan->key_log_fd >= 0) {
        result = river_tls_client_config_set_key_log(&c->config, engine_on_secret, &c->key_log_fd);
    }
    return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
}

Err engine_client_new(Arena *a, const TlsClientPlan *plan, EngineClient **ret,
                      TlsMistake *ret_mistake, Text *why)
{
    Base base = {0};
    EngineClient *c = arena_new(a, EngineClient);
    if (!c) {
        return ERR_MEMORY;
    }
    Engine *trial = NULL;
    if (str_to_c(plan->name, span_of(c->name, sizeof c->name)) != ERR_OK) {
        return refused_because("it is too long", TLS_PART_NAME, 0, ret_mistake, why);
    }
    TRY(base_make(STR_NONE, STR_NONE, STR_NONE, &base, ret_mistake));
    Err err = client_config(c, &base, plan, ret_mistake, why);
    rustls_crypto_provider_free(base.provider);
    if (err == ERR_OK) {
        err = engine_connect(c, &trial); /* rustls looks at the name only now */
        err = err == ERR_SYNTAX ? refused_because("it is neither a DNS name nor an IP address",
                                                  TLS_PART_NAME, 0, ret_mistake, why)
                                : err;
    }
    engine_free(trial);
    if (err != ERR_OK) {
        engine_client_drop(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

void engine_client_drop(EngineClient *c)
{
    rustls_client_config_free(c->config);
    c->config = NULL;
}
