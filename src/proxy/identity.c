/* identity.c - writes a client's certificate to fields of a request. */
#include "proxy/identity.h"

#include "proxy/worker.h"

#define REST_BYTES_MAX 128u /* of a fingerprint */

/* Whether `name` equals `lower`, ignoring case and with '_' equal to '-': a gateway that maps
 * fields to variables (RFC 3875 §4.1.18) cannot tell them apart. */
static bool is_alike(Str name, Str lower)
{
    bool alike = name.len == lower.len;
    for (size_t i = 0; i < name.len && alike; i++) {
        uint8_t c = byte_lower(str_at(name, i));
        alike = (c == '_' ? '-' : c) == (str_at(lower, i) == '_' ? '-' : str_at(lower, i));
    }
    return alike;
}

bool identity_is_field(const IdentityRules *rules, const Field *f)
{
    const Str names[] = {S("client-cert"), S("client-cert-chain"), rules->subject, rules->names,
                         rules->fingerprint};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rules->any && !found; i++) {
        found = names[i].len > 0 && is_alike(f->name, names[i]);
    }
    return found;
}

void identity_drop(const IdentityRules *rules, Fields *trailers)
{
    for (size_t i = 0; i < trailers->count && rules->any; i++) {
        trailers->at[i].dropped |= identity_is_field(rules, &trailers->at[i]);
    }
}

/* RFC 4648 §4. */
static void add_base64(Text *out, Str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = 0;
        for (size_t j = 0; j < 3; j++) {
            word = word << 8 | (j < count ? str_at(bytes, i + j) : 0u);
        }
        for (size_t j = 0; j < 4; j++) {
            text_byte(out, j <= count ? (uint8_t)digits[word >> (18 - 6 * j) & 63] : '=');
        }
    }
}

/* A Byte Sequence of structured fields (RFC 9440 §2.1). */
static void add_certificate(Text *out, Str der)
{
    text_byte(out, ':');
    add_base64(out, der);
    text_byte(out, ':');
}

static void add_chain(const Tls *tls, HeadOut *out)
{
    if (tls_peer_certificate(tls, 1).len == 0) {
        return;
    }
    size_t at = head_begin(out, S("Client-Cert-Chain"));
    for (size_t i = 1; tls_peer_certificate(tls, i).len > 0; i++) {
        text_add(&out->text, i > 1 ? S(", ") : STR_NONE);
        add_certificate(&out->text, tls_peer_certificate(tls, i));
    }
    head_end(out, at);
}

/* Escapes non-ASCII bytes as in RFC 4514 §2.4, since fields cannot hold them safely. */
static void add_ascii(Str name, Str value, HeadOut *out)
{
    if (name.len == 0 || value.len == 0) {
        return;
    }
    size_t at = head_begin(out, name);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = str_at(value, i);
        if (c < 0x20 || c >= 0x7f) {
            text_byte(&out->text, '\\');
            text_hex(&out->text, c, 2);
        } else {
            text_byte(&out->text, c);
        }
    }
    head_end(out, at);
}

static void add_fingerprint(Str name, Str der, HeadOut *out)
{
    uint8_t print[TLS_FINGERPRINT_BYTES];
    tls_fingerprint(der, span_of(print, sizeof print));
    size_t at = head_begin(out, name);
    for (size_t i = 0; i < sizeof print; i++) {
        text_hex(&out->text, print[i], 2);
    }
    head_end(out, at);
}

void identity_add(const Exchange *x, const Client *c, HeadOut *out)
{
    const IdentityRules *rules = &x->service->identity;
    const Tls *tls = c->wire.tls;
    Str der = rules->any && tls ? tls_peer_certificate(tls, 0) : STR_NONE;
    if (der.len == 0) {
        return;
    }
    TlsInfo info;
    tls_info(tls, &info);
    if (rules->certificate) {
        size_t at = head_begin(out, S("Client-Cert"));
        add_certificate(&out->text, der);
        head_end(out, at);
    }
    if (rules->chain) {
        add_chain(tls, out);
    }
    add_ascii(rules->subject, info.subject, out);
    add_ascii(rules->names, info.names, out);
    if (rules->fingerprint.len > 0) {
        add_fingerprint(rules->fingerprint, der, out);
    }
}

size_t identity_bytes(const Exchange *x, const Client *c)
{
    const Tls *tls = x->service->identity.any ? c->wire.tls : NULL;
    size_t bytes = 0;
    for (size_t i = 0; tls && tls_peer_certificate(tls, i).len > 0; i++) {
        bytes += tls_peer_certificate(tls, i).len / 3 * 4 + 16;
    }
    TlsInfo info = {0};
    if (bytes > 0) {
        tls_info(tls, &info);
        bytes += 3 * (info.subject.len + info.names.len) + REST_BYTES_MAX;
    }
    return bytes;
}
