/* own_certificates.h - the certificates that River shows to origins, each once for a service. */
#ifndef APP_OWN_CERTIFICATES_H
#define APP_OWN_CERTIFICATES_H

#include "config/settings.h"

typedef struct OwnCertificate {
    Str service;
    const ConnectorSettings *first; /* the first of those that show it */
    size_t connectors;
} OwnCertificate;

/* In the order of the services; a chain and key that several connectors of a service name stand
 * once. What is returned lies in the arena, and points into the settings. ERR_MEMORY only. */
MUST_USE Err own_certificates(const Settings *settings, Arena *a, const OwnCertificate **ret,
                              size_t *ret_count);

#endif
