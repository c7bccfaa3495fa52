/* fill_tls.c - TLS of listeners and connectors: their files are read and tried while it is known
 * where in the configuration they are named. */
#include "config/check.h"
#include "config/fill.h"
#include "config/material.h"
#include "http/date.h"

#define MESSAGE_BYTES_MAX 1024u
#define WHY_BYTES_MAX 256u
#define PATH_SHOWN_MAX 200

#define SHOWN(s) STR_ARG(str_take((s), PATH_SHOWN_MAX))

/* ---- certificates ---- */

/* A certificate works, but not at this time. */
static void check_dates(Filler *f, const TlsValidity *holds, Location at)
{
    uint8_t room[DATE_BYTES];
    Text date = text_in(span_of(room, sizeof room));
    bool expired = holds->not_after < f->files->now_s;
    f->valid_until = holds->not_after < f->valid_until ? holds->not_after : f->valid_until;
    if (expired || holds->not_before > f->files->now_s) {
        date_print(&date, expired ? holds->not_after : holds->not_before);
        check_report(f->checker, SEVERITY_WARNING, where_at(at), STR_NONE,
                     "this certificate %s %.*s", expired ? "expired on" : "is not valid before",
                     STR_ARG(text_str(&date)));
    }
}

/* What is wrong with a certificate or key, in one sentence each. */
static void report_pair(Filler *f, TlsPart part, Location at, Str path, Str why)
{
    static const struct {
        const char *what;
        Str help;
    } texts[] = {
        [TLS_PART_CHAIN] = {"is not a certificate chain",
                            S_INIT("PEM is needed, the server's own certificate first")},
        [TLS_PART_KEY] = {"is not a private key",
                          S_INIT("PEM is needed (PKCS #8, PKCS #1 or SEC 1), without a password")},
        [TLS_PART_PAIR] = {"is not the key of the certificate beside it", S_INIT("")},
        [TLS_PART_OCSP] = {"is not an OCSP response", S_INIT("DER is needed")},
        [TLS_PART_CLIENT_ROOTS] = {"holds no authorities", S_INIT("PEM is needed")},
        [TLS_PART_CLIENT_CRLS] = {"cannot be used as lists of revoked certificates",
                                  S_INIT("PEM is needed, and each list as its authority, which may "
                                         "stand in `ca-path`, has signed it")},
        [TLS_PART_ROOTS] = {"holds no authorities", S_INIT("PEM is needed")},
    };
    bool tell = part != TLS_PART_PAIR; /* that is all there is to say */
    uint8_t room[MESSAGE_BYTES_MAX];
    Text message = text_in(span_of(room, sizeof room));
    text_format(&message, "%.*s %s%s%.*s", SHOWN(path), texts[part].what, tell ? ": " : "",
                STR_ARG(tell ? why : STR_NONE));
    if (f->renew || !diagnostics_said(f->checker->diagnostics, text_str(&message))) {
        check_report(f->checker, f->renew ? SEVERITY_KEPT : SEVERITY_ERROR, where_at(at),
                     texts[part].help, "%.*s", STR_ARG(text_str(&message)));
    }
}

/* The `certificate` lines below a listener. */
static size_t count_certificates(const KdlNode *listener)
{
    size_t count = 0;
    for (const KdlNode *n = listener->children; n; n = n->next) {
        count += str_equal(n->name, S("certificate")) ? 1 : 0;
    }
    return count;
}

/* What is known of a listener's files while they are tried. */
typedef struct Trial {
    size_t count;
    FileSettings *files COUNTED_BY(count);
    size_t place_count;
    const KdlEntry **places COUNTED_BY(place_count);
} Trial;

static Err read_pair(Filler *f, const KdlNode *node, Trial *t, size_t pair, bool *io_good)
{
    static const Str names[] = {[TLS_FILE_CHAIN] = S_INIT("cert-path"),
                                [TLS_FILE_KEY] = S_INIT("key-path"),
                                [TLS_FILE_OCSP] = S_INIT("ocsp-path")};
    for (size_t i = 0; i < TLS_FILES_OF_PAIR; i++) {
        size_t at = pair * TLS_FILES_OF_PAIR + i;
        t->places[at] = node_property(node, names[i]);
        TRY(fill_file_named(f, t->places[at], &t->files[at], io_good));
    }
    return ERR_OK;
}

static Err read_clients(Filler *f, const KdlNode *node, Trial *t, size_t at, bool *io_good)
{
    t->places[at + TLS_FILE_CLIENT_ROOTS] = node_property(node, S("ca-path"));
    t->places[at + TLS_FILE_CLIENT_CRLS] = node_property(node, S("crl-path"));
    for (size_t i = 0; i < TLS_FILES_OF_CLIENTS; i++) {
        TRY(fill_file_named(f, t->places[at + i], &t->files[at + i], io_good));
    }
    return ERR_OK;
}

static Location place_of_file(const Trial *t, size_t at, Location otherwise)
{
    return t->places[at] ? t->places[at]->value.location : otherwise;
}

/* Parses a certificate with its key, and looks at its dates. */
static Err try_pair(Filler *f, const ListenerTls *tls, const Trial *t, size_t index,
                    const KdlNode *node, bool *io_good)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    const FileSettings *files = &t->files[index * TLS_FILES_OF_PAIR];
    TlsPair pair =
        material_pair(&files[TLS_FILE_CHAIN], &files[TLS_FILE_KEY], &files[TLS_FILE_OCSP]);
    TlsValidity holds = {0};
    TlsMistake mistake = {0};
    Err err = tls_pair_try(&pair, f->cache, &holds, &mistake, &why);
    if (err == ERR_OK) {
        size_t at = index * TLS_FILES_OF_PAIR + TLS_FILE_CHAIN;
        check_dates(f, &holds, place_of_file(t, at, node->name_at));
        if (index > 0 && !holds.has_names) {
            check_report(f->checker, SEVERITY_WARNING,
                         where_at(place_of_file(t, at, node->name_at)),
                         S("a certificate is chosen by its subject alternative names"),
                         "this certificate has no DNS name, so no client will be shown it");
        }
        at = index * TLS_FILES_OF_PAIR + TLS_FILE_OCSP;
        TRY(fill_check_staple(f, files, place_of_file(t, at, node->name_at)));
    }
    if (err != ERR_SYNTAX) {
        return err;
    }
    mistake.index = index;
    size_t at = material_file_of(tls, mistake);
    report_pair(f, mistake.part, place_of_file(t, at, node->name_at), t->files[at].path,
                text_str(&why));
    *io_good = false;
    return ERR_OK;
}

static bool file_equal(const FileSettings *a, const FileSettings *b)
{
    return str_equal(a->path, b->path);
}

bool fill_clients_equal(const ListenerTls *a, const ListenerTls *b)
{
    bool equal =
        a->clients == b->clients && a->refuse_expired_crls == b->refuse_expired_crls;
    for (size_t i = 0; i < TLS_FILES_OF_CLIENTS && a->pair_count && b->pair_count; i++) {
        equal = equal && file_equal(&a->files[a->pair_count * TLS_FILES_OF_PAIR + i],
                                    &b->files[b->pair_count * TLS_FILES_OF_PAIR + i]);
    }
    return equal;
}

/* Whether servers of both can be made or neither, their certificates aside. */
static bool policy_equal(const ListenerTls *a, const ListenerTls *b)
{
    return str_equal(a->versions, b->versions) && str_equal(a->suites, b->suites) &&
           str_equal(a->groups, b->groups) && fill_clients_equal(a, b);
}

/* Makes a server of the first pair, only to see whether that can be. */
static Err try_policy(Filler *f, const ListenerTls *tls, const Trial *t, Section one,
                      bool *io_good)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    TlsPair *pairs = arena_array(f->arena, TlsPair, tls->pair_count);
    if (!pairs) {
        return ERR_MEMORY;
    }
    TlsServer *server = NULL;
    TlsMistake mistake = {0};
    TlsServerPlan plan = material_server_plan(tls, pairs, -1);
    plan.pair_count = 1;
    plan.cache = f->cache;
    Err err = tls_server_new(&plan, &server, &mistake, &why);
    tls_server_unref(server);
    *io_good = err == ERR_OK;
    f->tried = err == ERR_OK ? *tls : f->tried;
    if (err == ERR_SYNTAX && mistake.part == TLS_PART_SUITES) {
        const KdlNode *suites = node_find(one.node->children, S("cipher-suites"));
        check_report(f->checker, SEVERITY_ERROR,
                     where_at(suites ? suites->name_at : one.node->name_at), STR_NONE,
                     "`cipher-suites` and `tls-versions` have nothing in common");
    } else if (err == ERR_SYNTAX) {
        size_t at = material_file_of(tls, mistake);
        report_pair(f, mistake.part, place_of_file(t, at, one.node->name_at), t->files[at].path,
                    text_str(&why));
    }
    return err == ERR_MEMORY ? err : ERR_OK;
}

static Err try_listener(Filler *f, const ListenerTls *tls, const Trial *t, Section one,
                        bool *io_good)
{
    for (size_t i = 0; i < tls->pair_count; i++) {
        TRY(try_pair(f, tls, t, i, one.node, io_good));
    }
    bool tried = f->tried.pair_count > 0 && policy_equal(&f->tried, tls);
    if (*io_good && !tried) {
        TRY(try_policy(f, tls, t, one, io_good));
    }
    size_t crls = tls->pair_count * TLS_FILES_OF_PAIR + TLS_FILE_CLIENT_CRLS;
    return *io_good ? fill_check_crls(f, tls, place_of_file(t, crls, one.node->name_at)) : ERR_OK;
}

/* ---- listeners ---- */

/* What does not check leaves everything of the listener as it was. */
static Err keep_old_files(Filler *f, Trial *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->files[i].path.len > 0) {
            TRY(fill_file_restore(f, &t->files[i]));
        }
    }
    return ERR_OK;
}

/* The arguments of an option, joined by commas. */
static Err join_arguments(Filler *f, Section option, Str *ret)
{
    size_t bytes = 0;
    const KdlEntry *first = node_argument(option.node);
    for (const KdlEntry *e = first; e; e = argument_next(e)) {
        bytes += e->value.text.len + 1;
    }
    Span room = {0};
    if (bytes > 0 && !arena_span(f->arena, bytes, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    for (const KdlEntry *e = first; e; e = argument_next(e)) {
        text_add(&out, e != first ? S(",") : STR_NONE);
        text_add(&out, e->value.text);
    }
    *ret = text_str(&out);
    return ERR_OK;
}

#define SESSION_LIFETIME_S 86400u /* where none is written */

static uint32_t session_lifetime_s(Section listener)
{
    Str name = S("session-lifetime-seconds");
    return section_child(listener, name).node ? (uint32_t)section_number(listener, name)
                                              : SESSION_LIFETIME_S;
}

static ClientCertificates client_policy(Section clients)
{
    Str word = option_text(section_value(clients));
    return str_equal(word, S("required"))   ? CLIENT_CERTIFICATES_REQUIRED
           : str_equal(word, S("optional")) ? CLIENT_CERTIFICATES_OPTIONAL
                                            : CLIENT_CERTIFICATES_NONE;
}

void fill_listener_identity(ListenerTls *tls)
{
    Fingerprint *id = &tls->identity;
    *id = (Fingerprint){{0}};
    fingerprint_add_number(id, tls->pair_count);
    for (size_t i = 0; i < tls->file_count; i++) {
        fingerprint_join(id, &tls->files[i].identity);
    }
    fingerprint_add(id, tls->versions);
    fingerprint_add(id, tls->suites);
    fingerprint_add(id, tls->groups);
    fingerprint_add(id, tls->key_log_path);
    fingerprint_add_number(id, tls->offer_h2);
    fingerprint_add_number(id, tls->session_lifetime_s);
    fingerprint_add_number(id, tls->clients);
    fingerprint_add_number(id, tls->refuse_expired_crls);
}

static void identify_connector(const Filler *f, ConnectorSettings *c)
{
    ConnectorTls *tls = &c->tls;
    Fingerprint *id = &tls->identity;
    fingerprint_add(id, tls->name);
    fingerprint_join(id, tls->roots.path.len ? &tls->roots.identity : &f->platform_identity);
    fingerprint_join(id, &tls->chain.identity);
    fingerprint_join(id, &tls->key.identity);
    fingerprint_add_number(id, tls->verify);
    fingerprint_add_number(id, c->protocol);
}

static Err read_listener(Filler *f, Section one, Trial *t, size_t pair_count, bool *io_good)
{
    size_t pair = 1;
    TRY(read_pair(f, one.node, t, 0, io_good));
    for (const KdlNode *n = one.node->children; n; n = n->next) {
        if (str_equal(n->name, S("certificate"))) {
            TRY(read_pair(f, n, t, pair++, io_good));
        }
    }
    Section clients = section_child(one, S("client-certificates"));
    return read_clients(f, clients.node, t, pair_count * TLS_FILES_OF_PAIR, io_good);
}

Err fill_listener_tls(Filler *f, Section one, ListenerSettings *ret)
{
    const KdlEntry *offer = node_property(one.node, S("offer-h2"));
    ret->h2c = option_bool(section_property(one, S("h2c")));
    if (!node_property(one.node, S("cert-path"))) {
        return ERR_OK;
    }
    size_t pair_count = 1 + count_certificates(one.node);
    size_t count = pair_count * TLS_FILES_OF_PAIR + TLS_FILES_OF_CLIENTS;
    FileSettings *files = arena_array(f->arena, FileSettings, count);
    const KdlEntry **places =
        (const KdlEntry **)arena_alloc_array(f->arena, count, sizeof *places);
    bool good = true;
    if (!files || !places) {
        return ERR_MEMORY;
    }
    Trial trial = {.count = count, .files = files, .place_count = count, .places = places};
    f->renewing = true;
    Err err = read_listener(f, one, &trial, pair_count, &good);
    f->renewing = false;
    TRY(err);
    ListenerTls *tls = &ret->tls;
    Section clients = section_child(one, S("client-certificates"));
    *tls = (ListenerTls){
        .pair_count = pair_count,
        .file_count = count,
        .files = files,
        .offer_h2 = offer ? offer->value.truth : true,
        .clients = client_policy(clients),
        .refuse_expired_crls =
            str_equal(option_text(section_property(clients, S("expired-crl"))), S("refuse")),
        .session_lifetime_s = session_lifetime_s(one),
        .key_log_path = section_text(one, S("key-log-path")),
    };
    TRY(join_arguments(f, section_child(one, S("tls-versions")), &tls->versions));
    TRY(join_arguments(f, section_child(one, S("cipher-suites")), &tls->suites));
    TRY(join_arguments(f, section_child(one, S("key-exchange")), &tls->groups));
    if (good && f->files) {
        TRY(try_listener(f, tls, &trial, one, &good));
    }
    return f->renew && !good ? keep_old_files(f, &trial) : ERR_OK;
}

/* ---- connectors ---- */

/* The dates of the certificate that an origin is shown. */
static Err check_own_dates(Filler *f, const ConnectorTls *tls, const KdlNode *node)
{
    TlsValidity holds = {0};
    TlsMistake mistake = {0};
    TlsPair own = material_pair(&tls->chain, &tls->key, NULL);
    if (tls->chain.path.len > 0) {
        TRY(tls_pair_try(&own, f->cache, &holds, &mistake, NULL));
        check_dates(f, &holds, node_property(node, S("client-cert-path"))->value.location);
    }
    return ERR_OK;
}

static Err try_connector(Filler *f, const ConnectorSettings *connector, const KdlNode *node)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    TlsClient *client = NULL;
    TlsMistake mistake = {0};
    const ConnectorTls *tls = &connector->tls;
    const KdlEntry *sni = node_property(node, S("tls-sni"));
    Str identity = str_of(tls->identity.words, sizeof tls->identity.words);
    uint32_t any = 0;
    if (str_map_find(&f->tried_connectors, 0, identity, &any)) {
        return check_own_dates(f, tls, node);
    }
    TlsClientPlan plan = material_client_plan(connector, f->platform_roots);
    plan.cache = f->cache;
    Err err = tls_client_new(&plan, &client, &mistake, &why);
    tls_client_unref(client);
    if (err == ERR_OK) {
        if (!arena_copy(f->arena, identity, &identity)) { /* the settings may still move */
            return ERR_MEMORY;
        }
        TRY(str_map_put(f->arena, &f->tried_connectors, 0, identity, 0));
        return check_own_dates(f, tls, node);
    }
    if (err != ERR_SYNTAX) {
        return err;
    }
    if (mistake.part == TLS_PART_NAME) {
        check_report(f->checker, SEVERITY_ERROR, where_at(sni->value.location), STR_NONE,
                     "`%.*s` is neither a DNS name nor an IP address", SHOWN(tls->name));
        return ERR_OK;
    }
    Str property = mistake.part == TLS_PART_ROOTS   ? S("ca-path")
                   : mistake.part == TLS_PART_CHAIN ? S("client-cert-path")
                                                    : S("client-key-path");
    const KdlEntry *place = node_property(node, property);
    report_pair(f, mistake.part, place ? place->value.location : sni->value.location,
                place ? place->value.text : S("the system's file"), text_str(&why));
    return ERR_OK;
}

static ProtocolChoice choose_protocol(Str word, bool tls)
{
    if (str_equal(word, S("h2-only"))) {
        return PROTOCOL_H2;
    }
    return tls && !str_equal(word, S("h1-only")) ? PROTOCOL_H2_OR_H1 : PROTOCOL_H1;
}

Err fill_connector_tls(Filler *f, Section one, ConnectorSettings *ret)
{
    const KdlEntry *sni = node_property(one.node, S("tls-sni"));
    bool good = true;
    ret->protocol = choose_protocol(option_text(section_property(one, S("proto"))), sni != NULL);
    if (!sni) {
        return ERR_OK;
    }
    ConnectorTls *tls = &ret->tls;
    *tls = (ConnectorTls){.name = sni->value.text,
                          .verify = option_bool(section_property(one, S("verify")))};
    TRY(fill_file_named(f, node_property(one.node, S("ca-path")), &tls->roots, &good));
    TRY(fill_file_named(f, node_property(one.node, S("client-cert-path")), &tls->chain, &good));
    TRY(fill_file_named(f, node_property(one.node, S("client-key-path")), &tls->key, &good));
    if (tls->verify && tls->roots.path.len == 0) {
        TRY(fill_platform_roots(f, sni->value.location, &good));
    }
    identify_connector(f, ret);
    fingerprint_join(&f->identity, &tls->identity); /* the system's roots, too */
    return good && f->files ? try_connector(f, ret, one.node) : ERR_OK;
}
