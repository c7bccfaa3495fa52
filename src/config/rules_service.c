/* rules_service.c - rules within one service: listeners, endpoints, and one way to answer. */
#include "config/rules.h"

#include "config/value.h"
#include "filter/file_server.h"
#include "http/file_path.h"

#define PREFIX_BYTES_MAX 4096u

static void error_at(Checker *c, Location at, Str help, const char *message)
{
    check_report(c, SEVERITY_ERROR, where_at(at), help, "%s", message);
}

/* Two properties of which neither makes sense alone. */
static void check_pair(Checker *c, const KdlNode *node, Str one, Str other)
{
    const KdlEntry *a = node_property(node, one);
    const KdlEntry *b = node_property(node, other);
    if ((a != NULL) != (b != NULL)) {
        Str there = a ? one : other;
        Str missing = a ? other : one;
        check_report(c, SEVERITY_ERROR, where_at(a ? a->name_at : b->name_at), STR_NONE,
                     "`%.*s` needs `%.*s` beside it", STR_ARG(there), STR_ARG(missing));
    }
}

static bool is_true(const KdlNode *node, Str name)
{
    const KdlEntry *e = node_property(node, name);
    return e && e->value.kind == KDL_BOOL && e->value.truth;
}

/* What is said about TLS makes no sense without it. */
static void check_needs_tls(Checker *c, const KdlNode *n)
{
    const KdlEntry *ocsp = node_property(n, S("ocsp-path"));
    for (const KdlNode *child = n->children; child; child = child->next) {
        check_report(c, SEVERITY_ERROR, where_at(child->name_at),
                     S("add `cert-path` and `key-path` to the listener's line"),
                     "`%.*s` needs TLS", STR_ARG(str_take(child->name, 80)));
    }
    if (ocsp) {
        error_at(c, ocsp->name_at, STR_NONE, "`ocsp-path` needs `cert-path` beside it");
    }
}

static bool is_false(const KdlNode *node, Str name)
{
    const KdlEntry *e = node_property(node, name);
    return e && e->value.kind == KDL_BOOL && !e->value.truth;
}

static void check_listener(Checker *c, const KdlNode *n)
{
    const KdlEntry *mode = node_property(n, S("mode"));
    const KdlEntry *h2 = node_property(n, S("offer-h2"));
    const KdlEntry *h2c = node_property(n, S("h2c"));
    bool tls = node_property(n, S("cert-path")) || node_property(n, S("key-path")) ||
               node_property(n, S("acme-domains"));
    check_pair(c, n, S("cert-path"), S("key-path"));
    if (mode && !value_is_absolute(n->name)) {
        error_at(c, mode->name_at, STR_NONE, "`mode` is for Unix sockets only");
    }
    if (h2 && is_true(n, S("offer-h2")) && !tls && !is_true(n, S("h2c"))) {
        error_at(c, h2->name_at, S("add `cert-path` and `key-path`, or `h2c=true`"),
                 "`offer-h2` needs TLS");
    }
    if (is_true(n, S("h2c")) && tls) {
        error_at(c, h2c->name_at, S("remove it: with TLS `offer-h2` decides"),
                 "`h2c` is for listeners without TLS");
    } else if (is_true(n, S("h2c")) && is_false(n, S("offer-h2"))) {
        error_at(c, h2->name_at, S("remove one of them"), "`offer-h2=false` contradicts `h2c`");
    }
    const KdlNode *key_log = node_find(n->children, S("key-log-path"));
    if (!tls) {
        check_needs_tls(c, n);
    } else if (key_log && value_is_absolute(entry_text(node_argument(key_log, 0)))) {
        check_report(c, SEVERITY_WARNING, where_at(key_log->name_at), STR_NONE,
                     "whoever reads this file can read the traffic");
    }
}

/* What a connector says about TLS and versions, together. */
static void check_connector_tls(Checker *c, const KdlNode *n)
{
    static const Str needy[] = {S_INIT("ca-path"), S_INIT("client-cert-path")};
    const KdlEntry *sni = node_property(n, S("tls-sni"));
    const KdlEntry *proto = node_property(n, S("proto"));
    const KdlEntry *verify = node_property(n, S("verify"));
    const KdlEntry *roots = node_property(n, S("ca-path"));
    bool unverified = is_false(n, S("verify"));
    Str word = entry_text(proto);
    for (size_t i = 0; i < SCHEMA_COUNT(needy) && !sni; i++) {
        const KdlEntry *e = node_property(n, needy[i]);
        if (e) {
            check_report(c, SEVERITY_ERROR, where_at(e->name_at),
                         S("add tls-sni=\"NAME\", the name in the origin's certificate"),
                         "`%.*s` needs TLS", STR_ARG(needy[i]));
        }
    }
    if (unverified && !sni) {
        error_at(c, verify->name_at, S("remove it, or add tls-sni=\"NAME\""),
                 "`verify` needs TLS");
    } else if (unverified) {
        check_report(c, SEVERITY_WARNING, where_at(verify->name_at),
                     S("name the authority by ca-path=\"FILE\" instead"),
                     "whoever stands between River and this origin can read and change everything");
    }
    if (unverified && roots && sni) {
        check_report(c, SEVERITY_WARNING, where_at(roots->name_at), STR_NONE,
                     "`ca-path` has no effect while nothing is verified");
    }
    if (str_equal(word, S("h1-or-h2"))) {
        check_report(c, SEVERITY_WARNING, where_at(proto->value.location),
                     S("write proto=\"h2-or-h1\""), "`h1-or-h2` is an old way to say `h2-or-h1`");
    }
    if (!sni && (str_equal(word, S("h1-or-h2")) || str_equal(word, S("h2-or-h1")))) {
        check_report(c, SEVERITY_WARNING, where_at(proto->value.location),
                     S("write `h1-only`; or `h2-only`, if the origin speaks it without TLS"),
                     "without TLS nothing is negotiated: HTTP/1 is spoken");
    }
}

static bool number_of(const KdlNode *node, Str name, uint64_t *ret)
{
    const KdlEntry *e = node_property(node, name);
    if (!e || e->value.kind != KDL_INTEGER || !e->value.fits) {
        return false;
    }
    *ret = e->value.number;
    return true;
}

static void check_order(Checker *c, const KdlNode *node, Str low, Str high)
{
    uint64_t from = 0;
    uint64_t to = 0;
    if (number_of(node, low, &from) && number_of(node, high, &to) && from > to) {
        Location at = node_property(node, low)->value.location;
        check_report(c, SEVERITY_ERROR, where_at(at), STR_NONE, "`%.*s` is above `%.*s`",
                     STR_ARG(low), STR_ARG(high));
    }
}

static void check_balance(Checker *c, const KdlNode *balance)
{
    const KdlNode *selection = node_find(balance->children, S("selection"));
    const KdlEntry *word = node_argument(selection, 0);
    const KdlEntry *key = node_property(selection, S("key"));
    if (word && word->value.kind == KDL_STRING) {
        Str text = word->value.text;
        bool hashes = str_equal(text, S("FNV")) || str_equal(text, S("Ketama"));
        bool known = hashes || str_equal(text, S("RoundRobin")) || str_equal(text, S("Random"));
        if (hashes && !key) {
            check_report(c, SEVERITY_ERROR, where_at(word->value.location),
                         S("add key=\"UriPath\" or key=\"SourceAddrAndUriPath\""),
                         "`%.*s` needs a key", STR_ARG(text));
        } else if (known && !hashes && key) {
            check_report(c, SEVERITY_ERROR, where_at(key->name_at), S("remove it"),
                         "`%.*s` uses no key", STR_ARG(text));
        }
    }
    check_order(c, node_find(balance->children, S("refresh-bounds")), S("min-seconds"),
                S("max-seconds"));
}

/* The addresses of the endpoints so far. */
typedef struct Known {
    size_t room;
    SettingsAddress *list COUNTED_BY(room);
    size_t count;
} Known;

/* An endpoint may stand before this one with the same address. River takes the first and forgets
 * the others; so do we, but say it. */
static void check_repeated(Checker *c, Known *known, const KdlNode *node)
{
    SettingsAddress address;
    if (known->count == known->room || value_address(node->name, &address) != ADDRESS_OK) {
        return;
    }
    for (size_t i = 0; i < known->count; i++) {
        if (value_address_equal(&address, &known->list[i])) {
            check_report(c, SEVERITY_WARNING, where_at(node->name_at),
                         S("`weight` gives an endpoint a larger share"),
                         "this endpoint stands here already; only the first one counts");
            return;
        }
    }
    known->list[known->count++] = address;
}

static size_t count_nodes(const KdlNode *nodes)
{
    size_t count = 0;
    for (const KdlNode *n = nodes; n; n = n->next) {
        count++;
    }
    return count;
}

static void check_connectors(Checker *c, const KdlNode *connectors)
{
    size_t count = 0;
    size_t room = count_nodes(connectors->children);
    if (room > CONNECTORS_MAX) {
        error_at(c, connectors->name_at, STR_NONE, "there are too many connectors");
        return;
    }
    Known known = {.room = room,
                   .list = arena_array(c->diagnostics->arena, SettingsAddress, room)};
    if (!known.list) {
        c->diagnostics->out_of_memory = true;
        return;
    }
    for (const KdlNode *n = connectors->children; n; n = n->next) {
        if (str_equal(n->name, S("load-balance"))) {
            check_balance(c, n);
            continue;
        }
        count++;
        check_repeated(c, &known, n);
        check_pair(c, n, S("client-cert-path"), S("client-key-path"));
        if (!str_equal(n->name, S("dns")) && !str_equal(n->name, S("srv"))) {
            check_connector_tls(c, n);
        }
        check_order(c, n, S("min-refresh-seconds"), S("max-refresh-seconds"));
        const KdlEntry *fixed = node_property(n, S("refresh-seconds"));
        if (fixed && node_property(n, S("refresh"))) {
            error_at(c, fixed->name_at, S("remove one of them"),
                     "`refresh` and `refresh-seconds` exclude each other");
        }
    }
    if (count == 0) {
        error_at(c, connectors->name_at, S("add one like \"127.0.0.1:9000\""),
                 "`connectors` needs at least one endpoint");
    }
}

static void check_routes(Checker *c, const KdlNode *routes)
{
    for (const KdlNode *n = routes ? routes->children : NULL; n; n = n->next) {
        const KdlNode *connectors = node_find(n->children, S("connectors"));
        const KdlEntry *path = node_argument(n, 0);
        bool regex = str_equal(entry_text(node_property(n, S("match"))), S("regex"));
        if (connectors) {
            check_connectors(c, connectors);
        }
        if (!regex && entry_text(path).len != 0 && !value_is_absolute(entry_text(path))) {
            error_at(c, path->value.location, S("begin it with /, or add match=\"regex\""),
                     "the path of a route is absolute");
        }
    }
}

/* A status that has no body (RFC 9110 §15.3.5, §15.4.5) cannot be given one. */
static void check_respond(Checker *c, const KdlNode *respond)
{
    uint64_t status = 0;
    const KdlEntry *body = node_property(respond, S("body"));
    if (body && body->value.text.len != 0 && number_of(respond, S("status"), &status) &&
        (status == 204 || status == 205 || status == 304)) {
        check_report(c, SEVERITY_ERROR, where_at(body->name_at), S("remove it"),
                     "an answer with status %u has no body", (unsigned)status);
    }
}

/* What a file server's names must be. */
static void check_file_server(Checker *c, const KdlNode *files)
{
    const KdlEntry *index = node_argument(node_find(files->children, S("index")), 0);
    const KdlEntry *prefix = node_argument(node_find(files->children, S("strip-prefix")), 0);
    Str name = entry_text(index);
    if (index && (name.len == 0 || name.len > FILE_INDEX_BYTES_MAX || str_equal(name, S(".")) ||
                  str_equal(name, S("..")) || str_find(name, '/', 0) < name.len)) {
        error_at(c, index->value.location, S("write a plain name, like \"index.html\""),
                 "`index` is the name of a file, without a directory");
    }
    uint8_t room[PREFIX_BYTES_MAX];
    Text decoded = text_in(span_of(room, sizeof room));
    if (prefix && value_is_absolute(entry_text(prefix)) &&
        file_path_decode(entry_text(prefix), &decoded).verdict != FILE_PATH_PLAIN) {
        error_at(c, prefix->value.location, S("write a path like \"/static\""),
                 "no request's path begins with this");
    }
}

/* `max-size` stands once in a stage. */
static void check_stages(Checker *c, const KdlNode *path_control)
{
    for (const KdlNode *stage = path_control ? path_control->children : NULL; stage;
         stage = stage->next) {
        bool found = false;
        for (const KdlNode *n = stage->children; n; n = n->next) {
            const KdlEntry *kind = node_property(n, S("kind"));
            if (!kind || !str_equal(kind->value.text, S("max-size"))) {
                continue;
            }
            if (found) {
                error_at(c, kind->value.location, S("remove one of them"),
                         "`max-size` stands in this stage already");
            }
            found = true;
        }
    }
}

/* Exactly one thing answers a service's requests. */
static void check_handlers(Checker *c, const KdlNode *service)
{
    static const Str handlers[] = {S_INIT("connectors"), S_INIT("routes"), S_INIT("respond"),
                                   S_INIT("file-server")};
    const KdlNode *first = NULL;
    for (const KdlNode *n = service->children; n; n = n->next) {
        bool is_handler = false;
        for (size_t i = 0; i < SCHEMA_COUNT(handlers); i++) {
            is_handler = is_handler || str_equal(n->name, handlers[i]);
        }
        if (is_handler && first && !str_equal(n->name, first->name)) {
            check_report(c, SEVERITY_ERROR, where_at(n->name_at), S("make two services of it"),
                         "`%.*s` cannot stand beside `%.*s`", STR_ARG(n->name),
                         STR_ARG(first->name));
        }
        first = is_handler && !first ? n : first;
    }
    if (!first) {
        Str name = str_take(service->name, 80);
        check_report(c, SEVERITY_ERROR, where_at(service->name_at),
                     S("add `connectors`, `routes`, `respond` or `file-server`"),
                     "nothing answers the requests of `%.*s`", STR_ARG(name));
    }
}

/* Nobody could connect: only trusted proxies may speak the PROXY protocol. */
static void check_proxy_protocol(Checker *c, const KdlNode *listener, const KdlNode *client)
{
    bool trusted = client && node_find(client->children, S("trusted-proxies"));
    if (is_true(listener, S("proxy-protocol")) && !trusted && !value_is_absolute(listener->name)) {
        error_at(c, node_property(listener, S("proxy-protocol"))->name_at,
                 S("add client-ip { trusted-proxies \"ADDRESSES\" } to the service"),
                 "`proxy-protocol` needs `trusted-proxies`, or no peer may connect");
    }
}

/* Its elements are more than addresses, and an address in them is written in another way. */
static void check_client_ip(Checker *c, const KdlNode *client)
{
    const KdlNode *header = client ? node_find(client->children, S("header")) : NULL;
    const KdlEntry *name = node_argument(header, 0);
    if (str_equal_nocase(entry_text(name), S("forwarded"))) {
        error_at(c, name->value.location, S("let the proxy send X-Forwarded-For"),
                 "`forwarded` is no list of addresses");
    }
}

void rules_service(Checker *c, const KdlNode *service)
{
    const KdlNode *listeners = node_find(service->children, S("listeners"));
    const KdlNode *client = node_find(service->children, S("client-ip"));
    for (const KdlNode *n = listeners ? listeners->children : NULL; n; n = n->next) {
        check_listener(c, n);
        check_proxy_protocol(c, n, client);
    }
    check_client_ip(c, client);
    const KdlNode *connectors = node_find(service->children, S("connectors"));
    if (connectors) {
        check_connectors(c, connectors);
    }
    check_handlers(c, service);
    check_routes(c, node_find(service->children, S("routes")));
    check_respond(c, node_find(service->children, S("respond")));
    const KdlNode *files = node_find(service->children, S("file-server"));
    if (files) {
        check_file_server(c, files);
    }
    check_stages(c, node_find(service->children, S("path-control")));
}
