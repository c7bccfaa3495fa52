/* tls_staple_test.c - which OCSP responses are stapled: those that an authority, or who may speak
 * for it, has signed about this certificate, and that say that it is good (RFC 6960 §3.2). */
#include "test.h"
#include "tls_support.h"

#define WORDS_BYTES 256u
#define SINCE 1577836800 /* 2020 */
#define UNTIL 4102444800 /* 2100 */
#define WEEK_S (7 * 24 * 3600)

static TlsStaple staple_of(Str chain, Str ocsp)
{
    TlsStaple staple = {.state = TLS_STAPLE_NONE};
    TlsPair pair = fixture_pair("a");
    pair.chain = chain;
    pair.ocsp = ocsp;
    EXPECT(tls_pair_staple(&pair, NULL, &staple) == ERR_OK);
    return staple;
}

TEST("tls staple: each response is what it is")
{
    static const struct {
        const char *name;
        TlsStapleState state;
        unsigned detail;
    } rows[] = {
        {"ocsp-good.der", TLS_STAPLE_GOOD, 0},
        {"ocsp-good-key.der", TLS_STAPLE_GOOD, 0},
        {"ocsp-good-sha256.der", TLS_STAPLE_GOOD, 0},
        {"ocsp-good-delegated.der", TLS_STAPLE_GOOD, 0},
        {"ocsp-good-delegated-key.der", TLS_STAPLE_GOOD, 0},
        {"ocsp-endless.der", TLS_STAPLE_GOOD, 0},
        {"a.ocsp", TLS_STAPLE_GOOD, 0},
        {"ocsp-bare.der", TLS_STAPLE_NO_ISSUER, 0},
        {"ocsp-delegated-bare.der", TLS_STAPLE_NO_ISSUER, 0},
        {"ocsp-revoked.der", TLS_STAPLE_REVOKED, 0},
        {"ocsp-unknown.der", TLS_STAPLE_UNKNOWN, 0},
        {"ocsp-try-later.der", TLS_STAPLE_NO_ANSWER, 3},
        {"ocsp-unauthorized.der", TLS_STAPLE_NO_ANSWER, 6},
        {"ocsp-spoiled.der", TLS_STAPLE_SIGNATURE, 0},
        {"ocsp-other.der", TLS_STAPLE_OTHER, 0},
        {"ocsp-other-key.der", TLS_STAPLE_OTHER, 0},
        {"ocsp-stranger.der", TLS_STAPLE_SIGNER, 0},
        {"ocsp-no-usage.der", TLS_STAPLE_SIGNER, 0},
        {"ocsp-foreign.der", TLS_STAPLE_SIGNER, 0},
        {"ocsp-expired-signer.der", TLS_STAPLE_GOOD, 0}, /* but for the clock */
        {"ocsp-critical.der", TLS_STAPLE_CRITICAL, 0},
        {"a.pem", TLS_STAPLE_MALFORMED, 0},
        {"a.key", TLS_STAPLE_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TlsStaple staple = staple_of(fixture("a.pem"), fixture(rows[i].name));
        if (staple.state != rows[i].state || staple.detail != rows[i].detail) {
            EXPECT_STR(str_from_c(rows[i].name), S("as expected")); /* names it */
        }
        EXPECT_U64(staple.state, rows[i].state);
    }
    EXPECT_U64(staple_of(fixture("a.pem"), STR_NONE).state, TLS_STAPLE_NONE);
}

TEST("tls staple: the authority may stand in the chain instead")
{
    Str chain = fixture("a-with-ca.pem");
    EXPECT_U64(staple_of(chain, fixture("ocsp-bare.der")).state, TLS_STAPLE_GOOD);
    EXPECT_U64(staple_of(chain, fixture("ocsp-delegated-bare.der")).state, TLS_STAPLE_GOOD);
    EXPECT_U64(staple_of(chain, fixture("ocsp-stranger.der")).state, TLS_STAPLE_SIGNER);
}

TEST("tls staple: it begins and ends by its dates, and with its signer")
{
    TlsStaple staple = staple_of(fixture("a.pem"), fixture("ocsp-good.der"));
    EXPECT_U64(staple.from, SINCE);
    EXPECT_U64(staple.until, UNTIL);
    EXPECT_U64(tls_staple_at(&staple, SINCE - 1), TLS_STAPLE_EARLY);
    EXPECT_U64(tls_staple_at(&staple, SINCE), TLS_STAPLE_GOOD);
    EXPECT_U64(tls_staple_at(&staple, UNTIL - 1), TLS_STAPLE_GOOD);
    EXPECT_U64(tls_staple_at(&staple, UNTIL), TLS_STAPLE_EXPIRED);
    staple = staple_of(fixture("a.pem"), fixture("ocsp-endless.der"));
    EXPECT_U64(staple.until, SINCE + WEEK_S);
    staple = staple_of(fixture("a.pem"), fixture("ocsp-expired-signer.der"));
    EXPECT_U64(staple.until, 1609459200);
    EXPECT_U64(tls_staple_at(&staple, 1609459200), TLS_STAPLE_EXPIRED);
    staple = staple_of(fixture("a.pem"), fixture("ocsp-revoked.der"));
    EXPECT_U64(tls_staple_at(&staple, SINCE), TLS_STAPLE_REVOKED);
}

TEST("tls staple: a response that is cut or changed is never good")
{
    uint8_t room[4096];
    Str whole = fixture("ocsp-good.der");
    EXPECT(whole.len < sizeof room);
    for (size_t len = 1; len < whole.len; len += 7) {
        EXPECT_U64(staple_of(fixture("a.pem"), str_take(whole, len)).state, TLS_STAPLE_MALFORMED);
    }
    /* Of the certificates inside no byte matters but what is needed of them. */
    size_t signed_len = whole.len - fixture("ca.pem").len * 3 / 4;
    for (size_t at = 40; at < signed_len; at += 3) {
        (void)span_copy(span_of(room, sizeof room), whole);
        room[at] ^= 1;
        EXPECT(staple_of(fixture("a.pem"), str_of(room, whole.len)).state != TLS_STAPLE_GOOD);
    }
}

TEST("tls staple: each reason has words")
{
    uint8_t room[WORDS_BYTES];
    for (unsigned state = TLS_STAPLE_MALFORMED; state <= TLS_STAPLE_EXPIRED; state++) {
        Text t = text_in(span_of(room, sizeof room));
        tls_staple_print((TlsStapleState)state, 3, &t);
        EXPECT(t.len > 10 && !t.overflow);
        EXPECT(str_starts(text_str(&t), S("it ")) || state == TLS_STAPLE_NO_ANSWER ||
               state == TLS_STAPLE_SIGNATURE);
    }
    Text t = text_in(span_of(room, sizeof room));
    tls_staple_print(TLS_STAPLE_NO_ANSWER, 3, &t);
    EXPECT_STR(text_str(&t), S("the responder has not answered, but said tryLater"));
    t = text_in(span_of(room, sizeof room));
    tls_staple_print(TLS_STAPLE_NO_ANSWER, 77, &t);
    EXPECT_STR(text_str(&t), S("the responder has not answered, but said a status that is not "
                               "known"));
    t = text_in(span_of(room, sizeof room));
    tls_staple_print(TLS_STAPLE_GOOD, 0, &t);
    EXPECT_U64(t.len, 0);
}

TEST("tls staple: a server with a bad response serves without it")
{
    static const char *const names[] = {"ocsp-good.der", "ocsp-revoked.der", "ocsp-endless.der",
                                        "a.key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsPair pair = fixture_pair("a");
        Ends e;
        pair.ocsp = fixture(names[i]);
        plan.pairs = &pair;
        TlsClientPlan asks = client_plan(S("a.example"));
        ends_between(&e, &plan, &asks);
        EXPECT(tls_state(e.server) == TLS_OPEN && tls_state(e.client) == TLS_OPEN);
        ends_close(&e);
    }
}
