/* certificates.c - names and dates of the certificates in use. */
#include "app/certificates.h"

Err certificates_list(const Settings *settings, Arena *a, const CertificateStatus **ret,
                      size_t *ret_count)
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
            const FileSettings *chain =
                &listener->tls.files[k * TLS_FILES_OF_PAIR + TLS_FILE_CHAIN];
            TlsCertificate about;
            if (tls_certificate_read(chain->bytes, a, &about) != ERR_OK) {
                continue; /* it was read when it was tried */
            }
            list[count++] = (CertificateStatus){.listener = listener->address.text,
                                                .path = chain->path,
                                                .subject = about.subject,
                                                .names = about.names,
                                                .not_before_s = about.not_before,
                                                .not_after_s = about.not_after};
        }
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}
