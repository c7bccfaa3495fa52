/* certificate_cache_test.c - what was parsed once is shared, by bytes alone, and goes when nobody
 * wants it any more. */
#include <time.h>

#include "test.h"
#include "tls_support.h"

static CertificateCache *cache_of(void)
{
    CertificateCache *cache = NULL;
    EXPECT(certificate_cache_new(&cache) == ERR_OK);
    return cache;
}

/* What nobody asked for since it was put there goes at the second sweep. */
static void sweep_twice(CertificateCache *cache)
{
    certificate_cache_sweep(cache);
    certificate_cache_sweep(cache);
}

static bool opens(TlsServer *server, Str name)
{
    TlsClientPlan asks = client_plan(name);
    TlsClient *client = client_of(&asks);
    Ends e;
    ends_open(&e, server, client);
    bool open = ends_shake(&e, SIZE_MAX);
    tls_client_unref(client);
    ends_close(&e);
    return open;
}

TEST("tls cache: equal pairs are parsed once, whichever server asks, and both serve")
{
    CertificateCache *cache = cache_of();
    TlsServerPlan plan = server_plan("a", "wild", NULL, NULL);
    plan.cache = cache;
    TlsServer *one = server_of(&plan);
    EXPECT_U64(certificate_cache_count(cache), 2);
    plan = server_plan("wild", "exact", NULL, NULL);
    plan.cache = cache;
    TlsServer *two = server_of(&plan);
    EXPECT_U64(certificate_cache_count(cache), 3);
    EXPECT(opens(one, S("a.example")) && opens(one, S("x.wild.example")));
    EXPECT(opens(two, S("x.wild.example")) && opens(two, S("exact.wild.example")));
    EXPECT(!opens(two, S("a.example")));
    tls_server_unref(one);
    EXPECT(opens(two, S("x.wild.example")));
    certificate_cache_drop(cache);
    EXPECT(opens(two, S("x.wild.example")));
    tls_server_unref(two);
}

TEST("tls cache: a sweep leaves what somebody uses or has just asked for")
{
    CertificateCache *cache = cache_of();
    TlsServerPlan plan = server_plan("a", "wild", "exact", NULL);
    plan.cache = cache;
    TlsServer *old = server_of(&plan);
    plan = server_plan("a", "wild", "ed", NULL);
    plan.cache = cache;
    TlsServer *fresh = server_of(&plan);
    EXPECT_U64(certificate_cache_count(cache), 4);
    sweep_twice(cache);
    EXPECT_U64(certificate_cache_count(cache), 4);
    tls_server_unref(old);
    EXPECT_U64(certificate_cache_count(cache), 4);
    certificate_cache_sweep(cache);
    EXPECT_U64(certificate_cache_count(cache), 3); /* "exact" is gone */
    tls_server_unref(fresh);
    TlsValidity holds;
    TlsMistake mistake;
    TlsPair pair = fixture_pair("a");
    EXPECT(tls_pair_try(&pair, cache, &holds, &mistake, NULL) == ERR_OK);
    certificate_cache_sweep(cache);
    EXPECT_U64(certificate_cache_count(cache), 1); /* "a" was asked for meanwhile */
    certificate_cache_sweep(cache);
    EXPECT_U64(certificate_cache_count(cache), 0);
    certificate_cache_sweep(cache);
    certificate_cache_drop(cache);
}

TEST("tls cache: what differs in a byte is another thing, and mistakes are found all the same")
{
    CertificateCache *cache = cache_of();
    TlsPair good = fixture_pair("a");
    TlsPair stapled = good;
    TlsPair mixed = {.chain = good.chain, .key = fixture("wild.key")};
    TlsPair shifted = {.chain = str_take(good.chain, good.chain.len - 1), .key = good.key};
    TlsValidity holds;
    TlsMistake mistake = {0};
    stapled.ocsp = fixture("a.ocsp");
    for (unsigned round = 0; round < 2; round++) {
        EXPECT(tls_pair_try(&good, cache, &holds, &mistake, NULL) == ERR_OK);
        EXPECT(tls_pair_try(&stapled, cache, &holds, &mistake, NULL) == ERR_OK);
        EXPECT(tls_pair_try(&shifted, cache, &holds, &mistake, NULL) == ERR_OK);
        EXPECT(tls_pair_try(&mixed, cache, &holds, &mistake, NULL) == ERR_SYNTAX);
        EXPECT(mistake.part == TLS_PART_PAIR && mistake.index == 0);
        EXPECT_U64(certificate_cache_count(cache), 3);
    }
    certificate_cache_drop(cache);
}

TEST("tls cache: it keeps none of the bytes, and knows them again wherever they lie")
{
    static uint8_t rooms[2][16384];
    CertificateCache *cache = cache_of();
    TlsPair from = fixture_pair("a");
    TlsServer *servers[2];
    for (size_t i = 0; i < 2; i++) {
        Span chain = span_of(rooms[i], from.chain.len);
        Span key = span_of(rooms[i] + from.chain.len, from.key.len);
        (void)span_copy(chain, from.chain);
        (void)span_copy(key, from.key);
        TlsPair pair = {.chain = span_str(chain), .key = span_str(key)};
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        plan.pairs = &pair;
        plan.cache = cache;
        servers[i] = server_of(&plan);
        span_fill(span_of(rooms[i], sizeof rooms[i]), 'x');
    }
    EXPECT_U64(certificate_cache_count(cache), 1);
    for (size_t i = 0; i < 2; i++) {
        EXPECT(opens(servers[i], S("b.example")));
        tls_server_unref(servers[i]);
    }
    certificate_cache_drop(cache);
}

TEST("tls cache: clients share authorities, and those who ask strictly have their own")
{
    CertificateCache *cache = cache_of();
    TlsClient *clients[3];
    for (size_t i = 0; i < 3; i++) {
        TlsClientPlan plan = client_plan(i == 0 ? S("a.example") : S("b.example"));
        plan.cache = cache;
        plan.roots_of_platform = i == 2;
        plan.own = i == 1 ? fixture_pair("client") : plan.own;
        clients[i] = client_of(&plan);
    }
    EXPECT_U64(certificate_cache_count(cache), 3); /* two kinds of authorities, and the pair */
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    plan.clients = TLS_CLIENTS_OPTIONAL;
    plan.client_roots = fixture("ca.pem");
    plan.cache = cache;
    TlsServer *server = server_of(&plan);
    EXPECT_U64(certificate_cache_count(cache), 4); /* authorities are shared */
    for (size_t i = 0; i < 3; i++) {
        Ends e;
        ends_open(&e, server, clients[i]);
        EXPECT(ends_shake(&e, SIZE_MAX));
        TlsInfo info;
        tls_info(e.server, &info);
        EXPECT((info.subject.len > 0) == (i == 1));
        ends_close(&e);
        tls_client_unref(clients[i]);
    }
    tls_server_unref(server);
    sweep_twice(cache);
    EXPECT_U64(certificate_cache_count(cache), 0);
    certificate_cache_drop(cache);
}

TEST("tls cache: it grows, and many certificates of one name cost no more than others")
{
    enum { COUNT = 20000 };
    static TlsPair pairs[COUNT];
    CertificateCache *cache = cache_of();
    static uint8_t room[COUNT / 100][8];
    TlsPair a = fixture_pair("a");
    for (size_t i = 0; i < COUNT; i++) {
        pairs[i] = a;
    }
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    plan.pair_count = COUNT;
    plan.pairs = pairs;
    plan.cache = cache;
    clock_t start = clock();
    TlsServer *server = server_of(&plan);
    EXPECT(clock() - start < 10 * CLOCKS_PER_SEC); /* comparing each with each takes minutes */
    EXPECT_U64(tls_server_identity(server, S("b.example")), 0);
    EXPECT(opens(server, S("b.example")));
    tls_server_unref(server);
    for (size_t i = 0; i < COUNT / 100; i++) { /* other bytes, the same certificate */
        static uint8_t chain[16384];
        Text number = text_in(span_of(room[i], sizeof room[i]));
        Text text = text_in(span_of(chain, sizeof chain));
        TlsValidity holds;
        TlsMistake mistake;
        text_u64(&number, i);
        text_add(&text, text_str(&number));
        text_byte(&text, '\n');
        text_add(&text, a.chain);
        TlsPair pair = {.chain = text_str(&text), .key = a.key};
        EXPECT(tls_pair_try(&pair, cache, &holds, &mistake, NULL) == ERR_OK);
        EXPECT_U64(certificate_cache_count(cache), i + 2);
    }
    sweep_twice(cache);
    EXPECT_U64(certificate_cache_count(cache), 0);
    certificate_cache_drop(cache);
}

TEST("tls cache: a pair that is tried tells from when until when it holds")
{
    Blocks blocks;
    Arena arena;
    blocks_init(&blocks, NULL, 4096, 0);
    arena_init(&arena, &blocks, 1u << 20);
    const char *names[] = {"a", "expired", "early"};
    for (size_t i = 0; i < 3; i++) {
        TlsPair pair = fixture_pair(names[i]);
        TlsCertificate about;
        TlsValidity holds = {0};
        TlsMistake mistake;
        EXPECT(tls_pair_try(&pair, NULL, &holds, &mistake, NULL) == ERR_OK);
        EXPECT(tls_certificate_read(pair.chain, &arena, &about) == ERR_OK);
        EXPECT(holds.not_before == about.not_before && holds.not_after == about.not_after);
        EXPECT(holds.not_before < holds.not_after);
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("tls cache: without memory nothing is lost, whichever allocation fails")
{
    bool done = false;
    (void)tls_known(TLS_LIST_SUITES); /* what is made once for all is made before */
    for (long n = 0; n < 200 && !done; n++) {
        CertificateCache *cache = cache_of();
        TlsServer *server = NULL;
        TlsClient *client = NULL;
        TlsMistake mistake = {0};
        TlsServerPlan plan = server_plan("a", "wild", NULL, NULL);
        TlsClientPlan asks = client_plan(S("a.example"));
        plan.cache = cache;
        asks.cache = cache;
        asks.own = fixture_pair("client");
        memory_fail_after(n);
        Err err = tls_server_new(&plan, &server, &mistake, NULL);
        Err other = tls_client_new(&asks, &client, &mistake, NULL);
        memory_fail_after(-1);
        EXPECT((err == ERR_OK) == (server != NULL) && (other == ERR_OK) == (client != NULL));
        EXPECT(err == ERR_OK || (err == ERR_MEMORY && mistake.part == TLS_PART_MEMORY));
        EXPECT(other == ERR_OK || other == ERR_MEMORY);
        done = err == ERR_OK && other == ERR_OK && certificate_cache_count(cache) == 4;
        EXPECT(!server || opens(server, S("a.example")));
        tls_server_unref(server);
        tls_client_unref(client);
        certificate_cache_sweep(cache);
        certificate_cache_drop(cache);
    }
    EXPECT(done);
}
