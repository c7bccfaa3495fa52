/* certificates.c - names and dates of the certificates in use. */
#include "app/certificates.h"

#include "app/own_certificates.h"
#include "config/material.h"

#define WHY_BYTES_MAX 256u

/* The state of the OCSP response of a pair with these files. */
static Err add_staple(CertificateStatus *row, const FileSettings *files, CertificateCache *cache,
                      int64_t now_s, Arena *a)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    TlsStaple staple;
    TRY(material_staple(files, cache, &staple));
    tls_staple_print(tls_staple_at(&staple, now_s), staple.detail, &why);
    row->ocsp_path = files[TLS_FILE_OCSP].path;
    row->staple_until_s = staple.until;
    return arena_copy(a, text_str(&why), &row->not_stapled) ? ERR_OK : ERR_MEMORY;
}

Err certificates_list(const Settings *settings, CertificateCache *cache, int64_t now_s, Arena *a,
                      const CertificateStatus **ret, size_t *ret_count)
{
    size_t most = 0;
    size_t count = 0;
    for (size_t i = 0; i < settings->listener_count; i++) {
        most += settings->listeners[i].tls.pair_count;
    }
    CertificateStatus *list = arena_array(a, CertificateStatus, most + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < settings->listener_count; i++) {
        const ListenerSettings *listener = &settings->listeners[i];
        for (size_t k = 0; k < listener->tls.pair_count; k++) {
            const FileSettings *files = &listener->tls.files[k * TLS_FILES_OF_PAIR];
            const FileSettings *chain = &files[TLS_FILE_CHAIN];
            TlsCertificate about;
            if (tls_certificate_read(chain->bytes, a, &about) != ERR_OK) {
                continue; /* it parsed when it was checked */
            }
            list[count] = (CertificateStatus){.listener = listener->address.text,
                                              .path = chain->path,
                                              .subject = about.subject,
                                              .names = about.names,
                                              .not_before_s = about.not_before,
                                              .not_after_s = about.not_after};
            TRY(add_staple(&list[count], files, cache, now_s, a));
            count++;
        }
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}

Err certificates_own(const Settings *settings, Arena *a, const OwnCertificateStatus **ret,
                     size_t *ret_count)
{
    const OwnCertificate *own = NULL;
    size_t own_count = 0;
    size_t count = 0;
    TRY(own_certificates(settings, a, &own, &own_count));
    OwnCertificateStatus *list = arena_array(a, OwnCertificateStatus, own_count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < own_count; i++) {
        const FileSettings *chain = &own[i].first->tls.chain;
        TlsCertificate about;
        if (tls_certificate_read(chain->bytes, a, &about) == ERR_OK) {
            list[count++] = (OwnCertificateStatus){.service = own[i].service,
                                                   .connector = own[i].first->address.text,
                                                   .connectors = own[i].connectors,
                                                   .path = chain->path,
                                                   .subject = about.subject,
                                                   .not_before_s = about.not_before,
                                                   .not_after_s = about.not_after};
        }
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}

/* One word for the state of a list. */
static Str crl_state(const TlsCrl *crl, int64_t now_s)
{
    return !crl->counts                     ? S("superseded")
           : crl->next_update <= now_s      ? S("expired")
           : crl->this_update > now_s       ? S("not yet valid")
           : crl->state == TLS_CRL_STRANGER ? S("unknown issuer")
                                            : S("valid");
}

/* A listener's lists; none if they can no longer be read. */
static Err read_crls(const ListenerSettings *listener, CertificateCache *cache, Arena *a,
                     const TlsCrl **ret, size_t *ret_count)
{
    *ret_count = 0;
    if (listener->tls.pair_count == 0) {
        return ERR_OK;
    }
    TlsServerPlan plan = material_clients_plan(&listener->tls);
    plan.cache = cache;
    Err err = tls_crls_read(&plan, a, ret, ret_count);
    return err == ERR_MEMORY ? err : ERR_OK;
}

typedef struct CrlRows {
    size_t count;
    size_t room;
    CrlStatus *list COUNTED_BY(room);
} CrlRows;

/* Appends a listener's rows. */
static Err add_crls(CrlRows *rows, const ListenerSettings *listener, const TlsCrl *crls,
                    size_t count, int64_t now_s, Arena *a)
{
    CrlRows more = {.count = rows->count, .room = rows->count + count};
    more.list = arena_array(a, CrlStatus, more.room);
    if (!more.list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < rows->count; i++) {
        more.list[i] = rows->list[i];
    }
    for (size_t i = 0; i < count; i++) {
        more.list[more.count++] = (CrlStatus){.listener = listener->address.text,
                                              .path = material_crl_path(&listener->tls),
                                              .issuer = crls[i].issuer,
                                              .number = crls[i].number,
                                              .state = crl_state(&crls[i], now_s),
                                              .this_update_s = crls[i].this_update,
                                              .next_update_s = crls[i].next_update};
    }
    *rows = more;
    return ERR_OK;
}

Err certificates_crls(const Settings *settings, CertificateCache *cache, int64_t now_s, Arena *a,
                      const CrlStatus **ret, size_t *ret_count)
{
    CrlRows rows = {0};
    for (size_t i = 0; i < settings->listener_count; i++) {
        const TlsCrl *crls = NULL;
        size_t count = 0;
        TRY(read_crls(&settings->listeners[i], cache, a, &crls, &count));
        if (count > 0) {
            TRY(add_crls(&rows, &settings->listeners[i], crls, count, now_s, a));
        }
    }
    *ret = rows.list;
    *ret_count = rows.count;
    return ERR_OK;
}
