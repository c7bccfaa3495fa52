/* schema_routes.c - `routes`, and what answers without an origin: `respond` and `redirect`. */
#include "config/schema.h"

static const SchemaItem respond_properties[] = {
    ITEM_NUMBER("status", 200, 599, "200", "the status of every answer"),
    ITEM_VALUE("body", TEXT, 0, "Hello from River\\n", "its body"),
    {.name = S_INIT("content-type"),
     .type = SCHEMA_FIELD_VALUE,
     .fallback = S_INIT("text/plain; charset=utf-8"),
     .sentence = S_INIT("its media type")},
};

const SchemaNode schema_respond = {
    .name = S_INIT("respond"),
    .flags = SCHEMA_ALTERNATIVE,
    .sentence = S_INIT("answer every request with this (instead of `connectors`)"),
    .property_count = SCHEMA_COUNT(respond_properties),
    .properties = respond_properties,
};

static const SchemaItem redirect_properties[] = {
    ITEM_VALUE("to", URI, 0, "https://www.example.com/", "to this URI, whatever the request's is"),
    ITEM_CHOICE("scheme", "http|https", "", "", "to this scheme, on its own port"),
    ITEM_VALUE("host", HOST, 0, "www.example.com", "to this host"),
    ITEM_OPTIONAL_NUMBER("port", 1, 65535, "8443", "to this port"),
    ITEM_VALUE("path", URI_PATH, 0, "/moved", "to this path"),
    ITEM_VALUE("prefix", URI_PATH, 0, "/new",
               "to this in place of what the route's path has matched"),
    ITEM_BOOL("query", "true", "keep the request's query"),
    ITEM_NUMBER("status", 301, 308, "308",
                "301, 302, 303, 307 or 308; with the last two the method stays the same"),
};

const SchemaNode schema_redirect = {
    .name = S_INIT("redirect"),
    .flags = SCHEMA_ALTERNATIVE,
    .sentence = S_INIT("send every client elsewhere (instead of `connectors`); what is not written "
                       "stays as in the request"),
    .property_count = SCHEMA_COUNT(redirect_properties),
    .properties = redirect_properties,
};

static const SchemaItem error_page_arguments[] = {
    ITEM_NEEDED_NUMBER("STATUS", 400, 599, "404", ""),
    ITEM_VALUE("\"FILE\"", FILE, SCHEMA_REQUIRED, "/srv/www/404.html", ""),
};

const SchemaNode schema_error_page = {
    .name = S_INIT("error-page"),
    .flags = SCHEMA_REPEATED | SCHEMA_ALTERNATIVE,
    .sentence = S_INIT("River's own answers of this status have this file as their body, where the "
                       "configuration gives them none"),
    .argument_count = SCHEMA_COUNT(error_page_arguments),
    .arguments = error_page_arguments,
};

static const SchemaItem no_route_properties[] = {
    ITEM_NUMBER("status", 400, 599, "404", "the status of the answer"),
    ITEM_VALUE("body", TEXT, 0, "No route for that path\\n", "the body of the answer"),
};

static const SchemaItem route_properties[] = {
    ITEM_CHOICE("match", "prefix|exact|regex", "", "prefix", "how the path is compared"),
    ITEM_VALUE("methods", METHODS, 0, "GET,POST", "only requests with these methods"),
};

#define OWN_NUMBER(n, low, high, example, why)                                                     \
    OPTION(n, 0, why, ITEM_OPTIONAL_NUMBER("N", low, high, example, ""))

static const SchemaNode route_overload_children[] = {
    OWN_NUMBER("read-timeout-ms", 1, SCHEMA_MS_MAX, "60000",
               "without a new byte of a request's body"),
    OWN_NUMBER("write-timeout-ms", 1, SCHEMA_MS_MAX, "60000",
               "without the client taking a byte of the response"),
    OWN_NUMBER("drain-timeout-ms", 0, SCHEMA_MS_MAX, "5000",
               "for the rest of a request's body after an early answer"),
    OWN_NUMBER("min-send-rate-bytes", 0, SCHEMA_BYTES_MAX, "100",
               "bytes per second that a client must take at least; 0: no minimum"),
    OWN_NUMBER("min-receive-rate-bytes", 0, SCHEMA_BYTES_MAX, "100",
               "bytes per second of a body that a client must send at least; 0: no minimum"),
};

static const SchemaNode route_children[] = {
    LINK(schema_connectors),
    LINK(schema_respond),
    LINK(schema_redirect),
    LINK(schema_file_server),
    LINK(schema_error_page),
    OPTION_TEXT("host", AUTHORITY, "origin.example",
                "the Host that origins see; the service's by default, as all that follows"),
    OWN_NUMBER("retries", 0, 10, "0", "how often a request may be retried, when that is safe"),
    OWN_NUMBER("retry-buffer-bytes", 0, 16777216, "65536",
               "how much of a request's body is kept for that"),
    OWN_NUMBER("tunnel-idle-timeout-ms", 1, SCHEMA_MS_MAX, "600000",
               "how long a tunnel may be silent in both directions"),
    OWN_NUMBER("stream-idle-timeout-ms", 1, SCHEMA_MS_MAX, "3600000",
               "the same for gRPC, event streams, and requests answered before their end"),
    SECTION("overload", 0, "deadlines and rates towards clients", route_overload_children),
    LINK(schema_path_control),
    LINK(schema_rate_limiting),
    LINK(schema_route_normalization),
};

static const SchemaNode routes_children[] = {
    {.name = S_INIT("no-route"),
     .sentence = S_INIT("the answer to a request that no route takes"),
     .property_count = SCHEMA_COUNT(no_route_properties),
     .properties = no_route_properties},
    {.name = S_INIT("route"),
     .flags = SCHEMA_REPEATED | SCHEMA_REQUIRED,
     .sentence = S_INIT("exact paths go first, then the longest prefix, then regex, \"/\" last"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_VALUE("\"PATH\"", NAME, 0, "/api", "")},
     .property_count = SCHEMA_COUNT(route_properties),
     .properties = route_properties,
     .child_count = SCHEMA_COUNT(route_children),
     .children = route_children},
};

const SchemaNode schema_routes =
    SECTION("routes", SCHEMA_ALTERNATIVE,
            "route requests by path and method (instead of `connectors`)",
            routes_children);
