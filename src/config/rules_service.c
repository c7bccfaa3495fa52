/* rules_service.c - rules within one service: listeners, filters, and trusted peers. */
#include "config/rules.h"

#include "config/value.h"

/* Options of TLS make no sense without TLS. */
static void check_needs_tls(Checker *c, const KdlNode *n)
{
    const KdlEntry *ocsp = node_property(n, S("ocsp-path"));
    for (const KdlNode *child = n->children; child; child = child->next) {
        check_report(c, SEVERITY_ERROR, where_at(child->name_at),
                     S("add `cert-path` and `key-path` to the listener's line, or `tls=true` to it "
                       "and a section `tls` at the top"),
                     "`%.*s` needs TLS", STR_ARG(str_take(child->name, 80)));
    }
    if (ocsp) {
        rules_error(c, ocsp->name_at, STR_NONE, "`ocsp-path` needs `cert-path` beside it");
    }
}

/* What to do with a list needs one. */
static void check_clients(Checker *c, const KdlNode *n)
{
    const KdlNode *clients = node_find(n->children, S("client-certificates"));
    const KdlEntry *expired = node_property(clients, S("expired-crl"));
    if (expired && !node_property(clients, S("crl-path"))) {
        rules_error(c, expired->name_at, STR_NONE, "`expired-crl` needs `crl-path` beside it");
    }
}

static void check_listener(Checker *c, const KdlNode *n)
{
    check_clients(c, n);
    const KdlEntry *mode = node_property(n, S("mode"));
    const KdlEntry *h2 = node_property(n, S("offer-h2"));
    const KdlEntry *h2c = node_property(n, S("h2c"));
    bool tls = node_property(n, S("cert-path")) || node_property(n, S("key-path")) ||
               node_property(n, S("acme-domains"));
    bool shares = node_says(n, S("tls"), true);
    rules_pair(c, n, S("cert-path"), S("key-path"));
    if (tls && node_says(n, S("tls"), false)) {
        rules_error(c, node_property(n, S("tls"))->name_at, S("remove one of them"),
                    "`tls=false` contradicts `cert-path`");
    }
    if (mode && !value_is_absolute(n->name)) {
        rules_error(c, mode->name_at, STR_NONE, "`mode` is for Unix sockets only");
    }
    if (h2 && node_says(n, S("offer-h2"), true) && !tls && !node_says(n, S("h2c"), true)) {
        rules_error(c, h2->name_at, S("add `cert-path` and `key-path`, or `h2c=true`"),
                    "`offer-h2` needs TLS");
    }
    if (node_says(n, S("h2c"), true) && (tls || shares)) {
        rules_error(c, h2c->name_at, S("remove it: with TLS `offer-h2` decides"),
                    "`h2c` is for listeners without TLS");
    } else if (node_says(n, S("h2c"), true) && node_says(n, S("offer-h2"), false)) {
        rules_error(c, h2->name_at, S("remove one of them"), "`offer-h2=false` contradicts `h2c`");
    }
    const KdlNode *key_log = node_find(n->children, S("key-log-path"));
    if (!tls) {
        check_needs_tls(c, n);
    } else if (key_log && value_is_absolute(entry_text(node_argument(key_log)))) {
        check_report(c, SEVERITY_WARNING, where_at(key_log->name_at), STR_NONE,
                     "anyone who reads this file can read the traffic");
    }
}

/* A stage has at most one `max-size`. */
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
                rules_error(c, kind->value.location, S("remove one of them"),
                            "this stage already has a `max-size`");
            }
            found = true;
        }
    }
}

/* Filters of a route see requests, not connections. */
static void check_route_filters(Checker *c, const KdlNode *path_control)
{
    check_stages(c, path_control);
    for (const KdlNode *stage = path_control ? path_control->children : NULL; stage;
         stage = stage->next) {
        for (const KdlNode *n = stage->children; n; n = n->next) {
            if (node_says(n, S("block-connections"), true)) {
                rules_error(c, node_property(n, S("block-connections"))->name_at,
                            S("remove it, or move the filter to the service"),
                            "a connection has no route yet when it is accepted");
            }
        }
    }
}

/* No one could connect: only trusted proxies may speak the PROXY protocol. */
static void check_proxy_protocol(Checker *c, const KdlNode *listener, const KdlNode *client)
{
    bool trusted = client && node_find(client->children, S("trusted-proxies"));
    if (node_says(listener, S("proxy-protocol"), true) && !trusted &&
        !value_is_absolute(listener->name)) {
        rules_error(c, node_property(listener, S("proxy-protocol"))->name_at,
                    S("add client-ip { trusted-proxies \"ADDRESSES\" } to the service"),
                    "`proxy-protocol` needs `trusted-proxies`, or no peer may connect");
    }
}

/* Its elements are more than addresses, and an address in them is written in another way. */
static void check_client_ip(Checker *c, const KdlNode *client)
{
    const KdlNode *header = client ? node_find(client->children, S("header")) : NULL;
    const KdlEntry *name = node_argument(header);
    if (str_equal_nocase(entry_text(name), S("forwarded"))) {
        rules_error(c, name->value.location, S("let the proxy send X-Forwarded-For"),
                    "`forwarded` is not a list of addresses");
    }
}

/* No client would ever be asked for one. */
static void check_identity(Checker *c, const KdlNode *service, const KdlNode *listeners)
{
    const KdlNode *headers = node_find(service->children, S("client-certificate-headers"));
    bool asked = false;
    for (const KdlNode *n = listeners ? listeners->children : NULL; n; n = n->next) {
        asked = asked || node_find(n->children, S("client-certificates"));
    }
    if (headers && !asked) {
        rules_error(c, headers->name_at,
                    S("add client-certificates \"required\" ca-path=\"FILE\" below a listener"),
                    "`client-certificate-headers` needs a listener that asks for certificates");
    }
}

/* Clients that cannot come with TLS would be redirected for ever. */
static void check_https_only(Checker *c, const KdlNode *service, const KdlNode *listeners,
                             const KdlNode *client)
{
    const KdlNode *only = node_find(service->children, S("https-only"));
    const KdlEntry *says = node_argument(only);
    bool tls = client && node_find(client->children, S("trusted-proxies"));
    for (const KdlNode *n = listeners ? listeners->children : NULL; n; n = n->next) {
        tls = tls || node_property(n, S("cert-path")) || node_says(n, S("tls"), true);
    }
    if (says && says->value.kind == KDL_BOOL && says->value.truth && !tls) {
        rules_error(c, only->name_at,
                    S("add a listener with `cert-path` and `key-path`; or if a proxy in front of "
                      "River ends TLS, client-ip { trusted-proxies \"ADDRESSES\" }"),
                    "no client of this service can come with TLS");
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
    check_identity(c, service, listeners);
    check_https_only(c, service, listeners, client);
    rules_action(c, service);
    check_stages(c, node_find(service->children, S("path-control")));
    const KdlNode *routes = node_find(service->children, S("routes"));
    for (const KdlNode *n = routes ? routes->children : NULL; n; n = n->next) {
        check_route_filters(c, node_find(n->children, S("path-control")));
    }
}
