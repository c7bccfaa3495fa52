/* deps_test.c - the Rust archive (deps/): what it holds, and River's adapters in it. */
#include <nghttp2/nghttp2.h>
#include <river_certificate.h>
#include <river_tls.h>
#include <river_toml.h>
#include <rure.h>
#include <string.h>
#include <zlib.h>

#include "base/text.h"
#include "test.h"

/* CN=fixture.example, from 2024-01-01 to 2123-12-31, and its key: made for this file. */
static const char certificate_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB2jCCAX+gAwIBAgIIASNFZ4mrze8wCgYIKoZIzj0EAwIwQDELMAkGA1UEBhMC\n"
    "REUxFzAVBgNVBAoMDlJpdmVyLCBJbmMuICMxMRgwFgYDVQQDDA9maXh0dXJlLmV4\n"
    "YW1wbGUwIBcNMjQwMTAxMDAwMDAwWhgPMjEyMzEyMzEyMzU5NTlaMEAxCzAJBgNV\n"
    "BAYTAkRFMRcwFQYDVQQKDA5SaXZlciwgSW5jLiAjMTEYMBYGA1UEAwwPZml4dHVy\n"
    "ZS5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfYw+acsyC24sGl37\n"
    "dw/D2KL44mmSBSQM78GF2QIy8xhckP7vsf0Ztuz4NYEp9IOf0+C4VJ0AeO6C/9qq\n"
    "KFpny6NhMF8wDAYDVR0TAQH/BAIwADAwBgNVHREEKTAngg9maXh0dXJlLmV4YW1w\n"
    "bGWCDioud2lsZC5leGFtcGxlhwR/AAABMB0GA1UdDgQWBBQ3ins4zLHi0CfL03xf\n"
    "TvmXDve4GjAKBggqhkjOPQQDAgNJADBGAiEAw7JMaciVPdWHYCcsDua5IJycT8PQ\n"
    "6JdAQ1/0Ri1I+CcCIQCcWA1ofN/YXjm88CDIlBVGLlSng8p2x7KicCANIDBnzA==\n"
    "-----END CERTIFICATE-----\n";
static const char key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCFSbcRUO7+MnZhYE\n"
    "3eYgY8H0mbheSnXSiE/n1xH/kAihRANCAAR9jD5pyzILbiwaXft3D8PYovjiaZIF\n"
    "JAzvwYXZAjLzGFyQ/u+x/Rm27Pg1gSn0g5/T4LhUnQB47oL/2qooWmfL\n"
    "-----END PRIVATE KEY-----\n";

static const uint8_t *bytes_of(const char *text)
{
    return (const uint8_t *)text;
}

TEST("deps: the archive holds an nghttp2 that limits glitches, continuations and resets")
{
    nghttp2_info *info = nghttp2_version(0x014400); /* 1.68.0 */
    EXPECT(info && info->version_num >= 0x014400);
    nghttp2_option *option;
    EXPECT(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_glitch_rate_limit(option, 1000, 33);
    nghttp2_option_set_stream_reset_rate_limit(option, 1000, 33);
    nghttp2_option_set_max_continuations(option, 8);
    nghttp2_option_del(option);
}

TEST("deps: rustls, the regular expressions and zlib answer")
{
    struct rustls_str version = rustls_version();
    EXPECT(str_starts(str_of(version.data, version.len), S("rustls-ffi/0.15.")));

    rure *pattern = rure_compile_must("^/static/.*\\.mp4$");
    EXPECT(rure_is_match(pattern, bytes_of("/static/a.mp4"), 13, 0));
    EXPECT(!rure_is_match(pattern, bytes_of("/static/a.mp3"), 13, 0));
    rure_free(pattern);

    uint8_t packed[64];
    uint8_t unpacked[64];
    uLongf packed_bytes = sizeof packed;
    uLongf unpacked_bytes = sizeof unpacked;
    EXPECT(compress(packed, &packed_bytes, bytes_of("river river river"), 17) == Z_OK);
    EXPECT(uncompress(unpacked, &unpacked_bytes, packed, packed_bytes) == Z_OK);
    EXPECT_STR(str_of(unpacked, unpacked_bytes), S("river river river"));
}

static bool lists(const river_tls_name *names, size_t count, Str wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(str_of(names[i].name, names[i].name_bytes), wanted)) {
            return true;
        }
    }
    return false;
}

TEST("deps: a TLS provider has the chosen groups and suites only")
{
    river_tls_name names[16];
    size_t count = river_tls_groups(NULL, names, 16);
    EXPECT(count >= 4 && count <= 16);
    EXPECT(lists(names, count, S("X25519MLKEM768")) && lists(names, count, S("secp384r1")));
    EXPECT(names[0].by_default && names[0].id == 0x11ec);
    EXPECT_U64(river_tls_groups(NULL, names, 1), count);
    count = river_tls_suites(names, 16);
    EXPECT(count <= 16 && lists(names, count, S("TLS13_CHACHA20_POLY1305_SHA256")));

    uint16_t group = 0x001d;
    uint16_t suite = 0x1301;
    const struct rustls_crypto_provider *provider = river_tls_provider_new(&group, 1, &suite, 1);
    EXPECT_U64(river_tls_groups(provider, names, 16), 1);
    EXPECT_STR(str_of(names[0].name, names[0].name_bytes), S("X25519"));
    EXPECT_U64(rustls_crypto_provider_ciphersuites_len(provider), 1);
    rustls_crypto_provider_free(provider);
    group = 0x0018 + 1; /* secp521r1 */
    EXPECT(!river_tls_provider_new(&group, 1, &suite, 1));
}

TEST("deps: a certificate is described, within the room that is given")
{
    char room[4][128];
    river_certificate c = {.subject = {.at = room[0], .room = sizeof room[0]},
                           .issuer = {.at = room[1], .room = sizeof room[1]},
                           .serial = {.at = room[2], .room = sizeof room[2]},
                           .dns_names = {.at = room[3], .room = sizeof room[3]}};
    EXPECT(river_certificate_describe_pem(bytes_of(certificate_pem), strlen(certificate_pem), &c));
    EXPECT_U64(c.not_before_s, 1704067200);
    EXPECT_U64(c.not_after_s, 4859740799);
    EXPECT_STR(str_of(room[0], c.subject.bytes), S("CN=fixture.example,O=River\\, Inc. #1,C=DE"));
    EXPECT_STR(str_of(room[1], c.issuer.bytes), S("CN=fixture.example,O=River\\, Inc. #1,C=DE"));
    EXPECT_STR(str_of(room[2], c.serial.bytes), S("0123456789abcdef"));
    EXPECT_STR(str_of(room[3], c.dns_names.bytes), S("fixture.example,*.wild.example"));
    EXPECT(!c.subject.truncated && !c.dns_names.truncated);

    c.subject.room = 10;
    c.issuer.room = 0;
    EXPECT(river_certificate_describe_pem(bytes_of(certificate_pem), strlen(certificate_pem), &c));
    EXPECT(c.subject.truncated && c.issuer.truncated && c.issuer.bytes == 0);
    EXPECT_STR(str_of(room[0], c.subject.bytes), S("CN=fixture"));
    EXPECT(!river_certificate_describe_pem(bytes_of(key_pem), strlen(key_pem), &c));
    EXPECT(!river_certificate_describe(bytes_of("\x30\x03\x02\x01"), 4, &c));
    EXPECT(!river_certificate_describe(NULL, 0, &c));
}

/* --- a server and a client in memory --------------------------------------------------------- */

typedef struct Pipe {
    uint8_t bytes[32 << 10];
    size_t used;
} Pipe;

static rustls_io_result pipe_write(void *context, const uint8_t *from, size_t n, size_t *ret_n)
{
    Pipe *pipe = context;
    size_t room = sizeof pipe->bytes - pipe->used;
    *ret_n = n < room ? n : room;
    memcpy(pipe->bytes + pipe->used, from, *ret_n);
    pipe->used += *ret_n;
    return 0;
}

static rustls_io_result pipe_read(void *context, uint8_t *to, size_t room, size_t *ret_n)
{
    Pipe *pipe = context;
    *ret_n = room < pipe->used ? room : pipe->used;
    memcpy(to, pipe->bytes, *ret_n);
    pipe->used -= *ret_n;
    memmove(pipe->bytes, pipe->bytes + *ret_n, pipe->used);
    return 0;
}

static rustls_result flow(struct rustls_connection *from, struct rustls_connection *to)
{
    static Pipe pipe;
    size_t n;
    pipe.used = 0;
    while (rustls_connection_wants_write(from)) {
        (void)rustls_connection_write_tls(from, pipe_write, &pipe, &n);
    }
    rustls_result result = RUSTLS_RESULT_OK;
    while (pipe.used > 0 && result == RUSTLS_RESULT_OK) {
        (void)rustls_connection_read_tls(to, pipe_read, &pipe, &n);
        result = rustls_connection_process_new_packets(to);
    }
    return result;
}

/* How the handshake went, as the server sees it; the client has read its tickets. */
static enum rustls_handshake_kind meet(const struct rustls_client_config *client_config,
                                       const struct rustls_server_config *server_config)
{
    struct rustls_connection *client = NULL;
    struct rustls_connection *server = NULL;
    EXPECT(rustls_client_connection_new(client_config, "fixture.example", &client) ==
           RUSTLS_RESULT_OK);
    EXPECT(rustls_server_connection_new(server_config, &server) == RUSTLS_RESULT_OK);
    for (int i = 0; i < 4; i++) {
        EXPECT(flow(client, server) == RUSTLS_RESULT_OK);
        EXPECT(flow(server, client) == RUSTLS_RESULT_OK);
    }
    EXPECT(!rustls_connection_is_handshaking(client) && !rustls_connection_is_handshaking(server));
    EXPECT_U64(rustls_connection_get_negotiated_key_exchange_group(server), 0x001d);
    EXPECT_U64(rustls_connection_get_protocol_version(server), RUSTLS_TLS_VERSION_TLSV1_3);

    size_t n = 0;
    uint8_t room[16];
    EXPECT(rustls_connection_write(client, bytes_of("hello"), 5, &n) == RUSTLS_RESULT_OK);
    EXPECT(flow(client, server) == RUSTLS_RESULT_OK);
    EXPECT(rustls_connection_read(server, room, sizeof room, &n) == RUSTLS_RESULT_OK);
    EXPECT_STR(str_of(room, n), S("hello"));
    enum rustls_handshake_kind kind = rustls_connection_handshake_kind(server);
    rustls_connection_free(client);
    rustls_connection_free(server);
    return kind;
}

static const uint16_t tls13[] = {RUSTLS_TLS_VERSION_TLSV1_3};

static const struct rustls_server_config *new_server(const struct rustls_crypto_provider *provider,
                                                     const river_tls_ticketer *ticketer)
{
    const struct rustls_certified_key *key = NULL;
    EXPECT(rustls_certified_key_build(bytes_of(certificate_pem), strlen(certificate_pem),
                                      bytes_of(key_pem), strlen(key_pem),
                                      &key) == RUSTLS_RESULT_OK);
    EXPECT(rustls_certified_key_keys_match(key) == RUSTLS_RESULT_OK);
    struct rustls_server_config_builder *builder = NULL;
    EXPECT(rustls_server_config_builder_new_custom(provider, tls13, 1, &builder) ==
           RUSTLS_RESULT_OK);
    EXPECT(rustls_server_config_builder_set_certified_keys(builder, &key, 1) == RUSTLS_RESULT_OK);
    const struct rustls_server_config *config = NULL;
    EXPECT(rustls_server_config_builder_build(builder, &config) == RUSTLS_RESULT_OK);
    EXPECT(river_tls_server_config_set_tickets(&config, ticketer, 2) == RUSTLS_RESULT_OK);
    rustls_certified_key_free(key);
    return config;
}

static const struct rustls_client_config *new_client(const struct rustls_crypto_provider *provider)
{
    struct rustls_root_cert_store_builder *roots_builder = rustls_root_cert_store_builder_new();
    EXPECT(rustls_root_cert_store_builder_add_pem(roots_builder, bytes_of(certificate_pem),
                                                  strlen(certificate_pem),
                                                  true) == RUSTLS_RESULT_OK);
    const struct rustls_root_cert_store *roots = NULL;
    EXPECT(rustls_root_cert_store_builder_build(roots_builder, &roots) == RUSTLS_RESULT_OK);
    struct rustls_web_pki_server_cert_verifier_builder *verifier_builder =
        rustls_web_pki_server_cert_verifier_builder_new_with_provider(provider, roots);
    struct rustls_server_cert_verifier *verifier = NULL;
    EXPECT(rustls_web_pki_server_cert_verifier_builder_build(verifier_builder, &verifier) ==
           RUSTLS_RESULT_OK);
    struct rustls_client_config_builder *builder = NULL;
    EXPECT(rustls_client_config_builder_new_custom(provider, tls13, 1, &builder) ==
           RUSTLS_RESULT_OK);
    rustls_client_config_builder_set_server_verifier(builder, verifier);
    const struct rustls_client_config *config = NULL;
    EXPECT(rustls_client_config_builder_build(builder, &config) == RUSTLS_RESULT_OK);
    rustls_server_cert_verifier_free(verifier);
    rustls_web_pki_server_cert_verifier_builder_free(verifier_builder);
    rustls_root_cert_store_free(roots);
    rustls_root_cert_store_builder_free(roots_builder);
    return config;
}

static void count_secrets(void *context, const char *label, size_t label_bytes,
                          const uint8_t *client_random, size_t client_random_bytes,
                          const uint8_t *secret, size_t secret_bytes)
{
    (void)client_random;
    (void)secret;
    unsigned *count = context;
    EXPECT(str_starts(str_of(label, label_bytes), S("CLIENT_")) ||
           str_starts(str_of(label, label_bytes), S("SERVER_")) ||
           str_starts(str_of(label, label_bytes), S("EXPORTER_")));
    EXPECT(client_random_bytes == 32 && secret_bytes >= 32);
    (*count)++;
}

TEST("deps: a session resumes on every server that shares its ticket keys, and on no other")
{
    uint16_t group = 0x001d;
    const struct rustls_crypto_provider *provider = river_tls_provider_new(&group, 1, NULL, 0);
    river_tls_ticketer *keys = river_tls_ticketer_new(86400);
    river_tls_ticketer *same_keys = river_tls_ticketer_clone(keys);
    river_tls_ticketer *other_keys = river_tls_ticketer_new(86400);
    const struct rustls_server_config *first = new_server(provider, keys);
    const struct rustls_server_config *second = new_server(provider, same_keys);
    const struct rustls_server_config *stranger = new_server(provider, other_keys);
    const struct rustls_server_config *forgetful = new_server(provider, NULL);
    const struct rustls_client_config *client = new_client(provider);
    unsigned secrets = 0;
    EXPECT(river_tls_client_config_set_key_log(&client, count_secrets, &secrets) ==
           RUSTLS_RESULT_OK);
    river_tls_ticketer_free(keys);
    river_tls_ticketer_free(same_keys);
    river_tls_ticketer_free(other_keys);

    EXPECT(meet(client, first) == RUSTLS_HANDSHAKE_KIND_FULL);
    EXPECT(secrets >= 4);
    EXPECT(meet(client, first) == RUSTLS_HANDSHAKE_KIND_RESUMED);
    EXPECT(meet(client, second) == RUSTLS_HANDSHAKE_KIND_RESUMED);
    EXPECT(meet(client, stranger) == RUSTLS_HANDSHAKE_KIND_FULL);
    EXPECT(meet(client, stranger) == RUSTLS_HANDSHAKE_KIND_RESUMED);
    EXPECT(meet(client, forgetful) == RUSTLS_HANDSHAKE_KIND_FULL);

    const struct rustls_client_config *fresh = new_client(provider);
    EXPECT(meet(fresh, forgetful) == RUSTLS_HANDSHAKE_KIND_FULL);
    EXPECT(meet(fresh, forgetful) == RUSTLS_HANDSHAKE_KIND_FULL);

    rustls_client_config_free(fresh);
    rustls_client_config_free(client);
    rustls_server_config_free(first);
    rustls_server_config_free(second);
    rustls_server_config_free(stranger);
    rustls_server_config_free(forgetful);
    rustls_crypto_provider_free(provider);
}

/* --- TOML ------------------------------------------------------------------------------------ */

static void write_event(void *context, const river_toml_event *event)
{
    Text *out = context;
    static const char *const names[] = {"{", "}", "[", "]", "s", "i", "f", "b", "d", "!"};
    text_add(out, str_of(event->key, event->key_bytes));
    text_add(out, str_from_c(names[event->kind]));
    text_add(out, str_of(event->text, event->text_bytes));
    text_add(out, S("@"));
    text_u64(out, event->from);
    text_add(out, S("-"));
    text_u64(out, event->to);
    text_add(out, S(" "));
}

static Str walk(Str text, bool *ret_fine)
{
    static uint8_t room[1024];
    Text out = text_in(span_of(room, sizeof room));
    *ret_fine = river_toml_walk((const char *)text.at, text.len, write_event, &out);
    return text_str(&out);
}

TEST("deps: a TOML document is walked in its order, with places")
{
    bool fine;
    EXPECT_STR(walk(S("[[b]]\nn = 0x1f\n[a]\nx.y = \"\\u0041\"\nl = [1, true]\n"), &fine),
               S("b[@0-5 {@0-5 ni31@10-14 }@0-5 b]@0-5 a{@15-18 x{@19-20 ysA@25-33 x}@19-20 "
                 "l[@38-47 i1@39-40 btrue@42-46 l]@38-47 a}@15-18 "));
    EXPECT(fine);
    EXPECT_STR(walk(S("a = 1\na = 2\nb = \n"), &fine),
               S("!duplicate key@6-7 "
                 "!string values must be quoted, expected literal string@16-16 "));
    EXPECT(!fine);
    EXPECT_STR(walk(S("a = \"\xff\""), &fine), S("!not UTF-8@5-6 "));
    EXPECT(!fine);
}
