/* material.c - plans from bytes, and the form in which bytes cross to the worker.
 *
 * The form: "RVTM", the number of listeners; for each the number of its files; for each of them its
 * length and bytes. Numbers are four bytes, the highest first. */
#include "config/material.h"

#include "base/number.h"

#define MAGIC S("RVTM")
#define WORD_BYTES 4u

/* ---- plans ---- */

TlsServerPlan material_server_plan(const ListenerTls *tls, const Str *bytes, TlsPair *pairs,
                                   int key_log_fd)
{
    size_t clients = tls->pair_count * TLS_FILES_OF_PAIR;
    for (size_t i = 0; i < tls->pair_count; i++) {
        const size_t at = i * TLS_FILES_OF_PAIR;
        pairs[i] = (TlsPair){.chain = bytes[at + TLS_FILE_CHAIN],
                             .key = bytes[at + TLS_FILE_KEY],
                             .ocsp = bytes[at + TLS_FILE_OCSP]};
    }
    return (TlsServerPlan){
        .pair_count = tls->pair_count,
        .pairs = pairs,
        .versions = tls->versions,
        .suites = tls->suites,
        .groups = tls->groups,
        .offer_h2 = tls->offer_h2,
        .offer_h1 = true,
        .clients = tls->clients == CLIENT_CERTIFICATES_REQUIRED   ? TLS_CLIENTS_REQUIRED
                   : tls->clients == CLIENT_CERTIFICATES_OPTIONAL ? TLS_CLIENTS_OPTIONAL
                                                                  : TLS_CLIENTS_NONE,
        .client_roots = bytes[clients + TLS_FILE_CLIENT_ROOTS],
        .client_crls = bytes[clients + TLS_FILE_CLIENT_CRLS],
        .key_log_fd = key_log_fd,
    };
}

TlsClientPlan material_client_plan(const ConnectorSettings *connector, Str platform_roots)
{
    const ConnectorTls *tls = &connector->tls;
    bool own = tls->roots.path.len != 0;
    return (TlsClientPlan){
        .name = tls->name,
        .roots = own ? tls->roots.bytes : platform_roots,
        .roots_of_platform = !own,
        .own = {.chain = tls->chain.bytes, .key = tls->key.bytes},
        .verify = tls->verify,
        .offer_h2 = connector->protocol != PROTOCOL_H1,
        .offer_h1 = connector->protocol != PROTOCOL_H2,
        .key_log_fd = -1,
    };
}

/* ---- bytes ---- */

static Err material_new(const Settings *settings, Arena *a, Material *ret)
{
    size_t count = settings->listener_count;
    MaterialPart *parts = arena_array(a, MaterialPart, count);
    if (!parts) {
        return ERR_MEMORY;
    }
    *ret = (Material){.count = count, .parts = parts};
    return ERR_OK;
}

static Err part_new(const ListenerTls *tls, Arena *a, Str **ret)
{
    *ret = arena_array(a, Str, tls->file_count);
    return *ret ? ERR_OK : ERR_MEMORY;
}

Err material_first(const Settings *settings, Arena *a, Material *ret)
{
    TRY(material_new(settings, a, ret));
    for (size_t i = 0; i < ret->count; i++) {
        const ListenerTls *tls = &settings->listeners[i].tls;
        Str *bytes = NULL;
        TRY(part_new(tls, a, &bytes));
        for (size_t k = 0; k < tls->file_count; k++) {
            bytes[k] = tls->files[k].bytes;
        }
        ret->parts[i] = (MaterialPart){.count = tls->file_count, .bytes = bytes};
    }
    return ERR_OK;
}

size_t material_file_of(const ListenerTls *tls, TlsMistake mistake)
{
    size_t pair = mistake.index * TLS_FILES_OF_PAIR;
    size_t clients = tls->pair_count * TLS_FILES_OF_PAIR;
    switch ((int)mistake.part) {
    case TLS_PART_KEY:
    case TLS_PART_PAIR:
        return pair + TLS_FILE_KEY;
    case TLS_PART_OCSP:
        return pair + TLS_FILE_OCSP;
    case TLS_PART_CLIENT_ROOTS:
        return clients + TLS_FILE_CLIENT_ROOTS;
    case TLS_PART_CLIENT_CRLS:
        return clients + TLS_FILE_CLIENT_CRLS;
    default:
        return pair + TLS_FILE_CHAIN;
    }
}

/* Whether a server can be made of it. */
static Err try_part(const ListenerTls *tls, const Str *bytes, Arena *a, Text *why)
{
    TlsServer *server = NULL;
    TlsMistake mistake;
    uint8_t room[256];
    Text reason = text_in(span_of(room, sizeof room));
    TlsPair *pairs = arena_array(a, TlsPair, tls->pair_count);
    if (!pairs) {
        return ERR_MEMORY;
    }
    TlsServerPlan plan = material_server_plan(tls, bytes, pairs, -1);
    Err err = tls_server_new(&plan, &server, &mistake, &reason);
    tls_server_unref(server);
    if (err == ERR_SYNTAX) {
        Str path = tls->files[material_file_of(tls, mistake)].path;
        text_format(why, "%.*s: %.*s", STR_ARG(path), STR_ARG(text_str(&reason)));
    }
    return err;
}

Err material_read(const ListenerTls *tls, const ConfigFiles *files, Arena *a, MaterialPart *ret,
                  Text *why)
{
    Str *bytes = NULL;
    TRY(part_new(tls, a, &bytes));
    for (size_t i = 0; i < tls->file_count; i++) {
        Str path = tls->files[i].path;
        Err err = path.len > 0 ? files->read(files->context, path, a, &bytes[i]) : ERR_OK;
        if (err != ERR_OK) {
            text_format(why, "%.*s: %s", STR_ARG(path), err_sentence(err));
            return err;
        }
    }
    TRY(try_part(tls, bytes, a, why));
    *ret = (MaterialPart){.count = tls->file_count, .bytes = bytes};
    return ERR_OK;
}

bool material_equal(const MaterialPart *a, const MaterialPart *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = str_equal(a->bytes[i], b->bytes[i]);
    }
    return equal;
}

/* ---- across the channel ---- */

size_t material_size(const Material *m)
{
    size_t size = MAGIC.len + WORD_BYTES;
    for (size_t i = 0; i < m->count; i++) {
        size += WORD_BYTES;
        for (size_t k = 0; k < m->parts[i].count; k++) {
            size += WORD_BYTES + m->parts[i].bytes[k].len;
        }
    }
    return size;
}

static void write_word(Text *out, size_t n)
{
    CHECK(n <= UINT32_MAX);
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        text_byte(out, (uint8_t)(n >> (shift - 8)));
    }
}

void material_write(const Material *m, Text *out)
{
    text_add(out, MAGIC);
    write_word(out, m->count);
    for (size_t i = 0; i < m->count; i++) {
        write_word(out, m->parts[i].count);
        for (size_t k = 0; k < m->parts[i].count; k++) {
            write_word(out, m->parts[i].bytes[k].len);
            text_add(out, m->parts[i].bytes[k]);
        }
    }
}

static Err read_word(Str *rest, size_t *ret)
{
    size_t n = 0;
    if (rest->len < WORD_BYTES) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < WORD_BYTES; i++) {
        n = n << 8 | str_at(*rest, i);
    }
    *rest = str_drop(*rest, WORD_BYTES);
    *ret = n;
    return ERR_OK;
}

static Err read_part(Str *rest, const ListenerTls *tls, Arena *a, MaterialPart *ret)
{
    size_t count = 0;
    Str *bytes = NULL;
    TRY(read_word(rest, &count));
    if (count == 0) {
        *ret = (MaterialPart){0};
        return ERR_OK;
    }
    if (count != tls->file_count) {
        return ERR_SYNTAX;
    }
    TRY(part_new(tls, a, &bytes));
    for (size_t k = 0; k < count; k++) {
        size_t len = 0;
        TRY(read_word(rest, &len));
        if (len > rest->len) {
            return ERR_SYNTAX;
        }
        bytes[k] = str_take(*rest, len);
        *rest = str_drop(*rest, len);
    }
    *ret = (MaterialPart){.count = count, .bytes = bytes};
    return ERR_OK;
}

Err material_parse(Str from, const Settings *settings, Arena *a, Material *ret)
{
    size_t count = 0;
    Material m = {0};
    if (!str_starts(from, MAGIC)) {
        return ERR_SYNTAX;
    }
    Str rest = str_drop(from, MAGIC.len);
    TRY(read_word(&rest, &count));
    TRY(material_new(settings, a, &m));
    if (count != m.count) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(read_part(&rest, &settings->listeners[i].tls, a, &m.parts[i]));
    }
    if (rest.len != 0) {
        return ERR_SYNTAX;
    }
    *ret = m;
    return ERR_OK;
}
