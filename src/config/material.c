/* material.c - plans of TLS from what files hold. */
#include "config/material.h"

TlsPair material_pair(const FileSettings *chain, const FileSettings *key, const FileSettings *ocsp)
{
    TlsPair pair = {.chain = settings_whole(chain),
                    .key = settings_whole(key),
                    .ocsp = ocsp ? settings_whole(ocsp) : STR_NONE};
    fingerprint_join(&pair.print, &chain->identity);
    fingerprint_join(&pair.print, &key->identity);
    if (ocsp) {
        fingerprint_join(&pair.print, &ocsp->identity);
    }
    return pair;
}

Err material_staple(const FileSettings *files, CertificateCache *cache, TlsStaple *ret)
{
    const FileSettings *ocsp = &files[TLS_FILE_OCSP];
    if (ocsp->path.len == 0 || settings_whole(ocsp).len == 0) {
        bool empty = ocsp->path.len > 0;
        *ret = (TlsStaple){.state = empty ? TLS_STAPLE_MALFORMED : TLS_STAPLE_NONE};
        return ERR_OK;
    }
    TlsPair pair = material_pair(&files[TLS_FILE_CHAIN], &files[TLS_FILE_KEY], ocsp);
    return tls_pair_staple(&pair, cache, ret);
}

TlsServerPlan material_clients_plan(const ListenerTls *tls)
{
    size_t at = tls->pair_count * TLS_FILES_OF_PAIR;
    const FileSettings *roots = &tls->files[at + TLS_FILE_CLIENT_ROOTS];
    const FileSettings *crls = &tls->files[at + TLS_FILE_CLIENT_CRLS];
    TlsServerPlan plan = {
        .clients = tls->clients == CLIENT_CERTIFICATES_REQUIRED   ? TLS_CLIENTS_REQUIRED
                   : tls->clients == CLIENT_CERTIFICATES_OPTIONAL ? TLS_CLIENTS_OPTIONAL
                                                                  : TLS_CLIENTS_NONE,
        .client_roots = roots->bytes,
        .client_crls = crls->bytes,
        .refuse_expired_crls = tls->refuse_expired_crls,
    };
    fingerprint_join(&plan.clients_print, &roots->identity);
    fingerprint_join(&plan.clients_print, &crls->identity);
    return plan;
}

Str material_crl_path(const ListenerTls *tls)
{
    return tls->files[tls->pair_count * TLS_FILES_OF_PAIR + TLS_FILE_CLIENT_CRLS].path;
}

TlsServerPlan material_server_plan(const ListenerTls *tls, TlsPair *pairs, int key_log_fd)
{
    for (size_t i = 0; i < tls->pair_count; i++) {
        const FileSettings *files = &tls->files[i * TLS_FILES_OF_PAIR];
        pairs[i] =
            material_pair(&files[TLS_FILE_CHAIN], &files[TLS_FILE_KEY], &files[TLS_FILE_OCSP]);
    }
    TlsServerPlan plan = material_clients_plan(tls);
    plan.pair_count = tls->pair_count;
    plan.pairs = pairs;
    plan.versions = tls->versions;
    plan.suites = tls->suites;
    plan.groups = tls->groups;
    plan.offer_h2 = tls->offer_h2;
    plan.offer_h1 = true;
    plan.session_lifetime_s = tls->session_lifetime_s;
    plan.key_log_fd = key_log_fd;
    return plan;
}

TlsClientPlan material_client_plan(const ConnectorSettings *connector, Str platform_roots)
{
    const ConnectorTls *tls = &connector->tls;
    bool own = tls->roots.path.len != 0;
    return (TlsClientPlan){
        .name = tls->name,
        .roots = own ? tls->roots.bytes : platform_roots,
        .roots_of_platform = !own,
        .own = material_pair(&tls->chain, &tls->key, NULL),
        .verify = tls->verify,
        .offer_h2 = connector->protocol != PROTOCOL_H1,
        .offer_h1 = connector->protocol != PROTOCOL_H2,
        .key_log_fd = -1,
    };
}

size_t material_file_of(const ListenerTls *tls, TlsMistake mistake)
{
    size_t pair = mistake.index * TLS_FILES_OF_PAIR;
    size_t clients = tls->pair_count * TLS_FILES_OF_PAIR;
    switch ((int)mistake.part) {
    case TLS_PART_KEY:
    case TLS_PART_PAIR:
        return pair + TLS_FILE_KEY;
    case TLS_PART_OCSP:
        return pair + TLS_FILE_OCSP;
    case TLS_PART_CLIENT_ROOTS:
        return clients + TLS_FILE_CLIENT_ROOTS;
    case TLS_PART_CLIENT_CRLS:
        return clients + TLS_FILE_CLIENT_CRLS;
    default:
        return pair + TLS_FILE_CHAIN;
    }
}
