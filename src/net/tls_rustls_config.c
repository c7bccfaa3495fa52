/* tls_rustls_config.c - what connections are made from: which authorities to trust, what to offer;
 * and the choice of a certificate for each client. */
#include "net/tls_rustls.h"

#define TICKETS 2u /* that a client gets after a handshake in TLS 1.3 */

static Err config_mistake(TlsPart part, size_t index, TlsMistake *ret)
{
    *ret = (TlsMistake){.part = part, .index = index};
    return ERR_SYNTAX;
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
        return config_mistake(TLS_PART_VERSIONS, ret->version_count, ret_mistake);
    }
    if (suites.len > 0 &&
        tls_known_ids(engine_names(TLS_LIST_SUITES), suites, suite_ids, &suite_count) != ERR_OK) {
        return config_mistake(TLS_PART_SUITES, suite_count, ret_mistake);
    }
    if (groups.len > 0 &&
        tls_known_ids(engine_names(TLS_LIST_GROUPS), groups, group_ids, &group_count) != ERR_OK) {
        return config_mistake(TLS_PART_GROUPS, group_count, ret_mistake);
    }
    ret->provider = river_tls_provider_new(group_ids, group_count, suite_ids, suite_count);
    return ret->provider ? ERR_OK : ERR_MEMORY;
}

typedef struct Alpn {
    size_t count;
    rustls_slice_bytes names[3];
} Alpn;

static void alpn_add(Alpn *alpn, Str name)
{
    alpn->names[alpn->count++] =
        (rustls_slice_bytes){.data = name.at /* system call */, .len = name.len};
}

/* A server also takes the name of HTTP/1.0, since it serves clients that know nothing else. */
static Alpn alpn_make(bool h2, bool h1, bool server)
{
    Alpn alpn = {0};
    if (h2) {
        alpn_add(&alpn, S("h2"));
    }
    if (h1) {
        alpn_add(&alpn, S("http/1.1"));
    }
    if (h1 && server) {
        alpn_add(&alpn, S("http/1.0"));
    }
    return alpn;
}

/* ---- a server's configuration ---- */

/* Whether the client may know the curve of a key. One that lists no groups may know all. */
static bool knows_curve(const rustls_client_hello *hello, uint16_t group)
{
    bool known = group == 0 || hello->named_groups.len == 0;
    for (size_t i = 0; i < hello->named_groups.len && !known; i++) {
        known = hello->named_groups.data[i] == group;
    }
    return known;
}

/* The certificate for this client: by name, then by what it can verify. Signature schemes say that,
 * but not in TLS 1.2, where they name no curve: there the groups do (RFC 8422 §5.1). So keys on
 * curves that are not among those come last. */
static const rustls_certified_key *on_hello(void *context, const rustls_client_hello *hello)
{
    const EngineServer *s = (const EngineServer *)context;
    uint32_t pairs[TLS_NAME_PAIRS_MAX];
    const rustls_certified_key *candidates[TLS_NAME_PAIRS_MAX];
    Str sni = str_of(hello->server_name.data, hello->server_name.len);
    size_t count = tls_names_find(s->parts.names, sni, pairs, TLS_NAME_PAIRS_MAX);
    size_t fit = 0;
    for (unsigned known = 2; known-- > 0;) {
        for (size_t i = 0; i < count; i++) {
            if (knows_curve(hello, s->parts.groups[pairs[i]]) == (known == 1)) {
                candidates[fit++] = engine_stapled_key(s->parts.keys[pairs[i]]);
            }
        }
    }
    const rustls_certified_key *chosen = candidates[0]; /* then rustls says what does not fit */
    (void)rustls_client_hello_select_certified_key(hello, candidates, count, &chosen);
    return chosen;
}

/* With lists of revoked certificates. */
static Err strict_verifier_make(const Base *base, const TlsServerPlan *plan,
                                const EngineServerParts *parts, rustls_client_cert_verifier **ret,
                                TlsMistake *ret_mistake, Text *why)
{
    rustls_result result = river_crls_verifier(
        engine_lists(parts->client_crls), base->provider, engine_root_store(parts->client_roots),
        plan->clients == TLS_CLIENTS_REQUIRED, plan->refuse_expired_crls, ret);
    return result == RUSTLS_RESULT_OK
               ? ERR_OK
               : engine_refused(result, TLS_PART_CLIENT_ROOTS, 0, ret_mistake, why);
}

static Err verifier_make(const Base *base, const TlsServerPlan *plan, const EngineRoots *roots,
                         rustls_client_cert_verifier **ret, TlsMistake *ret_mistake, Text *why)
{
    rustls_web_pki_client_cert_verifier_builder *builder =
        rustls_web_pki_client_cert_verifier_builder_new_with_provider(base->provider,
                                                                      engine_root_store(roots));
    rustls_result result = RUSTLS_RESULT_OK;
    if (plan->clients == TLS_CLIENTS_OPTIONAL) {
        result = rustls_web_pki_client_cert_verifier_builder_allow_unauthenticated(builder);
    }
    if (result == RUSTLS_RESULT_OK) {
        result = rustls_web_pki_client_cert_verifier_builder_build(builder, ret);
    }
    rustls_web_pki_client_cert_verifier_builder_free(builder);
    return result == RUSTLS_RESULT_OK
               ? ERR_OK
               : engine_refused(result, TLS_PART_CLIENT_ROOTS, 0, ret_mistake, why);
}

/* Ticket keys of its own: no other server can resume its sessions. */
static Err finish_server(EngineServer *s, uint32_t session_s, int key_log_fd)
{
    s->tickets = river_tls_ticketer_new(session_s);
    rustls_result result =
        s->tickets ? river_tls_server_config_set_tickets(
                         &s->config, session_s > 0 ? s->tickets : NULL, TICKETS)
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
    if (s->parts.client_crls) {
        TRY(strict_verifier_make(base, plan, &s->parts, &verifier, ret_mistake, why));
    } else if (s->parts.client_roots) {
        TRY(verifier_make(base, plan, s->parts.client_roots, &verifier, ret_mistake, why));
    }
    rustls_server_config_builder *builder = NULL;
    rustls_result result = rustls_server_config_builder_new_custom(
        base->provider, base->versions, base->version_count, &builder);
    if (result != RUSTLS_RESULT_OK) {
        rustls_client_cert_verifier_free(verifier);
        return ERR_MEMORY;
    }
    Alpn alpn = alpn_make(plan->offer_h2, plan->offer_h1, true);
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
               ? finish_server(s, plan->session_lifetime_s, plan->key_log_fd)
               : engine_refused_because("none of them fits the versions", TLS_PART_SUITES, 0,
                                        ret_mistake, why);
}

Err engine_server_new(Arena *a, const TlsServerPlan *plan, const EngineServerParts *parts,
                      EngineServer **ret, TlsMistake *ret_mistake, Text *why)
{
    Base base = {0};
    EngineServer *s = arena_new(a, EngineServer);
    if (!s) {
        return ERR_MEMORY;
    }
    s->parts = *parts;
    TRY(base_make(plan->versions, plan->suites, plan->groups, &base, ret_mistake));
    Err err = server_config(s, &base, plan, ret_mistake, why);
    rustls_crypto_provider_free(base.provider);
    if (err != ERR_OK) {
        engine_server_drop(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void engine_server_drop(EngineServer *s)
{
    river_tls_ticketer_free(s->tickets);
    s->tickets = NULL;
    rustls_server_config_free(s->config);
    s->config = NULL;
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
                        const EngineRoots *roots, TlsMistake *ret_mistake, Text *why)
{
    if (!roots) {
        rustls_result result = rustls_client_config_builder_dangerous_set_certificate_verifier(
            builder, on_any_certificate);
        return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
    }
    rustls_web_pki_server_cert_verifier_builder *made =
        rustls_web_pki_server_cert_verifier_builder_new_with_provider(base->provider,
                                                                      engine_root_store(roots));
    rustls_server_cert_verifier *verifier = NULL;
    rustls_result result = rustls_web_pki_server_cert_verifier_builder_build(made, &verifier);
    rustls_web_pki_server_cert_verifier_builder_free(made);
    if (result != RUSTLS_RESULT_OK) {
        return engine_refused(result, TLS_PART_ROOTS, 0, ret_mistake, why);
    }
    rustls_client_config_builder_set_server_verifier(builder, verifier);
    rustls_server_cert_verifier_free(verifier);
    return ERR_OK;
}

/* What a client is made of. */
typedef struct ClientParts {
    const TlsClientPlan *plan;
    const EngineKey *own;     /* may be NULL */
    const EngineRoots *roots; /* may be NULL */
} ClientParts;

static Err fill_client(rustls_client_config_builder *builder, const Base *base,
                       const ClientParts *parts, TlsMistake *ret_mistake, Text *why)
{
    const TlsClientPlan *plan = parts->plan;
    TRY(set_verifier(builder, base, parts->roots, ret_mistake, why));
    Alpn alpn = alpn_make(plan->offer_h2, plan->offer_h1, false);
    rustls_result result =
        rustls_client_config_builder_set_alpn_protocols(builder, alpn.names, alpn.count);
    if (result == RUSTLS_RESULT_OK && parts->own) {
        const rustls_certified_key *key = engine_certified_key(parts->own);
        result = rustls_client_config_builder_set_certified_key(builder, &key, 1);
    }
    return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
}

static Err client_config(EngineClient *c, const Base *base, const ClientParts *parts,
                         TlsMistake *ret_mistake, Text *why)
{
    int key_log_fd = parts->plan->key_log_fd;
    rustls_client_config_builder *builder = NULL;
    rustls_result result = rustls_client_config_builder_new_custom(
        base->provider, base->versions, base->version_count, &builder);
    if (result != RUSTLS_RESULT_OK) {
        return ERR_MEMORY;
    }
    Err err = fill_client(builder, base, parts, ret_mistake, why);
    if (err != ERR_OK) {
        rustls_client_config_builder_free(builder);
        return err;
    }
    result = rustls_client_config_builder_build(builder, &c->config);
    c->key_log_fd = key_log_fd;
    if (result == RUSTLS_RESULT_OK) {
        result = river_tls_client_config_set_verifier(
            &c->config, parts->roots ? engine_root_store(parts->roots) : NULL);
    }
    if (result == RUSTLS_RESULT_OK && key_log_fd >= 0) {
        result = river_tls_client_config_set_key_log(&c->config, engine_on_secret, &c->key_log_fd);
    }
    return result == RUSTLS_RESULT_OK ? ERR_OK : ERR_MEMORY;
}

/* rustls looks at the name only when it is asked to connect. */
static Err try_name(EngineClient *c, TlsMistake *ret_mistake, Text *why)
{
    Engine *trial = NULL;
    Err err = engine_connect(c, &trial);
    engine_free(trial);
    return err == ERR_SYNTAX
               ? engine_refused_because("it is neither a DNS name nor an IP address", TLS_PART_NAME,
                                        0, ret_mistake, why)
               : err;
}

Err engine_client_new(Arena *a, const TlsClientPlan *plan, const EngineKey *own,
                      const EngineRoots *roots, EngineClient **ret, TlsMistake *ret_mistake,
                      Text *why)
{
    ClientParts parts = {.plan = plan, .own = own, .roots = roots};
    Base base = {0};
    EngineClient *c = arena_new(a, EngineClient);
    if (!c) {
        return ERR_MEMORY;
    }
    if (str_to_c(plan->name, span_of(c->name, sizeof c->name)) != ERR_OK) {
        return engine_refused_because("it is too long", TLS_PART_NAME, 0, ret_mistake, why);
    }
    TRY(base_make(STR_NONE, STR_NONE, STR_NONE, &base, ret_mistake));
    Err err = client_config(c, &base, &parts, ret_mistake, why);
    rustls_crypto_provider_free(base.provider);
    err = err == ERR_OK ? try_name(c, ret_mistake, why) : err;
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
