/* renew.h - certificates while River runs: read again when somebody asks or the files have changed,
 * handed to the worker, and listed in the status.
 *
 * A listener's files are taken all together or not at all: what does not check leaves the old ones
 * in place. Sessions go on with the certificates that they began with. */
#ifndef APP_RENEW_H
#define APP_RENEW_H

#include "admin/status.h"
#include "app/files.h"
#include "config/material.h"

#define RENEW_LOOK_MS 10000u /* how often it is looked whether files have changed */

typedef struct Renewal {
    const Settings *settings;
    Files *files;
    Blocks blocks;
    Arena arenas[2]; /* the material's, and the next one's */
    unsigned current;
    Material material; /* what a worker that starts gets */
    size_t tls_count;  /* listeners with TLS */
    uint64_t mark;     /* of the files as they were read */
    uint64_t seen;     /* of the files as they were last looked at */
    uint64_t look_at_ms;
    size_t refused; /* listeners whose files did not check when they were read last */
} Renewal;

/* Begins with what the files held when the configuration was read. */
MUST_USE Err renewal_open(Renewal *r, const Settings *settings, Files *files, uint64_t now_ms);
void renewal_close(Renewal *r);

/* Whether files have changed, and then stayed the same for one look: nobody is writing now. */
bool renewal_is_due(Renewal *r, uint64_t now_ms);
/* Reads all files again. *ret holds parts for the listeners whose files are new and good, and lives
 * until the next call; what is wrong is logged. ERR_MISSING: nothing is new. */
MUST_USE Err renewal_read(Renewal *r, Material *ret);
/* The material as a descriptor that the worker may read. */
MUST_USE Err renewal_pack(const Material *m, int *ret_fd);
/* The worker's side: what renewal_pack wrote. */
MUST_USE Err renewal_unpack(int fd, const Settings *settings, Arena *a, Material *ret);

/* All certificates, for the status; lies in `a`. */
MUST_USE Err renewal_status(const Renewal *r, Arena *a, const CertificateStatus **ret,
                            size_t *ret_count);

#endif
