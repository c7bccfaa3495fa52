/* material.c - plans of TLS from what files hold. */
#include "config/material.h"

TlsServerPlan material_server_plan(const ListenerTls *tls, TlsPair *pairs, int key_log_fd)
{
    size_t clients = tls->pair_count * TLS_FILES_OF_PAIR;
    for (size_t i = 0; i < tls->pair_count; i++) {
        const size_t at = i * TLS_FILES_OF_PAIR;
        pairs[i] = (TlsPair){.chain = tls->files[at + TLS_FILE_CHAIN].bytes,
                             .key = tls->files[at + TLS_FILE_KEY].bytes,
                             .ocsp = tls->files[at + TLS_FILE_OCSP].bytes};
    }
    return (TlsServerPlan){
        .pair_count = tls->pair_count,
        .pairs = pairs,
        .versions = tls->versions,
        .suites = tls->suites,
        .groups = tls->groups,
        .offer_h2 = tls->offer_h2,
        .offer_h1 = true,
        .clients = tls->clients == CLIENT_CERTIFICATES_REQUIRED   ? TLS_CLIENTS_REQUIRED
                   : tls->clients == CLIENT_CERTIFICATES_OPTIONAL ? TLS_CLIENTS_OPTIONAL
                                                                  : TLS_CLIENTS_NONE,
        .client_roots = tls->files[clients + TLS_FILE_CLIENT_ROOTS].bytes,
        .client_crls = tls->files[clients + TLS_FILE_CLIENT_CRLS].bytes,
        .key_log_fd = key_log_fd,
    };
}

TlsClientPlan material_client_plan(const ConnectorSettings *connector, Str platform_roots)
{
    const ConnectorTls *tls = &connector->tls;
    bool own = tls->roots.path.len != 0;
    return (TlsClientPlan){
        .name = tls->name,
        .roots = own ? tls->roots.bytes : platform_roots,
        .roots_of_platform = !own,
        .own = {.chain = tls->chain.bytes, .key = tls->key.bytes},
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
