/* own_certificates.h - the certificates that River shows to origins, each once per service. */
#ifndef APP_OWN_CERTIFICATES_H
#define APP_OWN_CERTIFICATES_H

#include "config/settings.h"

typedef struct OwnCertificate {
    Str service;
    const ConnectorSettings *first; /* the first connector that shows it */
    size_t connectors;
} OwnCertificate;

/* In the order of the services; a chain used by several connectors of a service is listed once. The
 * result lies in the arena and points into the settings. ERR_MEMORY only. */
MUST_USE Err own_certificates(const Settings *settings, Arena *a, const OwnCertificate **ret,
                              size_t *ret_count);

#endif
