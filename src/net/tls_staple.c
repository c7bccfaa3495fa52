/* tls_staple.c - OCSP responses by the clock, and in words. */
#include "net/tls.h"

TlsStapleState tls_staple_at(const TlsStaple *staple, int64_t now_s)
{
    if (staple->state != TLS_STAPLE_GOOD) {
        return staple->state;
    }
    return now_s >= staple->until  ? TLS_STAPLE_EXPIRED
           : now_s < staple->from ? TLS_STAPLE_EARLY
                                  : TLS_STAPLE_GOOD;
}

/* OCSPResponseStatus (RFC 6960 §4.2.1). */
static Str status_name(unsigned status)
{
    static const Str names[] = {
        [1] = S_INIT("malformedRequest"), [2] = S_INIT("internalError"),
        [3] = S_INIT("tryLater"),         [5] = S_INIT("sigRequired"),
        [6] = S_INIT("unauthorized"),
    };
    bool known = status < sizeof names / sizeof names[0] && names[status].len > 0;
    return known ? names[status] : S("a status that is not known");
}

void tls_staple_print(TlsStapleState state, unsigned detail, Text *out)
{
    static const Str sentences[] = {
        [TLS_STAPLE_MALFORMED] = S_INIT("it is not an OCSP response in DER form"),
        [TLS_STAPLE_NO_ANSWER] = S_INIT("the responder has not answered, but said "),
        [TLS_STAPLE_OTHER] = S_INIT("it is about another certificate"),
        [TLS_STAPLE_NO_ISSUER] =
            S_INIT("it cannot be verified: the authority's certificate stands neither in it nor "
                   "behind the certificate in `cert-path`"),
        [TLS_STAPLE_SIGNATURE] = S_INIT("its signature is wrong"),
        [TLS_STAPLE_SIGNER] =
            S_INIT("it is signed by somebody who may not speak for the authority"),
        [TLS_STAPLE_REVOKED] = S_INIT("it says that the certificate is revoked"),
        [TLS_STAPLE_UNKNOWN] = S_INIT("it says that the certificate is not known"),
        [TLS_STAPLE_CRITICAL] = S_INIT("it has a critical extension that River does not know"),
        [TLS_STAPLE_EARLY] = S_INIT("it does not hold yet"),
        [TLS_STAPLE_EXPIRED] = S_INIT("it has expired"),
    };
    text_add(out, sentences[state]);
    text_add(out, state == TLS_STAPLE_NO_ANSWER ? status_name(detail) : STR_NONE);
}
