/* config_tls_test.c - TLS in the configuration: what is wrong, and what it becomes. */
#include "config/material.h"
#include "config_support.h"
#include "tls_support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW_S INT64_C(1800000000) /* in 2027, when the fixtures are valid */
#define PAIR "cert-path=\"a.pem\" key-path=\"a.key\""

/* Reads fixtures by their names. */
static Err read_fixture(void *context, Arena *a, FileSettings *file)
{
    char name[64];
    (void)context;
    if (str_equal(file->path, S("secret.key"))) {
        return ERR_DENIED;
    }
    if (str_starts(file->path, S("/etc/"))) {
        return arena_copy(a, fixture("ca.pem"), &file->bytes) ? ERR_OK : ERR_MEMORY;
    }
    if (str_to_c(file->path, span_of(name, sizeof name)) != ERR_OK || !fixture_exists(name)) {
        return ERR_MISSING;
    }
    file->bytes = fixture(name);
    return ERR_OK;
}

static const ConfigFiles fixtures = {.read = read_fixture, .now_s = NOW_S};

static void load_tls(Loaded *l, Str text)
{
    ConfigOptions options = {.files = &fixtures};
    load_with(l, text, &options);
}

/* "LINE:COLUMN: MESSAGE" of the first, or nothing. */
static Str first_of(const Loaded *l)
{
    static uint8_t room[2048];
    Text t = text_in(span_of(room, sizeof room));
    if (l->d->count > 0) {
        const Diagnostic *one = &l->d->list[0];
        Place place = place_of(l->d->text, one->location.from);
        text_format(&t, "%u:%u: %.*s", (unsigned)place.line, (unsigned)place.column,
                    STR_ARG(one->message));
    }
    return text_str(&t);
}

typedef struct Row {
    Str text;
    Str first;
} Row;

/* One mistake each. */
static const Row mistakes[] = {
    /* listeners */
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"c\"")),
     S_INIT("1:43: `cert-path` needs `key-path` beside it")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" offer-h2=true")), S_INIT("1:43: `offer-h2` needs TLS")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" h2c=true " PAIR)),
     S_INIT("1:43: `h2c` is for listeners without TLS")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" h2c=true offer-h2=false")),
     S_INIT("1:52: `offer-h2=false` contradicts `h2c`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" { tls-versions \"1.3\" }")),
     S_INIT("1:45: `tls-versions` needs TLS")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" ocsp-path=\"a.ocsp\"")),
     S_INIT("1:43: `ocsp-path` needs `cert-path` beside it")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { tls-versions \"1.1\" }")),
     S_INIT("1:93: `tls-versions` has no `1.1`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { cipher-suites \"TLS_AES_128_GCM\" }")),
     S_INIT("1:94: `cipher-suites` has no `TLS_AES_128_GCM`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { key-exchange \"x25519\" \"x448\" }")),
     S_INIT("1:102: `key-exchange` has no `x448`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"required\" }")),
     S_INIT("1:80: `client-certificates` needs `ca-path=`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR
                     " { client-certificates \"always\" ca-path=\"ca.pem\" }")),
     S_INIT("1:100: `client-certificates` has no value `always`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { certificate cert-path=\"a.pem\" }")),
     S_INIT("1:80: `certificate` needs `key-path=`")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { key-log-path \"keys\" }")),
     S_INIT("1:93: `key-log-path` takes an absolute path")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR
                     " { tls-versions \"1.2\"; cipher-suites \"TLS_AES_128_GCM_SHA256\" }")),
     S_INIT("1:100: `cipher-suites` and `tls-versions` have nothing in common")},
    /* their files */
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"none.pem\" key-path=\"a.key\"")),
     S_INIT("1:53: cannot read none.pem: there is no such thing")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"a.pem\" key-path=\"secret.key\"")),
     S_INIT("1:70: cannot read secret.key: permission denied")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"a.key\" key-path=\"a.key\"")),
     S_INIT("1:53: a.key is not a certificate chain: no certificate in PEM form stands there")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"a.pem\" key-path=\"a.pem\"")),
     S_INIT("1:70: a.pem is not a private key: error parsing private key")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"a.pem\" key-path=\"wild.key\"")),
     S_INIT("1:70: wild.key is not the key of the certificate beside it")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR
                     " { certificate cert-path=\"wild.pem\" key-path=\"a.key\" }")),
     S_INIT("1:122: a.key is not the key of the certificate beside it")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR
                     " { client-certificates \"optional\" ca-path=\"a.key\" }")),
     S_INIT("1:119: a.key holds no authorities: error parsing certificate")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"ca.pem\" crl-path=\"ca.pem\" }")),
     S_INIT("1:137: ca.pem cannot be used as lists of revoked certificates: no list in PEM form "
            "stands there")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"key-one.pem\" crl-path=\"three-bare.crl\" }")),
     S_INIT("1:142: three-bare.crl cannot be used as lists of revoked certificates: the signature "
            "of the list of `CN=River test keys` (number 5) is not of the authority's key")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"key-one.pem\" expired-crl=\"refuse\" }")),
     S_INIT("1:133: `expired-crl` needs `crl-path` beside it")},
    /* connectors */
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" client-cert-path=\"c\" tls-sni=\"a\"")),
     S_INIT("1:74: `client-cert-path` needs `client-key-path` beside it")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" ca-path=\"ca.pem\"")), S_INIT("1:74: `ca-path` needs TLS")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" verify=false")), S_INIT("1:74: `verify` needs TLS")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a b\"")),
     S_INIT("1:82: `a b` is neither a DNS name nor an IP address")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" ca-path=\"none\"")),
     S_INIT("1:94: cannot read none: there is no such thing")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" ca-path=\"a.key\"")),
     S_INIT("1:94: a.key holds no authorities: error parsing certificate")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" client-cert-path=\"client.pem\" "
                      "client-key-path=\"a.key\"")),
     S_INIT("1:132: a.key is not the key of the certificate beside it")},
};

TEST("config: each mistake about TLS has its place and its words")
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        Loaded l;
        load_tls(&l, mistakes[i].text);
        EXPECT(l.err == ERR_SYNTAX && l.settings == NULL);
        EXPECT_U64(l.d->count, 1);
        EXPECT_STR(first_of(&l), mistakes[i].first);
        loaded_close(&l);
    }
}

static const Row warnings[] = {
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " ocsp-path=\"ca.pem\"")),
     S_INIT("1:88: this response is not stapled: it is not an OCSP response in DER form")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " ocsp-path=\"ocsp-revoked.der\"")),
     S_INIT("1:88: this response is not stapled: it says that the certificate is revoked")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " ocsp-path=\"ocsp-endless.der\"")),
     S_INIT("1:88: this response is not stapled: it has expired")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"key-one.pem\" crl-path=\"one-9-expired.crl\" }")),
     S_INIT("1:142: the list of `CN=River test keys` (number 9) expired on Mon, 01 Jan 2024 "
            "00:00:00 GMT: it is used all the same, and may lack later revocations")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"key-one.pem\" crl-path=\"one-9-future.crl\" }")),
     S_INIT("1:142: the list of `CN=River test keys` (number 9) is dated in the future: Sat, 01 "
            "Jan 2089 00:00:00 GMT")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { client-certificates \"optional\" "
                     "ca-path=\"key-one.pem\" crl-path=\"two-1.crl\" }")),
     S_INIT("1:142: the list of `CN=River test keys` (number 1) is by none of the authorities in "
            "`ca-path`: it counts only where a client sends its authority's certificate along")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" cert-path=\"expired.pem\" key-path=\"expired.key\"")),
     S_INIT("1:53: this certificate expired on Fri, 01 Jan 2021 00:00:00 GMT")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { certificate cert-path=\"early.pem\" "
                     "key-path=\"early.key\" }")),
     S_INIT("1:102: this certificate is not valid before Sun, 01 Jan 2090 00:00:00 GMT")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" " PAIR " { key-log-path \"/tmp/keys\" }")),
     S_INIT("1:80: anyone who reads this file can read the traffic")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" verify=false")),
     S_INIT("1:86: anyone between River and this origin can read and change everything")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" proto=\"h1-or-h2\"")),
     S_INIT("1:92: `h1-or-h2` is an old way to say `h2-or-h1`")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" proto=\"h2-or-h1\"")),
     S_INIT("1:80: without TLS nothing is negotiated: HTTP/1 is spoken")},
    {S_INIT("system { threads-per-service 4; }; "
            CONNECTOR("\"127.0.0.1:81\" proto=\"h2-only\" max-connections=3")),
     S_INIT("1:141: over HTTP/2 each of the 4 threads needs a connection of its own: they will "
            "take turns")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" tls-sni=\"a\" client-cert-path=\"expired.pem\" "
                      "client-key-path=\"expired.key\"")),
     S_INIT("1:103: this certificate expired on Fri, 01 Jan 2021 00:00:00 GMT")},
};

TEST("config: what is unwise about TLS is a warning, and everything loads")
{
    for (size_t i = 0; i < COUNT(warnings); i++) {
        Loaded l;
        load_tls(&l, warnings[i].text);
        EXPECT(l.err == ERR_OK && l.settings != NULL);
        EXPECT_U64(l.d->count, 1);
        EXPECT_STR(first_of(&l), warnings[i].first);
        loaded_close(&l);
    }
}

TEST("config: an unknown group is answered with all that are known, and the nearest")
{
    Loaded l;
    load_tls(&l, S(LISTENER("\"127.0.0.1:80\" " PAIR " { key-exchange \"X25518\" }")));
    EXPECT(l.d->count == 1 && str_starts(l.d->list[0].help, S("did you mean `X25519`? known: ")));
    EXPECT(str_ends(l.d->list[0].help, S("MLKEM1024")));
    loaded_close(&l);
}

TEST("config: what is written about TLS arrives in the settings")
{
    Loaded l;
    load_tls(&l, S("services { A { listeners {\n"
                   "\"127.0.0.1:443\" cert-path=\"a.pem\" key-path=\"a.key\" ocsp-path=\"a.ocsp\" "
                   "offer-h2=false {\n"
                   "  certificate cert-path=\"wild.pem\" key-path=\"wild.key\"\n"
                   "  tls-versions \"1.3\" \"1.2\"\n"
                   "  key-exchange \"X25519\"\n"
                   "  session-lifetime-seconds 3600\n"
                   "  client-certificates \"optional\" ca-path=\"ca.pem\" crl-path=\"ca.crl\"\n"
                   "}\n"
                   "\"127.0.0.1:80\" h2c=true\n"
                   "\"127.0.0.1:81\" }\n"
                   "connectors { \"127.0.0.1:82\" tls-sni=\"o.example\"\n"
                   "\"127.0.0.1:83\" proto=\"h2-only\"\n"
                   "\"127.0.0.1:84\" tls-sni=\"o.example\" proto=\"h1-only\" ca-path=\"ca.pem\" "
                   "client-cert-path=\"client.pem\" client-key-path=\"client.key\" } } }"));
    EXPECT_STR(shown(&l), S(""));
    if (!l.settings) {
        return;
    }
    const ServiceSettings *s = l.settings->services[0];
    const ListenerTls *tls = &l.settings->listeners[0].tls;
    EXPECT(tls->pair_count == 2 && tls->file_count == 8 && !tls->offer_h2);
    EXPECT_STR(tls->files[TLS_FILE_OCSP].path, S("a.ocsp"));
    EXPECT_STR(tls->files[3].path, S("wild.pem"));
    EXPECT_STR(tls->files[3].bytes, fixture("wild.pem"));
    EXPECT_STR(tls->files[6 + TLS_FILE_CLIENT_CRLS].path, S("ca.crl"));
    EXPECT_STR(tls->versions, S("1.3,1.2"));
    EXPECT_STR(tls->groups, S("X25519"));
    EXPECT_U64(tls->session_lifetime_s, 3600);
    EXPECT(tls->suites.len == 0 && tls->clients == CLIENT_CERTIFICATES_OPTIONAL);
    EXPECT(l.settings->listeners[1].h2c && l.settings->listeners[1].tls.pair_count == 0);
    EXPECT(!l.settings->listeners[2].h2c);
    const ConnectorSettings *c = s->action.cluster.connectors;
    EXPECT(c[0].protocol == PROTOCOL_H2_OR_H1 && c[0].tls.verify);
    EXPECT_STR(l.settings->platform_roots, fixture("ca.pem"));
    EXPECT(c[1].protocol == PROTOCOL_H2 && c[1].tls.name.len == 0);
    EXPECT(c[2].protocol == PROTOCOL_H1);
    EXPECT_STR(c[2].tls.chain.bytes, fixture("client.pem"));
    loaded_close(&l);
}

TEST("config: what origins are told about certificates arrives in the settings")
{
    Loaded l;
    load_tls(&l, S("services { A { listeners { \"127.0.0.1:443\" cert-path=\"a.pem\" "
                   "key-path=\"a.key\" { client-certificates \"optional\" ca-path=\"ca.pem\" } }\n"
                   "client-certificate-headers { client-cert false; client-cert-chain true\n"
                   "subject \"X-Sub\"; names \"X-Names\"; fingerprint \"X-Print\" }\n"
                   "respond } }"));
    EXPECT_STR(shown(&l), S(""));
    if (l.settings) {
        const IdentitySettings *headers = &l.settings->services[0]->identity_headers;
        EXPECT(headers->any && !headers->certificate && headers->chain);
        EXPECT_STR(headers->subject, S("x-sub"));
        EXPECT_STR(headers->names, S("x-names"));
        EXPECT_STR(headers->fingerprint, S("x-print"));
    }
    loaded_close(&l);
}

/* ---- services that share an address ---- */

#define TWO(first, second)                                                                         \
    "services { A { listeners { \"127.0.0.1:443\" " first " }; respond; hosts \"a\" };" \
    " B { listeners { \"127.0.0.1:443\" " second " }; respond; hosts \"b\" } }"

TEST("config: services that share an address join their certificates, each once")
{
    Loaded l;
    load_tls(&l, S(TWO(PAIR, "cert-path=\"wild.pem\" key-path=\"wild.key\" "
                             "{ certificate cert-path=\"a.pem\" key-path=\"a.key\" }")));
    EXPECT_STR(shown(&l), S(""));
    if (l.settings) {
        const ListenerSettings *one = &l.settings->listeners[0];
        EXPECT_U64(l.settings->listener_count, 1);
        EXPECT(one->service_count == 2 && one->services[0] == 0 && one->services[1] == 1);
        EXPECT_U64(one->tls.pair_count, 2);
        EXPECT_U64(one->tls.file_count, 8);
        EXPECT_STR(one->tls.files[TLS_FILE_CHAIN].path, S("a.pem"));
        EXPECT_STR(one->tls.files[3 + TLS_FILE_KEY].path, S("wild.key"));
        EXPECT_STR(one->tls.files[3 + TLS_FILE_KEY].bytes, fixture("wild.key"));
    }
    loaded_close(&l);
}

TEST("config: what is decided before the host is known is the same for all who share an address")
{
    static const struct {
        Str text;
        Str option;
    } rows[] = {
        {S_INIT(TWO(PAIR, PAIR " offer-h2=false")), S_INIT("offer-h2")},
        {S_INIT(TWO("", "h2c=true")), S_INIT("h2c")},
        {S_INIT(TWO(PAIR, PAIR " { tls-versions \"1.3\" }")), S_INIT("tls-versions")},
        {S_INIT(TWO(PAIR " { key-exchange \"X25519\" }", PAIR)), S_INIT("key-exchange")},
        {S_INIT(TWO(PAIR " { session-lifetime-seconds 0 }", PAIR)),
         S_INIT("session-lifetime-seconds")},
        {S_INIT(TWO(PAIR " { client-certificates \"required\" ca-path=\"ca.pem\" }", PAIR)),
         S_INIT("client-certificates")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loaded l;
        uint8_t room[128];
        Text want = text_in(span_of(room, sizeof room));
        text_format(&want, "the service `A` shares this address and differs in `%.*s`",
                    STR_ARG(rows[i].option));
        load_tls(&l, rows[i].text);
        EXPECT_U64(l.d->error_count, 1);
        EXPECT_STR(l.d->count ? l.d->list[0].message : STR_NONE, text_str(&want));
        loaded_close(&l);
    }
}

/* ---- renewal ---- */

/* What a renewal makes of `text`, whose settings are `before`; files that are called old.* hold
 * something else by now. */
static Err renewed_fixture(void *context, Arena *a, FileSettings *file)
{
    const Str *broken = (const Str *)context;
    if (str_equal(file->path, S("a.pem")) || str_equal(file->path, S("a.key"))) {
        file->bytes = fixture(str_ends(file->path, S("pem")) ? "wild.pem" : "wild.key");
        return ERR_OK;
    }
    if (str_equal(file->path, *broken)) {
        return arena_copy(a, S("half of a file"), &file->bytes) ? ERR_OK : ERR_MEMORY;
    }
    return read_fixture(NULL, a, file);
}

TEST("config: a renewal reads certificates again, and a listener with broken ones keeps its own")
{
    static const Str text = S_INIT(
        "services { A { listeners { \"127.0.0.1:443\" " PAIR "; \"127.0.0.1:444\" "
        "cert-path=\"wild.pem\" key-path=\"wild.key\" }\n"
        "connectors { \"127.0.0.1:81\" tls-sni=\"o\" ca-path=\"ca.pem\" } } }");
    static Str broken = S_INIT("wild.key");
    ConfigFiles files = {.context = &broken, .read = renewed_fixture, .now_s = NOW_S};
    Loaded before;
    Loaded after;
    load_tls(&before, text);
    ConfigOptions options = {.files = &files, .renew = before.settings};
    load_with(&after, text, &options);
    EXPECT(before.settings && after.settings && after.d->error_count == 0);
    if (before.settings && after.settings) {
        const ListenerSettings *was = before.settings->listeners;
        const ListenerSettings *is = after.settings->listeners;
        EXPECT_U64(after.d->count, 1); /* a warning */
        EXPECT_STR(is[0].tls.files[TLS_FILE_CHAIN].bytes, fixture("wild.pem"));
        EXPECT(!fingerprint_equal(&was[0].tls.identity, &is[0].tls.identity));
        EXPECT_STR(is[1].tls.files[TLS_FILE_KEY].bytes, fixture("wild.key"));
        EXPECT(fingerprint_equal(&was[1].tls.identity, &is[1].tls.identity));
        EXPECT(fingerprint_equal(&before.settings->services[0]->identity,
                                 &after.settings->services[0]->identity));
    }
    loaded_close(&after);
    loaded_close(&before);
}
