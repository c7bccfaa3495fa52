/* certificates.h - lists the certificates of listeners and connectors, for the status. */
#ifndef APP_CERTIFICATES_H
#define APP_CERTIFICATES_H

#include "admin/status.h"
#include "config/settings.h"

/* Certificates of listeners, in the listeners' order, with their state at `now_s`; the result lies
 * in the arena. `cache` holds the parsed files. ERR_MEMORY only. */
MUST_USE Err certificates_list(const Settings *settings, CertificateCache *cache, int64_t now_s,
                               Arena *a, const CertificateStatus **ret, size_t *ret_count);

/* Certificates that connectors show to origins, each listed once per service. */
MUST_USE Err certificates_own(const Settings *settings, Arena *a, const OwnCertificateStatus **ret,
                              size_t *ret_count);

/* Listeners' lists of revoked certificates. */
MUST_USE Err certificates_crls(const Settings *settings, CertificateCache *cache, int64_t now_s,
                               Arena *a, const CrlStatus **ret, size_t *ret_count);

#endif
