/* material.h - from files that the configuration names to plans of TLS. */
#ifndef CONFIG_MATERIAL_H
#define CONFIG_MATERIAL_H

#include "config/settings.h"
#include "net/tls.h"

/* A certificate with its key, and an OCSP response or NULL, as their files hold them: only a
 * process that may see keys may look at the bytes (settings_whole). */
TlsPair material_pair(const FileSettings *chain, const FileSettings *key, const FileSettings *ocsp);
/* What the OCSP response of a pair is worth, whose files these are: TLS_STAPLE_NONE where none is
 * named. ERR_MEMORY only. */
MUST_USE Err material_staple(const FileSettings *files, CertificateCache *cache, TlsStaple *ret);
/* What of a listener's plan is about its clients; the rest is empty. */
TlsServerPlan material_clients_plan(const ListenerTls *tls);
/* Where its lists of revoked certificates are; empty: nowhere. */
Str material_crl_path(const ListenerTls *tls);
/* The plan of a listener; `pairs` is room for its pair_count pairs. */
TlsServerPlan material_server_plan(const ListenerTls *tls, TlsPair *pairs, int key_log_fd);
TlsClientPlan material_client_plan(const ConnectorSettings *connector, Str platform_roots);
/* The position among the listener's files of the one that a mistake is in. */
size_t material_file_of(const ListenerTls *tls, TlsMistake mistake);

#endif
