/* certificates.h - what certificates the listeners and connectors of a configuration show, for the
 * status. */
#ifndef APP_CERTIFICATES_H
#define APP_CERTIFICATES_H

#include "admin/status.h"
#include "config/settings.h"

/* In the order of the listeners, as they are at `now_s`; what is returned lies in the arena.
 * `cache` is where they were parsed to. ERR_MEMORY only. */
MUST_USE Err certificates_list(const Settings *settings, CertificateCache *cache, int64_t now_s,
                               Arena *a, const CertificateStatus **ret, size_t *ret_count);

/* The same of those that connectors show to origins: each once for a service. */
MUST_USE Err certificates_own(const Settings *settings, Arena *a, const OwnCertificateStatus **ret,
                              size_t *ret_count);

/* The same of their lists of revoked certificates. */
MUST_USE Err certificates_crls(const Settings *settings, CertificateCache *cache, int64_t now_s,
                               Arena *a, const CrlStatus **ret, size_t *ret_count);

#endif
