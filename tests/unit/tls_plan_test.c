/* tls_plan_test.c - plans that cannot work, what certificates say, and which names are known. */
#include <string.h>

#include "test.h"
#include "tls_support.h"

#define WHY_BYTES 256

static TlsMistake server_mistake(const TlsServerPlan *plan, Text *why)
{
    TlsServer *server = NULL;
    TlsMistake mistake = {0};
    EXPECT(tls_server_new(plan, &server, &mistake, why) == ERR_SYNTAX);
    EXPECT(server == NULL);
    return mistake;
}

static TlsMistake client_mistake(const TlsClientPlan *plan)
{
    TlsClient *client = NULL;
    TlsMistake mistake = {0};
    EXPECT(tls_client_new(plan, &client, &mistake, NULL) == ERR_SYNTAX);
    return mistake;
}

TEST("tls: what is known has names, in a row")
{
    EXPECT_STR(tls_known(TLS_LIST_VERSIONS), S("1.3|1.2"));
    Str suites = tls_known(TLS_LIST_SUITES);
    EXPECT(str_starts(suites, S("TLS_AES_256_GCM_SHA384|TLS_AES_128_GCM_SHA256|")));
    Str groups = tls_known(TLS_LIST_GROUPS);
    EXPECT(str_starts(groups, S("X25519MLKEM768|")) && str_ends(groups, S("MLKEM1024")));
    EXPECT(suites.at == tls_known(TLS_LIST_SUITES).at);
}

TEST("tls: a plan's mistake names the part and the place")
{
    static uint8_t room[WHY_BYTES];
    TlsPair pairs[2] = {fixture_pair("a"), fixture_pair("wild")};
    TlsServerPlan good = server_plan("a", NULL, NULL, NULL);
    good.pair_count = 2;
    good.pairs = pairs;
    const struct {
        size_t pair;
        Str chain;
        Str key;
        Str ocsp;
        TlsPart part;
        Str words;
    } rows[] = {
        {1, STR_NONE, pairs[1].key, STR_NONE, TLS_PART_CHAIN, S("it is empty")},
        {1, S("text"), pairs[1].key, STR_NONE, TLS_PART_CHAIN,
         S("no certificate in PEM form stands there")},
        {0, S("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"), pairs[0].key,
         STR_NONE, TLS_PART_CHAIN, STR_NONE},
        {0, S("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), pairs[0].key,
         STR_NONE, TLS_PART_CHAIN, STR_NONE},
        {0, pairs[0].chain, STR_NONE, STR_NONE, TLS_PART_KEY, S("it is empty")},
        {1, pairs[1].chain, pairs[1].chain, STR_NONE, TLS_PART_KEY, STR_NONE},
        {1, pairs[1].chain, pairs[0].key, STR_NONE, TLS_PART_PAIR, STR_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TlsPair wrong[2] = {pairs[0], pairs[1]};
        wrong[rows[i].pair] =
            (TlsPair){.chain = rows[i].chain, .key = rows[i].key, .ocsp = rows[i].ocsp};
        TlsServerPlan plan = good;
        plan.pairs = wrong;
        Text why = text_in(span_of(room, sizeof room));
        TlsMistake mistake = server_mistake(&plan, &why);
        EXPECT_U64(mistake.part, rows[i].part);
        EXPECT_U64(mistake.index, rows[i].pair);
        EXPECT(why.len > 0);
        if (rows[i].words.len > 0) {
            EXPECT_STR(text_str(&why), rows[i].words);
        }
    }
}

TEST("tls: names that are not known, twice there, or fit nothing")
{
    const struct {
        Str versions, suites, groups;
        TlsPart part;
        size_t index;
    } rows[] = {
        {S("1.1"), STR_NONE, STR_NONE, TLS_PART_VERSIONS, 0},
        {S("1.3,1.3"), STR_NONE, STR_NONE, TLS_PART_VERSIONS, 1},
        {STR_NONE, S("TLS_AES_128_GCM_SHA256,TLS_NULL"), STR_NONE, TLS_PART_SUITES, 1},
        {STR_NONE, STR_NONE, S("X25519, secp256k1"), TLS_PART_GROUPS, 1},
        {S("1.2"), S("TLS_AES_128_GCM_SHA256"), STR_NONE, TLS_PART_SUITES, 0},
        {S("1.3,1.2"), S("TLS_AES_128_GCM_SHA256"), STR_NONE, TLS_PART_NONE, 0},
        {S("1.3, 1.2"), STR_NONE, S("x25519, SECP256R1"), TLS_PART_NONE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        TlsMistake mistake = {0};
        TlsServer *server = NULL;
        plan.versions = rows[i].versions;
        plan.suites = rows[i].suites;
        plan.groups = rows[i].groups;
        Err err = tls_server_new(&plan, &server, &mistake, NULL);
        EXPECT(err == (rows[i].part == TLS_PART_NONE ? ERR_OK : ERR_SYNTAX));
        EXPECT_U64(mistake.part, rows[i].part);
        EXPECT_U64(mistake.index, rows[i].index);
        tls_server_unref(server);
    }
}

TEST("tls: authorities and lists of the revoked must be there and whole")
{
    const struct {
        Str roots, crls;
        TlsPart part;
    } rows[] = {{STR_NONE, STR_NONE, TLS_PART_CLIENT_ROOTS},
                {fixture("a.key"), STR_NONE, TLS_PART_CLIENT_ROOTS},
                {fixture("ca.pem"), fixture("ca.pem"), TLS_PART_CLIENT_CRLS},
                {fixture("ca.pem"), S("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
                 TLS_PART_CLIENT_CRLS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        plan.clients = TLS_CLIENTS_REQUIRED;
        plan.client_roots = rows[i].roots;
        plan.client_crls = rows[i].crls;
        EXPECT_U64(server_mistake(&plan, NULL).part, rows[i].part);
    }
}

TEST("tls: a client's plan is looked at too")
{
    TlsClientPlan plan = client_plan(S("not a name"));
    EXPECT_U64(client_mistake(&plan).part, TLS_PART_NAME);
    plan = client_plan(S(""));
    EXPECT_U64(client_mistake(&plan).part, TLS_PART_NAME);
    plan = client_plan(S("a.example"));
    plan.roots = S("nothing");
    EXPECT_U64(client_mistake(&plan).part, TLS_PART_ROOTS);
    plan.roots_of_platform = true;
    EXPECT_U64(client_mistake(&plan).part, TLS_PART_ROOTS);
    plan = client_plan(S("a.example"));
    plan.own = (TlsPair){.chain = fixture("client.pem"), .key = fixture("a.key")};
    EXPECT_U64(client_mistake(&plan).part, TLS_PART_PAIR);
}

TEST("tls: what a certificate says")
{
    Blocks blocks;
    Arena arena;
    TlsCertificate c;
    blocks_init(&blocks, NULL, 4096, 0);
    arena_init(&arena, &blocks, 1 << 20);
    EXPECT(tls_certificate_read(fixture("expired.pem"), &arena, &c) == ERR_OK);
    EXPECT_U64(c.not_before, 1577836800);
    EXPECT_U64(c.not_after, 1609459200);
    EXPECT_STR(c.subject, S("CN=expired"));
    EXPECT_STR(c.names, S("a.example"));
    EXPECT(tls_certificate_read(fixture("a.pem"), &arena, &c) == ERR_OK);
    EXPECT_STR(c.names, S("a.example,b.example"));
    EXPECT(tls_certificate_read(fixture("nameless.pem"), &arena, &c) == ERR_OK);
    EXPECT_STR(c.names, S(""));
    EXPECT(tls_certificate_read(S("no"), &arena, &c) == ERR_SYNTAX);
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("tls: a response to staple is taken")
{
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsPair pair = fixture_pair("a");
    Ends e;
    pair.ocsp = fixture("a.ocsp");
    plan.pairs = &pair;
    TlsClientPlan asks = client_plan(S("a.example"));
    ends_between(&e, &plan, &asks);
    EXPECT(tls_state(e.client) == TLS_OPEN);
    ends_close(&e);
}
