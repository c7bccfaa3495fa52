/* notes.h - what the log says of certificates and lists of revoked ones while they are in use: that
 * they have expired, are not what they should be, or do not count. */
#ifndef APP_NOTES_H
#define APP_NOTES_H

#include "config/settings.h"
#include "net/tls.h"

typedef struct Notes {
    int64_t seen_s; /* what was so by then has been said; seconds since 1970 */
    int64_t due_s;  /* then the next one begins or ends */
} Notes;

/* Logs what is so at `now_s` and has not been said; with `all` the settings are new, and nothing
 * has been. `cache` is where their files were parsed to. Until something is due this is cheap. */
void notes_take(Notes *n, const Settings *settings, CertificateCache *cache, int64_t now_s,
                bool all, Arena *scratch);

#endif
