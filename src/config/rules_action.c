/* rules_action.c - rules of what answers requests: endpoints, redirects, files, routes. */
#include "base/str_map.h"
#include "config/rules.h"
#include "config/value.h"
#include "filter/file_server.h"
#include "http/file_path.h"

#define PREFIX_BYTES_MAX 4096u
#define KNOWN_FEW 16u

/* What a connector says about TLS and versions, together. */
static void check_connector_tls(Checker *c, const KdlNode *n)
{
    static const Str needy[] = {S_INIT("ca-path"), S_INIT("client-cert-path")};
    const KdlEntry *sni = node_property(n, S("tls-sni"));
    const KdlEntry *proto = node_property(n, S("proto"));
    const KdlEntry *verify = node_property(n, S("verify"));
    const KdlEntry *roots = node_property(n, S("ca-path"));
    bool unverified = node_says(n, S("verify"), false);
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
        rules_error(c, verify->name_at, S("remove it, or add tls-sni=\"NAME\""),
                    "`verify` needs TLS");
    } else if (unverified) {
        check_report(c, SEVERITY_WARNING, where_at(verify->name_at),
                     S("name the authority by ca-path=\"FILE\" instead"),
                     "anyone between River and this origin can read and change everything");
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

/* Each thread has HTTP/2 connections of its own, at least one. */
static void check_connections(Checker *c, const KdlNode *n)
{
    uint64_t max = 0;
    Str proto = entry_text(node_property(n, S("proto")));
    bool h2 = str_equal(proto, S("h2-only")) || (node_property(n, S("tls-sni")) &&
                                                !str_equal(proto, S("h1-only")));
    if (h2 && number_of(n, S("max-connections"), &max) && max > 0 && max < c->threads) {
        check_report(c, SEVERITY_WARNING,
                     where_at(node_property(n, S("max-connections"))->value.location),
                     S("allow one for each thread, or set fewer `threads-per-service`"),
                     "over HTTP/2 each of the %llu threads needs a connection of its own: "
                     "they will take turns",
                     (unsigned long long)c->threads);
    }
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
    const KdlEntry *word = node_argument(selection);
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

/* The addresses of the endpoints so far: a list while they are few, then a table of their texts. */
typedef struct Known {
    SettingsAddress few[KNOWN_FEW];
    size_t count;
    StrMap many;
} Known;

/* Whether it is there; else it is from now on. */
static Err known_add(Known *known, Arena *a, SettingsAddress *address, bool *ret_there)
{
    uint32_t any = 0;
    *ret_there = false;
    for (size_t i = 0; i < known->count && i < KNOWN_FEW; i++) {
        if (value_address_equal(address, &known->few[i])) {
            *ret_there = true;
            return ERR_OK;
        }
    }
    if (known->count < KNOWN_FEW) {
        known->few[known->count++] = *address;
        return ERR_OK;
    }
    if (!value_address_text(a, address)) {
        return ERR_MEMORY;
    }
    *ret_there = str_map_find(&known->many, 0, address->text, &any);
    return *ret_there ? ERR_OK : str_map_put(a, &known->many, 0, address->text, 0);
}

/* An endpoint may be before this one with the same address. River takes the first and forgets
 * the others; so do we, but say it. */
static void check_repeated(Checker *c, Known *known, const KdlNode *node)
{
    SettingsAddress address;
    bool there = false;
    if (value_address(node->name, &address) != ADDRESS_OK) {
        return;
    }
    if (known_add(known, c->diagnostics->arena, &address, &there) != ERR_OK) {
        c->diagnostics->out_of_memory = true;
    } else if (there) {
        check_report(c, SEVERITY_WARNING, where_at(node->name_at),
                     S("`weight` gives an endpoint a larger share"),
                     "this endpoint is already listed; only the first one counts");
    }
}

/* Whether all paths that begin with `path` begin with `prefix`. */
static bool begins_with(Str path, Str prefix)
{
    while (str_ends(prefix, S("/"))) {
        prefix = str_take(prefix, prefix.len - 1);
    }
    return str_starts(path, prefix) &&
           (path.len == prefix.len || str_at(path, prefix.len) == '/');
}

/* The path for the origin; `route` is NULL in a service without routes. */
static void check_rewrite(Checker *c, const KdlNode *connectors, const KdlNode *route)
{
    const KdlNode *strip = node_find(connectors->children, S("strip-prefix"));
    const KdlNode *prefix = node_find(connectors->children, S("prefix"));
    const KdlNode *path = node_find(connectors->children, S("path"));
    const KdlNode *map = node_find(connectors->children, S("map-answers"));
    const KdlEntry *maps = node_argument(map);
    Str match = route ? entry_text(node_property(route, S("match"))) : S("regex");
    Str off = entry_text(node_argument(strip));
    if (path && (strip || prefix)) {
        rules_error(c, path->name_at, S("remove one of them"),
                    "`path` replaces the whole path: it excludes `strip-prefix` and `prefix`");
    }
    if (map && maps && maps->value.kind == KDL_BOOL && maps->value.truth && !strip && !prefix) {
        rules_error(c, map->name_at,
                    path ? S("remove it: any path may have become this one")
                         : S("add strip-prefix \"/…\", or remove it"),
                    "there is nothing to map back");
    }
    if (strip && off.len && !str_equal(match, S("regex")) &&
        !begins_with(entry_text(node_argument(route)), off)) {
        rules_error(c, node_argument(strip)->value.location,
                    S("strip what the route's path begins with"),
                    "the paths of this route do not begin with this");
    }
}

/* The children of `connectors` that are no endpoints. */
static bool is_endpoint(const KdlNode *n)
{
    static const Str others[] = {S_INIT("load-balance"), S_INIT("map-answers"), S_INIT("path"),
                                 S_INIT("prefix"), S_INIT("strip-prefix")};
    bool endpoint = true;
    for (size_t i = 0; i < SCHEMA_COUNT(others); i++) {
        endpoint = endpoint && !str_equal(n->name, others[i]);
    }
    return endpoint;
}

static void check_connectors(Checker *c, const KdlNode *connectors)
{
    size_t count = 0;
    Known known = {.count = 0};
    for (const KdlNode *n = connectors->children; n; n = n->next) {
        if (str_equal(n->name, S("load-balance"))) {
            check_balance(c, n);
        }
        if (!is_endpoint(n)) {
            continue;
        }
        count++;
        check_repeated(c, &known, n);
        rules_pair(c, n, S("client-cert-path"), S("client-key-path"));
        if (!str_equal(n->name, S("dns")) && !str_equal(n->name, S("srv"))) {
            check_connector_tls(c, n);
            check_connections(c, n);
        }
        check_order(c, n, S("min-refresh-seconds"), S("max-refresh-seconds"));
        const KdlEntry *fixed = node_property(n, S("refresh-seconds"));
        if (fixed && node_property(n, S("refresh"))) {
            rules_error(c, fixed->name_at, S("remove one of them"),
                        "`refresh` and `refresh-seconds` exclude each other");
        }
    }
    if (count == 0) {
        rules_error(c, connectors->name_at, S("add one like \"127.0.0.1:9000\""),
                    "`connectors` needs at least one endpoint");
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
    const KdlEntry *index = node_argument(node_find(files->children, S("index")));
    const KdlEntry *prefix = node_argument(node_find(files->children, S("strip-prefix")));
    Str name = entry_text(index);
    if (index && (name.len == 0 || name.len > FILE_INDEX_BYTES_MAX || str_equal(name, S(".")) ||
                  str_equal(name, S("..")) || str_find(name, '/', 0) < name.len)) {
        rules_error(c, index->value.location, S("write a plain name, like \"index.html\""),
                    "`index` is the name of a file, without a directory");
    }
    const KdlEntry *fallback = node_argument(node_find(files->children, S("fallback")));
    uint8_t other[PREFIX_BYTES_MAX];
    Text file = text_in(span_of(other, sizeof other));
    if (fallback && value_is_absolute(entry_text(fallback)) &&
        (file_path_decode(entry_text(fallback), &file).verdict != FILE_PATH_PLAIN ||
         str_ends(entry_text(fallback), S("/")))) {
        rules_error(c, fallback->value.location, S("write a path like \"/index.html\""),
                    "`fallback` is the path of a file below `base-path`");
    }
    uint8_t room[PREFIX_BYTES_MAX];
    Text decoded = text_in(span_of(room, sizeof room));
    if (prefix && value_is_absolute(entry_text(prefix)) &&
        file_path_decode(entry_text(prefix), &decoded).verdict != FILE_PATH_PLAIN) {
        rules_error(c, prefix->value.location, S("write a path like \"/static\""),
                    "no request's path begins with this");
    }
}

/* A redirect says where to, in one way. */
static void check_redirect(Checker *c, const KdlNode *redirect, const KdlNode *route)
{
    static const Str parts[] = {S_INIT("scheme"), S_INIT("host"), S_INIT("port"), S_INIT("path"),
                                S_INIT("prefix"), S_INIT("query")};
    const KdlEntry *to = node_property(redirect, S("to"));
    const KdlEntry *path = node_property(redirect, S("path"));
    const KdlEntry *prefix = node_property(redirect, S("prefix"));
    const KdlEntry *status = node_property(redirect, S("status"));
    bool changes = to != NULL;
    for (size_t i = 0; i < SCHEMA_COUNT(parts); i++) {
        const KdlEntry *part = node_property(redirect, parts[i]);
        changes = changes || (part && !str_equal(parts[i], S("query")));
        if (to && part) {
            check_report(c, SEVERITY_ERROR, where_at(part->name_at),
                         S("`to` is the whole URI: remove one of them"),
                         "`%.*s` has no effect beside `to`", STR_ARG(parts[i]));
        }
    }
    if (!changes) {
        rules_error(c, redirect->name_at,
                    S("add to=\"URI\", or one of `scheme`, `host`, `port`, `path` and `prefix`"),
                    "this redirects clients to where they came from");
    }
    if (path && prefix) {
        rules_error(c, prefix->name_at, S("remove one of them"),
                    "`path` and `prefix` exclude each other");
    }
    bool has_prefix = route && (!node_property(route, S("match")) ||
                                str_equal(entry_text(node_property(route, S("match"))),
                                          S("prefix")));
    if (prefix && !has_prefix) {
        rules_error(c, prefix->name_at, S("use `path`"),
                    "`prefix` is for a route that matches a prefix");
    }
    if (status && status->value.number >= 304 && status->value.number <= 306) {
        rules_error(c, status->value.location, S("301, 302, 303, 307 or 308"),
                    "this is not a redirect status");
    }
}

/* Exactly one thing answers the requests of a service, or of a route. */
static void check_handlers(Checker *c, const KdlNode *place, bool route)
{
    static const Str handlers[] = {S_INIT("connectors"), S_INIT("respond"), S_INIT("redirect"),
                                   S_INIT("file-server"), S_INIT("routes")};
    const KdlNode *first = NULL;
    for (const KdlNode *n = place->children; n; n = n->next) {
        bool is_handler = false;
        for (size_t i = 0; i < SCHEMA_COUNT(handlers); i++) {
            is_handler = is_handler || str_equal(n->name, handlers[i]);
        }
        if (is_handler && first && !str_equal(n->name, first->name)) {
            check_report(c, SEVERITY_ERROR, where_at(n->name_at),
                         route ? S("make two routes of it") : S("make two services of it"),
                         "`%.*s` cannot be combined with `%.*s`", STR_ARG(n->name),
                         STR_ARG(first->name));
        }
        first = is_handler && !first ? n : first;
    }
    if (!first && route) {
        rules_error(c, place->name_at,
                    S("add { connectors { … } }, or `respond`, `redirect` or `file-server`"),
                    "this route has nothing to answer its requests");
    } else if (!first) {
        Str name = str_take(place->name, 80);
        check_report(c, SEVERITY_ERROR, where_at(place->name_at),
                     S("add `connectors`, `routes`, `respond`, `redirect` or `file-server`"),
                     "nothing answers the requests of `%.*s`", STR_ARG(name));
    }
}

/* What is in a service or a route to answer its requests. */
static void check_action(Checker *c, const KdlNode *place, const KdlNode *route)
{
    const KdlNode *connectors = node_find(place->children, S("connectors"));
    const KdlNode *redirect = node_find(place->children, S("redirect"));
    const KdlNode *files = node_find(place->children, S("file-server"));
    check_handlers(c, place, route != NULL);
    if (connectors) {
        check_connectors(c, connectors);
        check_rewrite(c, connectors, route);
    }
    if (redirect) {
        check_redirect(c, redirect, route);
    }
    if (files) {
        check_file_server(c, files);
    }
    check_respond(c, node_find(place->children, S("respond")));
}

/* A path that is compared as it is, or an expression. */
static void check_route_path(Checker *c, const KdlNode *route)
{
    static const SchemaItem pattern = ITEM_VALUE("match=\"regex\"", PATTERN, 0, "", "");
    static const SchemaItem plain = ITEM_VALUE("route", URI_PATH, 0, "", "");
    const KdlEntry *path = node_argument(route);
    Str text = entry_text(path);
    if (text.len == 0) {
        return; /* said already */
    }
    if (str_equal(entry_text(node_property(route, S("match"))), S("regex"))) {
        check_value(c, &pattern, pattern.name, &path->value, where_at(path->value.location));
    } else if (!value_is_absolute(text)) {
        rules_error(c, path->value.location, S("begin it with /, or add match=\"regex\""),
                    "the path of a route is absolute");
    } else {
        check_value(c, &plain, plain.name, &path->value, where_at(path->value.location));
    }
}

void rules_action(Checker *c, const KdlNode *service)
{
    check_action(c, service, NULL);
    const KdlNode *routes = node_find(service->children, S("routes"));
    for (const KdlNode *n = routes ? routes->children : NULL; n; n = n->next) {
        if (str_equal(n->name, S("route"))) {
            check_route_path(c, n);
            check_action(c, n, n);
        }
    }
}
