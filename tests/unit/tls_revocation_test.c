/* tls_revocation_test.c - which lists of revoked certificates count: the newest of each key and
 * scope (RFC 5280 §6.3), whatever their order and the names of their authorities. */
#include "test.h"
#include "tls_support.h"

#define PARTS_MAX 6u
#define JOINED_BYTES_MAX 65536u
#define WHY_BYTES 256u

/* Several fixtures, one behind the other; at most two texts at a time. */
static Str joined(const char *const *names)
{
    static uint8_t rooms[2][JOINED_BYTES_MAX];
    static unsigned turn;
    Text t = text_in(span_of(rooms[turn ^= 1u], JOINED_BYTES_MAX));
    for (size_t i = 0; i < PARTS_MAX && names[i]; i++) {
        text_add(&t, fixture(names[i]));
    }
    EXPECT(!t.overflow);
    return text_str(&t);
}

#define LIST(...) ((const char *const[PARTS_MAX + 1]){__VA_ARGS__})

static TlsServerPlan clients_plan(const char *const *roots, const char *const *crls)
{
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    plan.clients = TLS_CLIENTS_REQUIRED;
    plan.client_roots = joined(roots);
    plan.client_crls = joined(crls);
    return plan;
}

/* Whether a client with this certificate gets in. */
static bool lets_in(const TlsServerPlan *plan, const char *who)
{
    TlsClientPlan asks = client_plan(S("a.example"));
    Ends e;
    asks.own = fixture_pair(who);
    ends_between(&e, plan, &asks);
    bool in = tls_state(e.server) == TLS_OPEN;
    EXPECT(in || tls_reason(e.server) == TLS_REASON_CERTIFICATE);
    ends_close(&e);
    return in;
}

static TlsMistake refused(const TlsServerPlan *plan, Text *why)
{
    TlsServer *server = NULL;
    TlsMistake mistake = {0};
    EXPECT(tls_server_new(plan, &server, &mistake, why) == ERR_SYNTAX);
    tls_server_unref(server);
    return mistake;
}

TEST("tls revocation: the newest list of an authority counts, whichever stands first")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-1.crl", "one-2.crl"));
    EXPECT(lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "one-1.crl"));
    EXPECT(lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
    /* Numbers are numbers: 260 is more than 2 in every order, and 9 is less. */
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "one-260.crl", "one-1.crl"));
    EXPECT(!lets_in(&plan, "alice") && lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-260.crl", "one-9-expired.crl"));
    EXPECT(!lets_in(&plan, "alice") && lets_in(&plan, "bob"));
}

TEST("tls revocation: lists of one number: the later one, or both of one date")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-2-later.crl", "one-2.crl"));
    EXPECT(lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "one-2-later.crl"));
    EXPECT(lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "one-2-other.crl"));
    EXPECT(!lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2-other.crl", "one-2.crl"));
    EXPECT(!lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
}

TEST("tls revocation: a list that is newer by number and older by date does not hide the other")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-3-earlier.crl", "one-2.crl"));
    EXPECT(!lets_in(&plan, "bob") && lets_in(&plan, "alice"));
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "one-3-earlier.crl"));
    EXPECT(!lets_in(&plan, "bob") && lets_in(&plan, "alice"));
}

TEST("tls revocation: each key of an authority has its own list, with and without an identifier")
{
    static const char *const orders[][4] = {{"one-2.crl", "two-1.crl"},
                                            {"two-1.crl", "one-2.crl"},
                                            {"one-bare.crl", "two-bare.crl"},
                                            {"two-bare.crl", "one-bare.crl"}};
    for (size_t i = 0; i < 4; i++) {
        const char *const *o = orders[i];
        TlsServerPlan plan = clients_plan(LIST("key-one.pem", "key-two.pem"), LIST(o[0], o[1]));
        EXPECT(lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
        EXPECT(lets_in(&plan, "carol") && !lets_in(&plan, "dave"));
        plan = clients_plan(LIST("key-two.pem", "key-one.pem"), LIST(o[0], o[1]));
        EXPECT(lets_in(&plan, "alice") && lets_in(&plan, "carol"));
    }
}

TEST("tls revocation: a key without a list lets nobody in")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem", "key-two.pem"), LIST("two-1.crl"));
    EXPECT(!lets_in(&plan, "alice") && lets_in(&plan, "carol"));
    plan.clients = TLS_CLIENTS_OPTIONAL;
    EXPECT(!lets_in(&plan, "alice") && lets_in(&plan, "carol"));
    TlsClientPlan nobody = client_plan(S("a.example"));
    Ends e;
    ends_between(&e, &plan, &nobody);
    EXPECT(tls_state(e.server) == TLS_OPEN);
    ends_close(&e);
}

TEST("tls revocation: a wrong signature of an authority at hand is a mistake, of another key none")
{
    uint8_t room[WHY_BYTES];
    Text why = text_in(span_of(room, sizeof room));
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl", "three-bare.crl"));
    EXPECT_U64(refused(&plan, &why).part, TLS_PART_CLIENT_CRLS);
    EXPECT_STR(text_str(&why), S("the signature of the list of `CN=River test keys` (number 5) is "
                                 "not of the authority's key"));
    plan = clients_plan(LIST("key-one.pem"), LIST("three.crl", "one-2.crl"));
    EXPECT(lets_in(&plan, "alice") && !lets_in(&plan, "bob"));
}

/* The list with a byte of its signature changed. */
TEST("tls revocation: a list that was changed is a mistake")
{
    static uint8_t room[JOINED_BYTES_MAX];
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl"));
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, plan.client_crls);
    size_t at = 0;
    while (!str_starts(str_drop(text_str(&t), at), S("\n-----END"))) {
        at++;
    }
    while (room[at - 1] == '=') {
        at--;
    }
    room[at - 5] = room[at - 5] == 'A' ? 'B' : 'A';
    plan.client_crls = text_str(&t);
    EXPECT_U64(refused(&plan, NULL).part, TLS_PART_CLIENT_CRLS);
}

TEST("tls revocation: authorities that clients bring along need lists, too")
{
    static const char *const below[] = {"below-1.crl", "below-bare.crl"};
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-1.crl"));
    EXPECT(!lets_in(&plan, "erin"));
    for (size_t i = 0; i < 2; i++) {
        plan = clients_plan(LIST("key-one.pem"), LIST("one-1.crl", below[i]));
        EXPECT(lets_in(&plan, "erin") && !lets_in(&plan, "frank"));
        plan = clients_plan(LIST("key-one.pem"), LIST(below[i]));
        EXPECT(!lets_in(&plan, "erin"));
        plan = clients_plan(LIST("key-one.pem", "below.pem"), LIST(below[i], "one-1.crl"));
        EXPECT(lets_in(&plan, "erin") && !lets_in(&plan, "frank"));
    }
}

TEST("tls revocation: lists of different scopes stand beside each other")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("scope-b-7.crl", "scope-a-1.crl"));
    EXPECT(lets_in(&plan, "grace"));
    plan = clients_plan(LIST("key-one.pem"),
                        LIST("scope-a-1.crl", "scope-b-7.crl", "scope-a-2.crl"));
    EXPECT(!lets_in(&plan, "grace"));
    plan = clients_plan(LIST("key-one.pem"), LIST("scope-b-7.crl"));
    EXPECT(!lets_in(&plan, "grace"));
    plan = clients_plan(LIST("key-one.pem"), LIST("scope-b-7.crl", "one-2.crl"));
    EXPECT(lets_in(&plan, "grace") && !lets_in(&plan, "bob"));
    plan = clients_plan(LIST("key-one.pem"), LIST("scope-a-2.crl", "one-2.crl"));
    EXPECT(!lets_in(&plan, "grace"));
}

TEST("tls revocation: an expired list counts, or lets nobody in")
{
    TlsServerPlan plan = clients_plan(LIST("key-one.pem", "key-two.pem"),
                                      LIST("one-9-expired.crl", "one-2.crl", "two-1.crl"));
    EXPECT(lets_in(&plan, "alice") && !lets_in(&plan, "bob") && lets_in(&plan, "carol"));
    plan.refuse_expired_crls = true;
    EXPECT(!lets_in(&plan, "alice") && !lets_in(&plan, "bob") && lets_in(&plan, "carol"));
}

TEST("tls revocation: what is said of each list")
{
    Blocks blocks;
    Arena arena;
    const TlsCrl *list = NULL;
    size_t count = 0;
    static const struct {
        TlsCrlState state;
        bool counts;
    } expected[] = {{TLS_CRL_OLDER, false},      {TLS_CRL_SAME_NUMBER, false},
                    {TLS_CRL_TWICE, false},      {TLS_CRL_COUNTS, true},
                    {TLS_CRL_STRANGER, true},    {TLS_CRL_COUNTS, true}};
    blocks_init(&blocks, NULL, 4096, 0);
    arena_init(&arena, &blocks, 1 << 20);
    TlsServerPlan plan = clients_plan(LIST("key-one.pem", "key-two.pem"),
                                      LIST("one-1.crl", "one-2.crl", "one-1.crl",
                                           "one-2-later.crl", "three.crl", "two-1.crl"));
    EXPECT(tls_crls_read(&plan, &arena, &list, &count) == ERR_OK);
    EXPECT_U64(count, 6);
    for (size_t i = 0; i < count && i < 6; i++) {
        EXPECT_U64(list[i].state, expected[i].state);
        EXPECT_U64(list[i].counts, expected[i].counts);
    }
    EXPECT_STR(list[1].number, S("2"));
    EXPECT_STR(list[1].issuer, S("CN=River test keys"));
    EXPECT_U64(list[1].this_update, 1609459200);
    EXPECT_U64(list[1].next_update, 3786912000);
    plan = clients_plan(LIST("key-one.pem"), LIST("one-3-earlier.crl", "one-2.crl"));
    EXPECT(tls_crls_read(&plan, &arena, &list, &count) == ERR_OK);
    EXPECT_U64(count, 2);
    EXPECT_U64(list[1].state, TLS_CRL_DISAGREES);
    EXPECT(list[0].counts && list[1].counts);
    plan = clients_plan(LIST("key-one.pem"), LIST("a.pem"));
    EXPECT(tls_crls_read(&plan, &arena, &list, &count) == ERR_SYNTAX);
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("tls revocation: lists are parsed once, with the authorities that they were parsed for")
{
    CertificateCache *cache = NULL;
    EXPECT(certificate_cache_new(&cache) == ERR_OK);
    TlsServerPlan plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl"));
    plan.cache = cache;
    EXPECT(lets_in(&plan, "alice"));
    size_t count = certificate_cache_count(cache);
    plan = clients_plan(LIST("key-one.pem"), LIST("one-2.crl"));
    plan.cache = cache;
    EXPECT(!lets_in(&plan, "bob"));
    EXPECT_U64(certificate_cache_count(cache), count);
    plan = clients_plan(LIST("key-one.pem", "key-two.pem"), LIST("one-2.crl"));
    plan.cache = cache;
    EXPECT(!lets_in(&plan, "bob"));
    EXPECT_U64(certificate_cache_count(cache), count + 2);
    certificate_cache_drop(cache);
}
