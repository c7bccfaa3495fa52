/* river_revocation.h - what says that certificates are revoked, or are not: lists (CRLs) about
 * those of clients (deps/src/revocation.rs), and OCSP responses about River's own
 * (deps/src/staple.rs). It belongs beside rustls.h. */
#ifndef RIVER_REVOCATION_H
#define RIVER_REVOCATION_H

#include <river_certificate.h>
#include <rustls.h>

/* ---- lists of revoked certificates (RFC 5280 §5, §6.3) ---- */

/* The lists of a PEM text, each with the authority of `roots` (PEM) whose key has signed it.
 * Immutable, for any thread; free it with river_crls_free (NULL is fine). NULL: one is malformed,
 * of a kind that is not supported (delta, indirect, by reason), or has a wrong signature although
 * the authority is at hand; or there is none. `why` (may be NULL) then says it. */
typedef struct river_crls river_crls;
const river_crls *river_crls_new(const uint8_t *pem, size_t pem_bytes, const uint8_t *roots,
                                 size_t roots_bytes, river_text *why);
void river_crls_free(const river_crls *crls);

enum {
    RIVER_CRL_COUNTS,
    RIVER_CRL_OLDER,       /* a newer one of the same key and scope counts instead */
    RIVER_CRL_TWICE,       /* the same bytes stand before it */
    RIVER_CRL_SAME_NUMBER, /* another one of the same key, scope and number is there: that of the
                              later date counts, and of one date both */
    RIVER_CRL_DISAGREES, /* its number is higher than another one's and its date earlier, or the
                            other way round: both count */
    RIVER_CRL_STRANGER   /* its authority is not among the roots: it counts where a chain has it */
};

typedef struct river_crl {
    unsigned state;
    bool counts; /* chains are judged by it */
    uint64_t this_update_s; /* seconds since 1970 */
    uint64_t next_update_s;
    river_text issuer; /* RFC 4514 */
    river_text number; /* decimal, above 2^64 hexadecimal; empty: none */
} river_crl;

/* Describes the list at this place in the text. False: there is none. */
bool river_crls_describe(const river_crls *crls, size_t at, river_crl *io);

/* A verifier of clients' certificates: chains to these roots, of which each certificate must be in
 * the scope of a list that counts and that its issuer's key has signed, and not be in it.
 * `refuse_expired`: a list counts until its nextUpdate, and then nobody gets in by it. The caller
 * keeps what it gives, and frees the verifier with rustls_client_cert_verifier_free. */
rustls_result river_crls_verifier(const river_crls *crls,
                                  const struct rustls_crypto_provider *provider,
                                  const struct rustls_root_cert_store *roots, bool required,
                                  bool refuse_expired, struct rustls_client_cert_verifier **ret);

/* ---- OCSP responses (RFC 6960) ---- */

enum {
    RIVER_STAPLE_GOOD,
    RIVER_STAPLE_MALFORMED, /* no OCSP response in DER form */
    RIVER_STAPLE_NO_ANSWER, /* `detail` is why, an OCSPResponseStatus (§4.2.1): 3 is tryLater */
    RIVER_STAPLE_OTHER,     /* about another certificate */
    RIVER_STAPLE_NO_ISSUER, /* whether the signature is right cannot be known: neither the chain nor
                               the response has the certificate's issuer */
    RIVER_STAPLE_SIGNATURE, /* it is wrong */
    RIVER_STAPLE_SIGNER,    /* not the issuer, nor one that it has delegated (§4.2.2.2) */
    RIVER_STAPLE_REVOKED,
    RIVER_STAPLE_UNKNOWN,
    RIVER_STAPLE_CRITICAL /* it has a critical extension */
};

/* A word about a certificate. When it is good: it holds from `from_s` until just before `until_s`,
 * which nextUpdate and the signer's own certificate decide; without a nextUpdate for 7 days. */
typedef struct river_staple {
    unsigned state;
    unsigned detail;
    uint64_t from_s; /* seconds since 1970 */
    uint64_t until_s;
} river_staple;

/* Judges a DER response about the first certificate of a PEM chain. */
void river_staple_judge(const uint8_t *chain, size_t chain_bytes, const uint8_t *response,
                        size_t response_bytes, river_staple *ret);

#endif
