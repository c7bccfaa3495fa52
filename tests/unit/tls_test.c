/* tls_test.c - TLS sessions: handshakes, what they agree on, and whom they trust. */
#include "test.h"
#include "tls_support.h"

static TlsInfo info_of(const Tls *t)
{
    TlsInfo info;
    tls_info(t, &info);
    return info;
}

static Str reason_of(const Tls *t)
{
    static uint8_t room[256];
    Text out = text_in(span_of(room, sizeof room));
    tls_reason_print(t, &out);
    return text_str(&out);
}

static void expect_echo(Ends *e, Str words, size_t split)
{
    EXPECT(tls_write(e->client, &words, 1) == ERR_OK);
    ends_run(e, split);
    EXPECT_STR(str_of(e->server_got->bytes, e->server_got->len), words);
    EXPECT(tls_write(e->server, &words, 1) == ERR_OK);
    ends_run(e, split);
    EXPECT_STR(str_of(e->client_got->bytes, e->client_got->len), words);
}

/* ---- handshakes ---- */

TEST("tls: a handshake and an echo, in both versions, whatever the pieces are")
{
    static const Str versions[] = {S_INIT("1.3"), S_INIT("1.2")};
    for (size_t v = 0; v < 2; v++) {
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        plan.versions = versions[v];
        TlsServer *server = server_of(&plan);
        TlsClient *client = client_of(&asks);
        for (size_t split = 1; split < 4200; split += split < 64 ? 1 : 509) {
            Ends e;
            ends_open(&e, server, client);
            EXPECT(ends_shake(&e, split));
            expect_echo(&e, S("hello, world"), split);
            EXPECT_STR(info_of(e.server).version, v == 0 ? S("TLSv1.3") : S("TLSv1.2"));
            ends_close(&e);
        }
        tls_server_unref(server);
        tls_client_unref(client);
    }
}

TEST("tls: both sides know what was agreed on")
{
    Ends e;
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    plan.versions = S("1.3");
    plan.suites = S("TLS_CHACHA20_POLY1305_SHA256");
    plan.groups = S("secp256r1");
    ends_between(&e, &plan, &asks);
    TlsInfo at_server = info_of(e.server);
    TlsInfo at_client = info_of(e.client);
    EXPECT_STR(at_server.suite, S("TLS_CHACHA20_POLY1305_SHA256"));
    EXPECT_STR(at_client.suite, S("TLS_CHACHA20_POLY1305_SHA256"));
    EXPECT_STR(at_server.group, S("secp256r1"));
    EXPECT_STR(at_server.sni, S("a.example"));
    EXPECT(at_server.alpn == TLS_ALPN_H2 && at_client.alpn == TLS_ALPN_H2);
    EXPECT(!at_server.resumed && at_server.subject.len == 0);
    EXPECT(tls_server_of(e.client) == NULL && tls_server_of(e.server) != NULL);
    ends_close(&e);
}

TEST("tls: the post-quantum group is preferred where nothing else was asked for")
{
    Ends e;
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    ends_between(&e, &plan, &asks);
    EXPECT_STR(info_of(e.server).group, S("X25519MLKEM768"));
    ends_close(&e);
}

TEST("tls: a protocol is chosen by ALPN, none is no mistake, and strangers are refused")
{
    static const struct {
        bool server_h2, server_h1, client_h2, client_h1;
        TlsAlpn alpn;
        bool fails;
    } rows[] = {{true, true, true, true, TLS_ALPN_H2, false},
                {true, true, false, true, TLS_ALPN_H1, false},
                {false, true, true, true, TLS_ALPN_H1, false},
                {true, true, false, false, TLS_ALPN_NONE, false},
                {false, true, true, false, TLS_ALPN_NONE, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Ends e;
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        plan.offer_h2 = rows[i].server_h2;
        plan.offer_h1 = rows[i].server_h1;
        asks.offer_h2 = rows[i].client_h2;
        asks.offer_h1 = rows[i].client_h1;
        ends_between(&e, &plan, &asks);
        EXPECT(rows[i].fails == (tls_state(e.server) == TLS_FAILED));
        EXPECT(tls_reason(e.server) == (rows[i].fails ? TLS_REASON_ALPN : TLS_REASON_NONE));
        if (!rows[i].fails) {
            EXPECT(info_of(e.server).alpn == rows[i].alpn);
            EXPECT(info_of(e.client).alpn == rows[i].alpn);
        }
        ends_close(&e);
    }
}

/* ---- choosing a certificate ---- */

TEST("tls: the certificate is chosen by name: exact, wildcard, default")
{
    static const struct {
        Str name;
        size_t identity;
        bool opens;
    } rows[] = {{S_INIT("a.example"), 0, true},
                {S_INIT("B.EXAMPLE"), 0, true},
                {S_INIT("x.wild.example"), 1, true},
                {S_INIT("exact.wild.example"), 2, true},
                {S_INIT("ed.example"), 3, true},
                {S_INIT("x.y.wild.example"), 0, false},
                {S_INIT("wild.example"), 0, false},
                {S_INIT("unknown.example"), 0, false}};
    TlsServerPlan plan = server_plan("a", "wild", "exact", "ed");
    TlsServer *server = server_of(&plan);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Ends e;
        TlsClientPlan asks = client_plan(rows[i].name);
        TlsClient *client = client_of(&asks);
        ends_open(&e, server, client);
        EXPECT(ends_shake(&e, SIZE_MAX) == rows[i].opens);
        EXPECT_U64(tls_server_identity(server, rows[i].name), rows[i].identity);
        if (rows[i].opens) {
            EXPECT_U64(info_of(e.server).identity, rows[i].identity);
        } else {
            EXPECT(tls_reason(e.client) == TLS_REASON_NAME);
            EXPECT(tls_reason(e.server) == TLS_REASON_ALERT);
        }
        tls_client_unref(client);
        ends_close(&e);
    }
    EXPECT_U64(tls_server_identity(server, S("x.wild.example.")), 1);
    EXPECT_U64(tls_server_identity(server, S(".wild.example")), 0);
    EXPECT_U64(tls_server_identity(server, S("")), 0);
    tls_server_unref(server);
}

TEST("tls: ECDSA and RSA stand side by side under one name, and the client's suites decide")
{
    static const struct {
        const char *suite;
        bool opens;
    } rows[] = {{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true},
                {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true}};
    for (size_t i = 0; i < 2; i++) {
        /* The order of the file does not matter. */
        TlsServerPlan plan = i == 0 ? server_plan("a-rsa", "a", NULL, NULL)
                                    : server_plan("a", "a-rsa", NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        Ends e;
        plan.versions = S("1.2");
        plan.suites = str_from_c(rows[i].suite);
        ends_between(&e, &plan, &asks);
        EXPECT(tls_state(e.server) == (rows[i].opens ? TLS_OPEN : TLS_FAILED));
        EXPECT_U64(info_of(e.server).identity, 0);
        ends_close(&e);
    }
    TlsServerPlan plan = server_plan("a-rsa", "a", NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    Ends e;
    plan.versions = S("1.2");
    ends_between(&e, &plan, &asks);
    EXPECT(str_starts(info_of(e.server).suite, S("TLS_ECDHE_ECDSA_")));
    ends_close(&e);
}

/* ---- whom to trust ---- */

typedef struct Distrust {
    const char *certificate;
    Str name;
    const char *roots;
    TlsReason reason;
    Str words;
} Distrust;

TEST("tls: a client trusts no other name, no other authority, and no other time")
{
    static const Distrust rows[] = {
        {"a", S_INIT("c.example"), "ca.pem", TLS_REASON_NAME, S_INIT("")},
        {"nameless", S_INIT("nameless"), "ca.pem", TLS_REASON_NAME, S_INIT("")},
        {"a", S_INIT("127.0.0.1"), "ca.pem", TLS_REASON_NAME, S_INIT("")},
        {"address", S_INIT("127.0.0.1"), "ca.pem", TLS_REASON_NONE, S_INIT("")},
        {"a", S_INIT("a.example"), "other-ca.pem", TLS_REASON_CERTIFICATE,
         S_INIT("invalid peer certificate: UnknownIssuer")},
        {"expired", S_INIT("a.example"), "ca.pem", TLS_REASON_CERTIFICATE,
         S_INIT("invalid peer certificate: Expired")},
        {"early", S_INIT("a.example"), "ca.pem", TLS_REASON_CERTIFICATE,
         S_INIT("invalid peer certificate: NotValidYet")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Ends e;
        TlsServerPlan plan = server_plan(rows[i].certificate, NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(rows[i].name);
        asks.roots = fixture(rows[i].roots);
        ends_between(&e, &plan, &asks);
        EXPECT_U64(tls_reason(e.client), rows[i].reason);
        if (rows[i].words.len > 0) {
            EXPECT_STR(reason_of(e.client), rows[i].words);
        }
        if (rows[i].reason != TLS_REASON_NONE) {
            EXPECT(tls_reason(e.server) == TLS_REASON_ALERT);
        }
        ends_close(&e);
        asks.verify = false; /* then it takes anything */
        asks.roots = STR_NONE;
        ends_between(&e, &plan, &asks);
        EXPECT(tls_state(e.client) == TLS_OPEN && tls_state(e.server) == TLS_OPEN);
        ends_close(&e);
    }
}

TEST("tls: an address is verified, but never sent as a name")
{
    Ends e;
    TlsServerPlan plan = server_plan("address", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("127.0.0.1"));
    ends_between(&e, &plan, &asks);
    EXPECT(tls_state(e.server) == TLS_OPEN);
    EXPECT_STR(info_of(e.server).sni, S(""));
    ends_close(&e);
}

TEST("tls: client certificates: optional, required, revoked, strange")
{
    static const struct {
        TlsClientPolicy policy;
        const char *shown; /* NULL: none */
        bool crl;
        TlsReason reason;
        Str subject;
    } rows[] = {
        {TLS_CLIENTS_OPTIONAL, NULL, false, TLS_REASON_NONE, S_INIT("")},
        {TLS_CLIENTS_OPTIONAL, "client", false, TLS_REASON_NONE,
         S_INIT("CN=client,O=River\\, Inc.,C=DE")},
        {TLS_CLIENTS_OPTIONAL, "stranger", false, TLS_REASON_CERTIFICATE, S_INIT("")},
        {TLS_CLIENTS_REQUIRED, NULL, false, TLS_REASON_NO_CERTIFICATE, S_INIT("")},
        {TLS_CLIENTS_REQUIRED, "client", true, TLS_REASON_NONE,
         S_INIT("CN=client,O=River\\, Inc.,C=DE")},
        {TLS_CLIENTS_REQUIRED, "revoked", false, TLS_REASON_NONE, S_INIT("CN=revoked")},
        {TLS_CLIENTS_REQUIRED, "revoked", true, TLS_REASON_CERTIFICATE, S_INIT("")},
        {TLS_CLIENTS_REQUIRED, "stranger", false, TLS_REASON_CERTIFICATE, S_INIT("")},
        {TLS_CLIENTS_NONE, "client", false, TLS_REASON_NONE, S_INIT("")},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        Ends e;
        size_t r = i / 2;
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        plan.versions = i % 2 == 0 ? S("1.3") : S("1.2");
        plan.clients = rows[r].policy;
        plan.client_roots = fixture("ca.pem");
        plan.client_crls = rows[r].crl ? fixture("ca.crl") : STR_NONE;
        if (rows[r].shown) {
            asks.own = fixture_pair(rows[r].shown);
        }
        ends_between(&e, &plan, &asks);
        EXPECT_U64(tls_reason(e.server), rows[r].reason);
        EXPECT(tls_state(e.server) == (rows[r].reason == TLS_REASON_NONE ? TLS_OPEN : TLS_FAILED));
        if (rows[r].reason == TLS_REASON_NONE) {
            EXPECT_STR(info_of(e.server).subject, rows[r].subject);
        } else {
            EXPECT(tls_reason(e.client) == TLS_REASON_ALERT);
        }
        ends_close(&e);
    }
}

/* ---- resumption ---- */

TEST("tls: a session is resumed at the same server, on any connection, in both versions")
{
    static const Str versions[] = {S_INIT("1.3"), S_INIT("1.2")};
    for (size_t v = 0; v < 2; v++) {
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        plan.versions = versions[v];
        TlsServer *server = server_of(&plan);
        TlsClient *client = client_of(&asks);
        for (size_t i = 0; i < 4; i++) {
            Ends e;
            ends_open(&e, server, client);
            EXPECT(ends_shake(&e, SIZE_MAX));
            EXPECT(info_of(e.server).resumed == (i > 0));
            EXPECT(info_of(e.client).resumed == (i > 0));
            ends_close(&e);
        }
        tls_server_unref(server);
        tls_client_unref(client);
    }
}

TEST("tls: a session of a listener without client certificates is not resumed where they are due")
{
    static const Str versions[] = {S_INIT("1.3"), S_INIT("1.2")};
    for (size_t v = 0; v < 2; v++) {
        Ends e;
        TlsServerPlan open = server_plan("a", NULL, NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        open.versions = versions[v];
        TlsServerPlan strict = open;
        strict.clients = TLS_CLIENTS_REQUIRED;
        strict.client_roots = fixture("ca.pem");
        TlsServer *first = server_of(&open);
        TlsServer *second = server_of(&strict);
        TlsClient *client = client_of(&asks);
        ends_open(&e, first, client);
        EXPECT(ends_shake(&e, SIZE_MAX));
        ends_close(&e);
        ends_open(&e, second, client);
        EXPECT(!ends_shake(&e, SIZE_MAX));
        EXPECT(tls_reason(e.server) == TLS_REASON_NO_CERTIFICATE);
        ends_close(&e);
        ends_open(&e, first, client); /* where it came from it still counts */
        EXPECT(ends_shake(&e, SIZE_MAX));
        ends_close(&e);
        tls_server_unref(first);
        tls_server_unref(second);
        tls_client_unref(client);
    }
}

TEST("tls: a resumed session keeps the subject of the client's certificate")
{
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    plan.clients = TLS_CLIENTS_REQUIRED;
    plan.client_roots = fixture("ca.pem");
    asks.own = fixture_pair("client");
    TlsServer *server = server_of(&plan);
    TlsClient *client = client_of(&asks);
    for (size_t i = 0; i < 2; i++) {
        Ends e;
        ends_open(&e, server, client);
        EXPECT(ends_shake(&e, SIZE_MAX));
        EXPECT(info_of(e.server).resumed == (i > 0));
        EXPECT_STR(info_of(e.server).subject, S("CN=client,O=River\\, Inc.,C=DE"));
        ends_close(&e);
    }
    tls_server_unref(server);
    tls_client_unref(client);
}
