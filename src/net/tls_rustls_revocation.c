/* tls_rustls_revocation.c - what says that certificates are revoked, or are not: lists
 * about those of clients, and OCSP responses about our own. */
#include "net/tls_rustls.h"

#include "base/number.h"

#define ISSUER_BYTES_MAX 1024u
#define NUMBER_BYTES_MAX 64u /* RFC 5280 §5.2.3: 20 octets at most */

/* ---- lists of revoked certificates ---- */

const river_crls *engine_lists(const EngineCrls *crls)
{
    return (const river_crls *)(const void *)crls;
}

Err engine_crls_new(Str pem, Str roots, EngineCrls **ret, TlsMistake *ret_mistake, Text *why)
{
    char room[ISSUER_BYTES_MAX];
    river_text words = {.at = room, .room = sizeof room - 1}; /* system call */
    const river_crls *made = river_crls_new(pem.at /* system call */, pem.len,
                                            roots.at /* system call */, roots.len, &words);
    if (!made) {
        room[words.bytes] = 0;
        return engine_refused_because(room, TLS_PART_CLIENT_CRLS, 0, ret_mistake, why);
    }
    *ret = (EngineCrls *)(uintptr_t)made;
    return ERR_OK;
}

void engine_crls_drop(EngineCrls *crls)
{
    river_crls_free(engine_lists(crls));
}

/* The adapter's numbers. */
static TlsCrlState state_of(unsigned state)
{
    switch (state) {
    case RIVER_CRL_OLDER:
        return TLS_CRL_OLDER;
    case RIVER_CRL_TWICE:
        return TLS_CRL_TWICE;
    case RIVER_CRL_SAME_NUMBER:
        return TLS_CRL_SAME_NUMBER;
    case RIVER_CRL_DISAGREES:
        return TLS_CRL_DISAGREES;
    case RIVER_CRL_STRANGER:
        return TLS_CRL_STRANGER;
    default:
        return TLS_CRL_COUNTS;
    }
}

Err engine_crl_read(const EngineCrls *crls, size_t at, Arena *a, TlsCrl *ret)
{
    char issuer[ISSUER_BYTES_MAX];
    char number[NUMBER_BYTES_MAX];
    river_crl about = {
        .issuer = {.at = issuer, .room = sizeof issuer}, /* system call */
        .number = {.at = number, .room = sizeof number}, /* system call */
    };
    if (!river_crls_describe(engine_lists(crls), at, &about)) {
        return ERR_MISSING;
    }
    *ret = (TlsCrl){.state = state_of(about.state),
                    .counts = about.counts,
                    .this_update = (int64_t)about.this_update_s,
                    .next_update = (int64_t)about.next_update_s};
    bool whole = arena_copy(a, str_of(issuer, about.issuer.bytes), &ret->issuer) &&
                 arena_copy(a, str_of(number, about.number.bytes), &ret->number);
    return whole ? ERR_OK : ERR_MEMORY;
}

/* ---- OCSP responses ---- */

TlsStaple engine_staple(const TlsPair *pair)
{
    static const TlsStapleState states[] = {
        [RIVER_STAPLE_GOOD] = TLS_STAPLE_GOOD,
        [RIVER_STAPLE_MALFORMED] = TLS_STAPLE_MALFORMED,
        [RIVER_STAPLE_NO_ANSWER] = TLS_STAPLE_NO_ANSWER,
        [RIVER_STAPLE_OTHER] = TLS_STAPLE_OTHER,
        [RIVER_STAPLE_NO_ISSUER] = TLS_STAPLE_NO_ISSUER,
        [RIVER_STAPLE_SIGNATURE] = TLS_STAPLE_SIGNATURE,
        [RIVER_STAPLE_SIGNER] = TLS_STAPLE_SIGNER,
        [RIVER_STAPLE_REVOKED] = TLS_STAPLE_REVOKED,
        [RIVER_STAPLE_UNKNOWN] = TLS_STAPLE_UNKNOWN,
        [RIVER_STAPLE_CRITICAL] = TLS_STAPLE_CRITICAL,
    };
    if (pair->ocsp.len == 0) {
        return (TlsStaple){.state = TLS_STAPLE_NONE};
    }
    river_staple judged = {0};
    river_staple_judge(pair->chain.at /* system call */, pair->chain.len,
                       pair->ocsp.at /* system call */, pair->ocsp.len, &judged);
    bool known = judged.state < sizeof states / sizeof states[0];
    return (TlsStaple){.state = known ? states[judged.state] : TLS_STAPLE_MALFORMED,
                       .detail = judged.detail,
                       .from = (int64_t)u64_min(judged.from_s, INT64_MAX),
                       .until = (int64_t)u64_min(judged.until_s, INT64_MAX)};
}
