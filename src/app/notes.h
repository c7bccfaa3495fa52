/* notes.h - logs the state of certificates and revocation lists while they are in use: that they
 * have expired, are invalid, or are ignored. */
#ifndef APP_NOTES_H
#define APP_NOTES_H

#include "config/settings.h"
#include "net/tls.h"

typedef struct Notes {
    int64_t seen_s; /* everything up to this time has been logged; seconds since 1970 */
    int64_t due_s;  /* when the next validity period begins or ends */
} Notes;

/* Logs everything that holds at `now_s` and has not been logged; `all`: the settings are new, so
 * nothing has been. `cache` holds the parsed files. Cheap until something is due. */
void notes_take(Notes *n, const Settings *settings, CertificateCache *cache, int64_t now_s,
                bool all, Arena *scratch);

#endif
