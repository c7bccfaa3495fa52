/* status.h - prints the status of a running River, as text for people and as JSON for programs.
 *
 * Pure printing: the supervisor prints processes, the worker prints traffic, and both parts
 * together are the answer to `river status`. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "base/text.h"
#include "proxy/worker.h"

typedef struct ProcessStatus {
    Str version;
    Str state; /* "serving" or "draining" */
    uint64_t supervisor_pid;
    uint64_t worker_pid; /* 0: none */
    uint64_t up_ms;
    uint64_t worker_up_ms;
    uint64_t restarts;
    uint64_t reloads;
    Str cage; /* what the worker's cage has closed; empty: not known yet */
} ProcessStatus;

typedef struct CertificateStatus {
    Str listener;
    Str path;
    Str subject;
    Str names; /* comma-separated */
    int64_t not_before_s; /* seconds since 1970 */
    int64_t not_after_s;
    Str ocsp_path;    /* empty: stapling is not configured */
    Str not_stapled;  /* why it is not stapled; empty: it is */
    int64_t staple_until_s; /* end of the stapled response's validity */
} CertificateStatus;

/* A certificate that River shows to origins. */
typedef struct OwnCertificateStatus {
    Str service;
    Str connector; /* the first connector that shows it */
    uint64_t connectors;
    Str path;
    Str subject;
    int64_t not_before_s; /* seconds since 1970 */
    int64_t not_after_s;
} OwnCertificateStatus;

/* A list of revoked certificates. */
typedef struct CrlStatus {
    Str listener;
    Str path;
    Str issuer;
    Str number;
    Str state; /* "valid", "expired", ...; the same word in text and JSON */
    int64_t this_update_s; /* seconds since 1970 */
    int64_t next_update_s;
} CrlStatus;

/* In JSON, opens an object. The other parts follow as members, status_print_certificates first; the
 * last is `"worker":` with status_print_worker's object or null, then the closing brace. */
void status_print_process(Text *t, const ProcessStatus *p, bool json);
void status_print_certificates(Text *t, const CertificateStatus *list, size_t count, int64_t now_s,
                               bool json);
/* Upper bound of the output of status_print_certificates. */
size_t status_certificates_bytes(const CertificateStatus *list, size_t count);
/* The same for certificates shown by connectors, printed after those. */
void status_print_own(Text *t, const OwnCertificateStatus *list, size_t count, int64_t now_s,
                      bool json);
size_t status_own_bytes(const OwnCertificateStatus *list, size_t count);
/* The same for lists of revoked certificates, printed after the certificates. */
void status_print_crls(Text *t, const CrlStatus *list, size_t count, int64_t now_s, bool json);
size_t status_crls_bytes(const CrlStatus *list, size_t count);
/* `"worker":` */
void status_print_worker_key(Text *t);
void status_print_worker(Text *t, const WorkerStatus *w, bool json);

#endif
