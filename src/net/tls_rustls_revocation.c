/* tls_rustls_revocation.c - what says that certificates are revoked: lists about those of
 * clients. */
#include "net/tls_rustls.h"

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
