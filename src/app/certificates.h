/* certificates.h - what certificates the listeners of a configuration show, for the status. */
#ifndef APP_CERTIFICATES_H
#define APP_CERTIFICATES_H

#include "admin/status.h"
#include "config/settings.h"

/* In the order of the listeners; what is returned lies in the arena. ERR_MEMORY only. */
MUST_USE Err certificates_list(const Settings *settings, Arena *a, const CertificateStatus **ret,
                               size_t *ret_count);

#endif
