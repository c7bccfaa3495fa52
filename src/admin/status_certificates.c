/* status_certificates.c - prints certificates, their expiry, and revocation lists. */
#include "admin/status.h"
#include "http/date.h"
#include "loop/quote.h"

#define DAY_S 86400
#define ROW_BYTES 512u /* of one certificate, without its strings */

/* "valid", "expired" or "not yet valid". */
static Str state_at(int64_t now_s, int64_t not_before_s, int64_t not_after_s)
{
    return not_after_s < now_s    ? S("expired")
           : not_before_s > now_s ? S("not yet valid")
                                  : S("valid");
}

static Str state_of(const CertificateStatus *c, int64_t now_s)
{
    return state_at(now_s, c->not_before_s, c->not_after_s);
}

size_t status_certificates_bytes(const CertificateStatus *list, size_t count)
{
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < count; i++) {
        const CertificateStatus *c = &list[i];
        /* JSON escapes take up to six bytes per byte. */
        bytes += ROW_BYTES + 6 * (c->listener.len + c->path.len + c->subject.len + c->names.len +
                                  c->ocsp_path.len + c->not_stapled.len);
    }
    return bytes;
}

static void json_text(Text *t, Str key, Str value)
{
    quote_json(t, key);
    text_byte(t, ':');
    quote_json_text(t, value);
    text_byte(t, ',');
}

static void json_names(Text *t, Str names)
{
    text_add(t, S("\"names\":["));
    for (bool first = true; names.len > 0; first = false) {
        StrCut cut = str_cut(names, ',');
        text_add(t, first ? STR_NONE : S(","));
        quote_json(t, cut.head);
        names = cut.tail;
    }
    text_add(t, S("],"));
}

static void json_staple(Text *t, const CertificateStatus *c)
{
    bool stapled = c->not_stapled.len == 0;
    text_add(t, S("\"ocsp\":{"));
    json_text(t, S("path"), c->ocsp_path);
    text_format(t, "\"stapled\":%s,", stapled ? "true" : "false");
    if (stapled) {
        text_format(t, "\"until_s\":%lld", (long long)c->staple_until_s);
    } else {
        quote_json(t, S("why"));
        text_byte(t, ':');
        quote_json(t, c->not_stapled);
    }
    text_add(t, S("},"));
}

static void json_certificate(Text *t, const CertificateStatus *c, int64_t now_s)
{
    text_byte(t, '{');
    json_text(t, S("listener"), c->listener);
    json_text(t, S("path"), c->path);
    json_text(t, S("subject"), c->subject);
    json_names(t, c->names);
    text_format(t, "\"not_before_s\":%lld,\"not_after_s\":%lld,", (long long)c->not_before_s,
                (long long)c->not_after_s);
    if (c->ocsp_path.len > 0) {
        json_staple(t, c);
    }
    json_text(t, S("state"), state_of(c, now_s));
    t->len--; /* the last comma */
    text_byte(t, '}');
}

static void text_certificate(Text *t, const CertificateStatus *c, int64_t now_s)
{
    text_format(t, "%-24.*s ", STR_ARG(c->listener));
    date_print(t, c->not_after_s);
    text_format(t, " %6lld %-14.*s %.*s", (long long)((c->not_after_s - now_s) / DAY_S),
                STR_ARG(state_of(c, now_s)), STR_ARG(c->path));
    text_format(t, " (%.*s)", STR_ARG(c->names.len > 0 ? c->names : c->subject));
    if (c->ocsp_path.len > 0 && c->not_stapled.len > 0) {
        text_format(t, ", OCSP not stapled: %.*s", STR_ARG(c->not_stapled));
    } else if (c->ocsp_path.len > 0) {
        text_add(t, S(", OCSP until "));
        date_print(t, c->staple_until_s);
    }
    text_byte(t, '\n');
}

void status_print_certificates(Text *t, const CertificateStatus *list, size_t count, int64_t now_s,
                               bool json)
{
    text_add(t, json ? S("\"certificates\":[") : STR_NONE);
    if (!json && count > 0) {
        text_format(t, "\n%-24s %-29s %6s %-14s %s\n", "LISTENER", "EXPIRES", "DAYS", "STATE",
                    "CERTIFICATE");
    }
    for (size_t i = 0; i < count; i++) {
        if (json) {
            text_add(t, i > 0 ? S(",") : STR_NONE);
            json_certificate(t, &list[i], now_s);
        } else {
            text_certificate(t, &list[i], now_s);
        }
    }
    text_add(t, json ? S("],") : STR_NONE);
}

size_t status_own_bytes(const OwnCertificateStatus *list, size_t count)
{
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < count; i++) {
        const OwnCertificateStatus *c = &list[i];
        bytes += ROW_BYTES + 6 * (c->service.len + c->connector.len + c->path.len + c->subject.len);
    }
    return bytes;
}

static void json_own(Text *t, const OwnCertificateStatus *c, Str state)
{
    text_byte(t, '{');
    json_text(t, S("service"), c->service);
    json_text(t, S("connector"), c->connector);
    text_format(t, "\"connectors\":%llu,", (unsigned long long)c->connectors);
    json_text(t, S("path"), c->path);
    json_text(t, S("subject"), c->subject);
    text_format(t, "\"not_before_s\":%lld,\"not_after_s\":%lld,", (long long)c->not_before_s,
                (long long)c->not_after_s);
    json_text(t, S("state"), state);
    t->len--; /* the last comma */
    text_byte(t, '}');
}

static void text_own(Text *t, const OwnCertificateStatus *c, int64_t now_s, Str state)
{
    text_format(t, "%-24.*s ", STR_ARG(c->connector));
    date_print(t, c->not_after_s);
    text_format(t, " %6lld %-14.*s ", (long long)((c->not_after_s - now_s) / DAY_S),
                STR_ARG(state));
    text_format(t, "%.*s (%.*s), %.*s", STR_ARG(c->path), STR_ARG(c->subject),
                STR_ARG(c->service));
    if (c->connectors > 1) {
        text_format(t, ", and %llu more", (unsigned long long)(c->connectors - 1));
    }
    text_byte(t, '\n');
}

void status_print_own(Text *t, const OwnCertificateStatus *list, size_t count, int64_t now_s,
                      bool json)
{
    text_add(t, json ? S("\"client_certificates\":[") : STR_NONE);
    if (!json && count > 0) {
        text_format(t, "\n%-24s %-29s %6s %-14s %s\n", "CONNECTOR", "EXPIRES", "DAYS", "STATE",
                    "CERTIFICATE SHOWN TO IT");
    }
    for (size_t i = 0; i < count; i++) {
        Str state = state_at(now_s, list[i].not_before_s, list[i].not_after_s);
        if (json) {
            text_add(t, i > 0 ? S(",") : STR_NONE);
            json_own(t, &list[i], state);
        } else {
            text_own(t, &list[i], now_s, state);
        }
    }
    text_add(t, json ? S("],") : STR_NONE);
}

size_t status_crls_bytes(const CrlStatus *list, size_t count)
{
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < count; i++) {
        const CrlStatus *c = &list[i];
        bytes += ROW_BYTES + 6 * (c->listener.len + c->path.len + c->issuer.len + c->number.len);
    }
    return bytes;
}

static void json_crl(Text *t, const CrlStatus *c)
{
    text_byte(t, '{');
    json_text(t, S("listener"), c->listener);
    json_text(t, S("path"), c->path);
    json_text(t, S("issuer"), c->issuer);
    json_text(t, S("number"), c->number);
    text_format(t, "\"this_update_s\":%lld,\"next_update_s\":%lld,", (long long)c->this_update_s,
                (long long)c->next_update_s);
    json_text(t, S("state"), c->state);
    t->len--; /* the last comma */
    text_byte(t, '}');
}

static void text_crl(Text *t, const CrlStatus *c, int64_t now_s)
{
    text_format(t, "%-24.*s ", STR_ARG(c->listener));
    date_print(t, c->next_update_s);
    text_format(t, " %6lld %-14.*s %.*s (%.*s", (long long)((c->next_update_s - now_s) / DAY_S),
                STR_ARG(c->state), STR_ARG(c->path), STR_ARG(c->issuer));
    text_add(t, c->number.len > 0 ? S(", number ") : STR_NONE);
    text_add(t, c->number);
    text_add(t, S(")\n"));
}

void status_print_crls(Text *t, const CrlStatus *list, size_t count, int64_t now_s, bool json)
{
    text_add(t, json ? S("\"revocation_lists\":[") : STR_NONE);
    if (!json && count > 0) {
        text_format(t, "\n%-24s %-29s %6s %-14s %s\n", "LISTENER", "NEXT UPDATE", "DAYS", "STATE",
                    "REVOKED CERTIFICATES");
    }
    for (size_t i = 0; i < count; i++) {
        if (json) {
            text_add(t, i > 0 ? S(",") : STR_NONE);
            json_crl(t, &list[i]);
        } else {
            text_crl(t, &list[i], now_s);
        }
    }
    text_add(t, json ? S("],") : STR_NONE);
}

void status_print_worker_key(Text *t)
{
    text_add(t, S("\"worker\":"));
}
