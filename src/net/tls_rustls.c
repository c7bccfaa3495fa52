/* tls_rustls.c - connections as rustls runs them, and what it knows of names and certificates.
 *
 * rustls turns its panics into codes, and every code is looked at here. Callbacks run within a
 * call of ours and on its thread. */
#include "net/tls_rustls.h"

#include <errno.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/number.h"

#define WORDS_BYTES_MAX 256u
#define BUFFER_BYTES_MAX (SIZE_MAX / 2) /* callers bound what they write */
#define KEY_LOG_LINE_BYTES 512u
#define SUBJECT_BYTES_MAX 1024u

/* ---- names and words ---- */

static TlsKnown known_lists[3];
static pthread_once_t known_once = PTHREAD_ONCE_INIT;

static void fill_known(void)
{
    river_tls_name names[TLS_KNOWN_MAX];
    tls_known_add(&known_lists[TLS_LIST_VERSIONS], RUSTLS_TLS_VERSION_TLSV1_3, S("1.3"));
    tls_known_add(&known_lists[TLS_LIST_VERSIONS], RUSTLS_TLS_VERSION_TLSV1_2, S("1.2"));
    size_t count = size_min(river_tls_suites(names, TLS_KNOWN_MAX), TLS_KNOWN_MAX);
    for (size_t i = 0; i < count; i++) {
        /* rustls writes TLS13_AES_128_GCM_SHA256 for what everybody calls TLS_AES_128_GCM_SHA256 */
        Str name = str_of(names[i].name, names[i].name_bytes);
        uint8_t room[ENGINE_NAME_BYTES_MAX];
        Text t = text_in(span_of(room, sizeof room));
        text_add(&t, str_starts(name, S("TLS13_")) ? S("TLS_") : STR_NONE);
        text_add(&t, str_starts(name, S("TLS13_")) ? str_drop(name, 6) : name);
        tls_known_add(&known_lists[TLS_LIST_SUITES], names[i].id, text_str(&t));
    }
    count = size_min(river_tls_groups(NULL, names, TLS_KNOWN_MAX), TLS_KNOWN_MAX);
    for (size_t i = 0; i < count; i++) {
        tls_known_add(&known_lists[TLS_LIST_GROUPS], names[i].id,
                      str_of(names[i].name, names[i].name_bytes));
    }
}

const TlsKnown *engine_names(TlsList list)
{
    (void)pthread_once(&known_once, fill_known);
    return &known_lists[list];
}

Str engine_known(TlsList list)
{
    return tls_known_row(engine_names(list));
}

void engine_words(EngineCode code, Text *out)
{
    char room[WORDS_BYTES_MAX];
    size_t len = 0;
    rustls_error(code, room, sizeof room, &len);
    text_add(out, str_of(room, size_min(len, sizeof room)));
}

/* One line in NSS's format, by one write so that lines of several threads do not mix. */
void engine_on_secret(void *context, const char *label, size_t label_len, const uint8_t *random,
                      size_t random_len, const uint8_t *secret, size_t secret_len)
{
    uint8_t room[KEY_LOG_LINE_BYTES];
    Text line = text_in(span_of(room, sizeof room));
    text_add(&line, str_of(label, label_len));
    text_byte(&line, ' ');
    for (size_t i = 0; i < random_len; i++) {
        text_hex(&line, random[i], 2);
    }
    text_byte(&line, ' ');
    for (size_t i = 0; i < secret_len; i++) {
        text_hex(&line, secret[i], 2);
    }
    text_byte(&line, '\n');
    if (!line.overflow) {
        ssize_t written = write(*(const int *)context, room, line.len);
        (void)written; /* a log that cannot be written stops no one */
    }
}

Err engine_certificate_read(Str chain, Arena *a, TlsCertificate *ret)
{
    Span names;
    Span subject;
    /* A name takes less room with its comma than in the certificate, which PEM makes longer. */
    if (!arena_span(a, chain.len + 1, &names) || !arena_span(a, SUBJECT_BYTES_MAX, &subject)) {
        return ERR_MEMORY;
    }
    river_certificate about = {
        .subject = {.at = (char *)subject.at, .room = subject.len}, /* system call */
        .dns_names = {.at = (char *)names.at, .room = names.len},   /* system call */
    };
    if (!river_certificate_describe_pem(chain.at /* system call */, chain.len, &about)) {
        return ERR_SYNTAX;
    }
    *ret = (TlsCertificate){.not_before = (int64_t)about.not_before_s,
                            .not_after = (int64_t)about.not_after_s,
                            .subject = str_take(span_str(subject), about.subject.bytes),
                            .names = str_take(span_str(names), about.dns_names.bytes)};
    return ERR_OK;
}

/* ---- why a session failed ---- */

TlsReason engine_reason(EngineCode code, unsigned alert)
{
    enum { ALERT_PROTOCOL_VERSION = 70 }; /* RFC 8446 §6 */
    switch (code) {
    case RUSTLS_RESULT_PEER_INCOMPATIBLE_ERROR:
        return alert == ALERT_PROTOCOL_VERSION ? TLS_REASON_VERSION : TLS_REASON_SUITE;
    case RUSTLS_RESULT_NO_APPLICATION_PROTOCOL:
        return TLS_REASON_ALPN;
    case RUSTLS_RESULT_NO_CERTIFICATES_PRESENTED:
        return TLS_REASON_NO_CERTIFICATE;
    case RUSTLS_RESULT_CERT_NOT_VALID_FOR_NAME:
        return TLS_REASON_NAME;
    default:
        break;
    }
    if (rustls_result_is_cert_error(code) || code == RUSTLS_RESULT_CERT_EXPIRED_REVOCATION_LIST ||
        (code >= RUSTLS_RESULT_CERT_REVOCATION_LIST_BAD_SIGNATURE &&
         code <= RUSTLS_RESULT_CERT_REVOCATION_LIST_UNSUPPORTED_SIGNATURE_ALGORITHM)) {
        return TLS_REASON_CERTIFICATE;
    }
    bool alerted = code >= RUSTLS_RESULT_ALERT_CLOSE_NOTIFY && code <= RUSTLS_RESULT_ALERT_UNKNOWN;
    return alerted ? TLS_REASON_ALERT : TLS_REASON_PROTOCOL;
}

bool engine_is_refusal(EngineCode code)
{
    return (code >= RUSTLS_RESULT_ALERT_HANDSHAKE_FAILURE &&
            code <= RUSTLS_RESULT_ALERT_CERTIFICATE_UNKNOWN) ||
           code == RUSTLS_RESULT_ALERT_UNKNOWN_CA || code == RUSTLS_RESULT_ALERT_ACCESS_DENIED ||
           code == RUSTLS_RESULT_ALERT_DECRYPT_ERROR ||
           code == RUSTLS_RESULT_ALERT_CERTIFICATE_REQUIRED;
}

Str engine_cause(void)
{
    switch (river_tls_take_cause()) {
    case RIVER_TLS_CAUSE_VERSION:
        return S("the certificate is of X.509 version 1, and only version 3 can be verified");
    case RIVER_TLS_CAUSE_KEY_SIZE:
        return S("its RSA key is shorter than 2048 bits");
    case RIVER_TLS_CAUSE_AUTHORITY:
        return S("it is an authority's own certificate (CA:TRUE), which `ca-path` does not name");
    default:
        return STR_NONE;
    }
}

/* ---- connections ---- */

static rustls_connection *connection_of(Engine *e)
{
    return (rustls_connection *)(void *)e;
}

static const rustls_connection *connection_seen(const Engine *e)
{
    return (const rustls_connection *)(const void *)e;
}

static Err connection_opened(rustls_result result, rustls_connection *connection, Engine **ret)
{
    if (result != RUSTLS_RESULT_OK) {
        return result == RUSTLS_RESULT_INVALID_DNS_NAME_ERROR ? ERR_SYNTAX : ERR_MEMORY;
    }
    rustls_connection_set_buffer_limit(connection, BUFFER_BYTES_MAX);
    *ret = (Engine *)(void *)connection;
    return ERR_OK;
}

void engine_save_tickets(const EngineServer *s, Text *out)
{
    uint8_t keys[TLS_TICKETS_BYTES_MAX];
    size_t len = river_tls_ticketer_save(s->tickets, keys, sizeof keys);
    text_add(out, str_of(keys, len));
    memory_wipe_span(span_of(keys, sizeof keys));
}

bool engine_restore_tickets(const EngineServer *s, Str keys)
{
    uint8_t bytes[TLS_TICKETS_BYTES_MAX];
    size_t len = span_copy(span_of(bytes, sizeof bytes), keys);
    bool good = len == keys.len && river_tls_ticketer_restore(s->tickets, bytes, len);
    memory_wipe_span(span_of(bytes, sizeof bytes));
    return good;
}

Err engine_accept(EngineServer *s, Engine **ret)
{
    rustls_connection *connection = NULL;
    rustls_result result = rustls_server_connection_new(s->config, &connection);
    if (result == RUSTLS_RESULT_OK) {
        rustls_connection_set_userdata(connection, s);
    }
    return connection_opened(result, connection, ret);
}

Err engine_connect(EngineClient *c, Engine **ret)
{
    rustls_connection *connection = NULL;
    rustls_result result = rustls_client_connection_new(c->config, c->name, &connection);
    return connection_opened(result, connection, ret);
}

void engine_free(Engine *e)
{
    rustls_connection_free(connection_of(e));
}

/* What a call of rustls may read. */
typedef struct Feed {
    Str rest;
    bool asked;
} Feed;

static rustls_io_result on_read(void *context, uint8_t *room, size_t len, size_t *ret)
{
    Feed *feed = (Feed *)context;
    Str part = str_take(feed->rest, len);
    feed->asked = true;
    feed->rest = str_drop(feed->rest, part.len);
    *ret = span_copy(span_of(room, len), part);
    return 0;
}

static EngineCode feed_all(Engine *e, Str raw, size_t *ret_taken)
{
    Feed feed = {.rest = raw};
    while (feed.rest.len > 0) {
        size_t n = 0;
        feed.asked = false;
        bool failed = rustls_connection_read_tls(connection_of(e), on_read, &feed, &n) != 0;
        if (failed && !feed.asked && !rustls_connection_is_handshaking(connection_of(e)) &&
            !rustls_connection_wants_read(connection_of(e))) {
            break; /* 16 KiB of plaintext wait to be read */
        }
        if (failed) {
            return RUSTLS_RESULT_MESSAGE_TOO_LARGE; /* no message has so many bytes */
        }
        if (!feed.asked) {
            feed.rest = STR_NONE; /* after close_notify nothing counts (RFC 8446 §6.1) */
        }
        rustls_result result = rustls_connection_process_new_packets(connection_of(e));
        if (result != RUSTLS_RESULT_OK) {
            return result;
        }
    }
    *ret_taken = raw.len - feed.rest.len;
    return ENGINE_OK;
}

EngineCode engine_feed(Engine *e, uint64_t *since_s, Str raw, size_t *ret_taken)
{
    if (!rustls_connection_is_handshaking(connection_of(e))) {
        return feed_all(e, raw, ret_taken);
    }
    river_tls_session_begin(since_s);
    EngineCode code = feed_all(e, raw, ret_taken);
    river_tls_session_begin(NULL);
    return code;
}

Err engine_read(Engine *e, Span room, size_t *ret_read)
{
    size_t n = 0;
    CHECK(room.len > 0);
    rustls_result result =
        rustls_connection_read(connection_of(e), room.at /* system call */, room.len, &n);
    if (result == RUSTLS_RESULT_PLAINTEXT_EMPTY) {
        return ERR_AGAIN;
    }
    if (result != RUSTLS_RESULT_OK) {
        return ERR_SYSTEM;
    }
    if (n == 0) {
        return ERR_CLOSED;
    }
    *ret_read = n;
    return ERR_OK;
}

Err engine_write(Engine *e, Str plain)
{
    while (plain.len > 0) {
        size_t n = 0;
        rustls_result result =
            rustls_connection_write(connection_of(e), plain.at /* system call */, plain.len, &n);
        if (result != RUSTLS_RESULT_OK || n == 0) {
            return ERR_SYSTEM;
        }
        plain = str_drop(plain, n);
    }
    return ERR_OK;
}

void engine_finish(Engine *e)
{
    rustls_connection_send_close_notify(connection_of(e));
}

bool engine_has_output(const Engine *e)
{
    return rustls_connection_wants_write(connection_seen(e));
}

typedef struct Drain {
    TlsSink *sink;
    void *context;
    Err err;
} Drain;

static rustls_io_result on_write(void *context, const struct rustls_iovec *vector, size_t count,
                                 size_t *ret)
{
    Drain *drain = (Drain *)context;
    const struct iovec *from = (const struct iovec *)(const void *)vector;
    Str pieces[TLS_SINK_PIECES_MAX];
    size_t used = size_min(count, TLS_SINK_PIECES_MAX);
    size_t total = 0;
    for (size_t i = 0; i < used; i++) {
        pieces[i] = str_of(from[i].iov_base, from[i].iov_len);
        total += from[i].iov_len;
    }
    drain->err = drain->sink(drain->context, pieces, used);
    *ret = total;
    return drain->err == ERR_OK ? 0 : EIO;
}

Err engine_take(Engine *e, TlsSink *sink, void *context)
{
    Drain drain = {.sink = sink, .context = context, .err = ERR_OK};
    while (rustls_connection_wants_write(connection_of(e))) {
        size_t n = 0;
        if (rustls_connection_write_tls_vectored(connection_of(e), on_write, &drain, &n) != 0 ||
            n == 0) {
            return drain.err != ERR_OK ? drain.err : ERR_SYSTEM;
        }
    }
    return ERR_OK;
}

/* Looks at the last record that waits, and takes nothing. */
static rustls_io_result on_peek(void *context, const struct rustls_iovec *vector, size_t count,
                                size_t *ret)
{
    unsigned *alert = (unsigned *)context;
    const struct iovec *from = (const struct iovec *)(const void *)vector;
    Str last = count > 0 ? str_of(from[count - 1].iov_base, from[count - 1].iov_len) : STR_NONE;
    if (last.len == 7 && str_at(last, 0) == 21) { /* type, version, length; level, description */
        *alert = str_at(last, 6);
    }
    *ret = 0;
    return 0;
}

unsigned engine_alert(Engine *e)
{
    unsigned alert = 0;
    size_t n = 0;
    if (rustls_connection_write_tls_vectored(connection_of(e), on_peek, &alert, &n) != 0) {
        return 0;
    }
    return alert;
}

bool engine_is_handshaking(const Engine *e)
{
    return rustls_connection_is_handshaking(connection_seen(e));
}

static Str version_name(uint16_t version)
{
    return version == RUSTLS_TLS_VERSION_TLSV1_3   ? S("TLSv1.3")
           : version == RUSTLS_TLS_VERSION_TLSV1_2 ? S("TLSv1.2")
                                                   : STR_NONE;
}

void engine_info(const Engine *e, TlsInfo *ret)
{
    const rustls_connection *c = connection_seen(e);
    const uint8_t *alpn = NULL;
    size_t alpn_len = 0;
    rustls_connection_get_alpn_protocol(c, &alpn, &alpn_len);
    rustls_str sni = rustls_server_connection_get_server_name(c);
    Str protocol = str_of(alpn, alpn_len);
    *ret = (TlsInfo){
        .alpn = str_equal(protocol, S("h2"))         ? TLS_ALPN_H2
                : str_starts(protocol, S("http/1.")) ? TLS_ALPN_H1
                                                     : TLS_ALPN_NONE,
        .version = version_name(rustls_connection_get_protocol_version(c)),
        .suite = tls_known_name(engine_names(TLS_LIST_SUITES),
                                rustls_connection_get_negotiated_ciphersuite(c)),
        .group = tls_known_name(engine_names(TLS_LIST_GROUPS),
                                rustls_connection_get_negotiated_key_exchange_group(c)),
        .sni = str_of(sni.data, sni.len),
        .resumed = rustls_connection_handshake_kind(c) == RUSTLS_HANDSHAKE_KIND_RESUMED,
    };
}

Str engine_peer_certificate(const Engine *e, size_t index)
{
    const rustls_certificate *shown = rustls_connection_get_peer_certificate(connection_seen(e),
                                                                             index);
    const uint8_t *der = NULL;
    size_t len = 0;
    return shown && rustls_certificate_get_der(shown, &der, &len) == RUSTLS_RESULT_OK
               ? str_of(der, len)
               : STR_NONE;
}

static river_text room_of(const Text *t)
{
    return (river_text){.at = (char *)t->room.at, .room = t->room.len}; /* system call */
}

static void take_text(Text *t, const river_text *from)
{
    t->overflow |= from->truncated;
    t->len = from->truncated ? 0 : from->bytes;
}

void engine_describe(Str der, Text *subject, Text *names)
{
    river_certificate about = {.subject = room_of(subject), .alt_names = room_of(names)};
    if (river_certificate_describe(der.at /* system call */, der.len, &about)) {
        take_text(subject, &about.subject);
        take_text(names, &about.alt_names);
    }
}

void engine_fingerprint(Str der, Span out)
{
    CHECK(out.len == TLS_FINGERPRINT_BYTES);
    river_certificate_fingerprint(der.at /* system call */, der.len, out.at /* system call */);
}
