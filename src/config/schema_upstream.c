/* schema_upstream.c - `connectors`: the endpoints that requests go to. */
#include "config/schema.h"

static const SchemaItem selection_properties[] = {
    ITEM_CHOICE("key", "UriPath|SourceAddrAndUriPath", "", "",
                "what FNV and Ketama hash; only with these two"),
};

#define CHECK_PROPERTIES                                                                           \
    ITEM_NUMBER("frequency-ms", 1, SCHEMA_MS_MAX, "5000", "time between two checks"),              \
        ITEM_NUMBER("timeout-ms", 1, SCHEMA_MS_MAX, "1000", "a slower answer is a failure"),       \
        ITEM_NUMBER("consecutive-failure", 1, 1000, "1", "failures that take an endpoint out"),    \
        ITEM_NUMBER("consecutive-success", 1, 1000, "1", "successes that put it back"),            \
        ITEM_BOOL("parallel", "false", "check all endpoints at once")

static const SchemaItem tcp_check_properties[] = {
    CHECK_PROPERTIES,
    ITEM_VALUE("tls-sni", NAME, 0, "origin.example", "check by a TLS handshake for this name"),
};

static const SchemaItem http_check_properties[] = {
    CHECK_PROPERTIES,
    ITEM_VALUE("host", AUTHORITY, SCHEMA_REQUIRED, "origin.example", "the Host of the request"),
    {.name = S_INIT("path"),
     .type = SCHEMA_NAME,
     .fallback = S_INIT("/"),
     .sentence = S_INIT("the target of the request")},
    ITEM_BOOL("tls", "false", "check over TLS"),
    ITEM_NUMBER("expect-status", 100, 599, "200", "the status that counts as success"),
    ITEM_OPTIONAL_NUMBER("port", 1, 65535, "8081", "ask this port instead of the endpoint's"),
    ITEM_BOOL("reuse-connection", "false", "keep the connection between checks"),
};

static const SchemaNode health_variants[] = {
    {.name = S_INIT("None"), .sentence = S_INIT("every endpoint counts as healthy")},
    {.name = S_INIT("TCP"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("an endpoint is healthy if it accepts a connection"),
     .property_count = SCHEMA_COUNT(tcp_check_properties),
     .properties = tcp_check_properties},
    {.name = S_INIT("HTTP"),
     .flags = SCHEMA_LATER,
     .sentence = S_INIT("an endpoint is healthy if it answers a request with the expected status"),
     .property_count = SCHEMA_COUNT(http_check_properties),
     .properties = http_check_properties},
};

static const SchemaItem bounds_properties[] = {
    ITEM_NUMBER("min-seconds", 1, 86400, "5", "never look up more often"),
    ITEM_NUMBER("max-seconds", 1, 86400, "300", "never look up less often"),
};

static const SchemaNode balance_children[] = {
    {.name = S_INIT("selection"),
     .sentence = S_INIT("how an endpoint is chosen"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_CHOICE("WORD", "RoundRobin|Random|FNV|Ketama", "",
                                                   "RoundRobin", "")},
     .property_count = SCHEMA_COUNT(selection_properties),
     .properties = selection_properties},
    OPTION("discovery", 0, "River's old way to say where endpoints come from; it has no effect",
           ITEM_CHOICE("WORD", "Static", "", "Static", "")),
    {.name = S_INIT("health-check"),
     .sentence = S_INIT("how endpoints are checked"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_CHOICE("WORD", "None|TCP|HTTP", "", "None", "")},
     .variant_count = SCHEMA_COUNT(health_variants),
     .variants = health_variants},
    {.name = S_INIT("refresh-bounds"),
     .sentence = S_INIT("how often `dns` and `srv` connectors are looked up again"),
     .property_count = SCHEMA_COUNT(bounds_properties),
     .properties = bounds_properties},
};

#define CONNECTOR_PROPERTIES                                                                       \
    ITEM_NUMBER("connection-timeout-ms", 1, SCHEMA_MS_MAX, "5000", "for one dial"),                \
        ITEM_NUMBER("total-connection-timeout-ms", 0, SCHEMA_MS_MAX, "0",                          \
                    "for dial and handshakes together; 0: no limit of its own"),                   \
        ITEM_NUMBER("read-timeout-ms", 1, SCHEMA_MS_MAX, "60000",                                  \
                    "to the first byte of the answer, and between bytes of its body"),             \
        ITEM_NUMBER("write-timeout-ms", 1, SCHEMA_MS_MAX, "60000",                                 \
                    "without progress while sending"),                                             \
        ITEM_NUMBER("idle-timeout-ms", 1, SCHEMA_MS_MAX, "60000",                                  \
                    "how long an unused connection is kept"),                                      \
        ITEM_NUMBER("weight", 1, 65535, "1", "share of the requests, relative to the others"),     \
        ITEM_NUMBER("max-connections", 0, SCHEMA_COUNT_MAX, "0",                                   \
                    "concurrent connections to this endpoint; 0: no limit"),                       \
        ITEM_CHOICE("proto", "h1-only|h2-only|h2-or-h1|h1-or-h2", "", "",                          \
                    "the HTTP versions to speak; by default h2-or-h1 "                             \
                    "with TLS, h1-only without"),                                                  \
        ITEM_VALUE("tls-sni", NAME, 0, "origin.example",                                           \
                   "speak TLS, ask for this name and verify it"),                                  \
        ITEM_VALUE("ca-path", FILE, 0, "/etc/river/ca.pem",                                        \
                   "trust these authorities (PEM) instead of the system's"),                       \
        ITEM_VALUE("client-cert-path", FILE, 0, "/etc/river/client.pem",                           \
                   "the certificate that River shows (PEM)"),                                      \
        ITEM_VALUE("client-key-path", FILE, 0, "/etc/river/client.key", "its key (PEM)"),          \
        ITEM_BOOL("verify", "true", "verify certificate and host name"),                           \
    {                                                                                              \
        .name = S_INIT("priority"), .type = SCHEMA_INTEGER, .flags = SCHEMA_LATER, .max = 255,     \
        .later_except = S_INIT("0"), .fallback = S_INIT("0"),                                      \
        .sentence = S_INIT("used only when no endpoint of a lower number is healthy")              \
    }

#define LOOKUP_PROPERTIES                                                                          \
    ITEM_BOOL("tls", "false", "speak TLS, verifying the name that was looked up"),                 \
        ITEM_CHOICE("refresh", "ttl", "", "ttl", "look up again when the record expires"),         \
        ITEM_OPTIONAL_NUMBER("refresh-seconds", 1, 86400, "30", "look up again at this interval"), \
        ITEM_OPTIONAL_NUMBER("min-refresh-seconds", 1, 86400, "5", "never look up more often"),    \
        ITEM_OPTIONAL_NUMBER("max-refresh-seconds", 1, 86400, "300", "never look up less often")

static const SchemaItem address_properties[] = {CONNECTOR_PROPERTIES};
static const SchemaItem dns_properties[] = {
    ITEM_NEEDED_NUMBER("port", 1, 65535, "8000", "the port of every address"),
    LOOKUP_PROPERTIES,
    CONNECTOR_PROPERTIES,
};
static const SchemaItem srv_properties[] = {LOOKUP_PROPERTIES, CONNECTOR_PROPERTIES};

static const SchemaNode connectors_children[] = {
    SECTION("load-balance", 0, "how requests are shared among the connectors", balance_children),
    OPTION_TEXT("strip-prefix", URI_PATH, "/app",
                "what is taken off the front of a request's path; other paths are answered as if "
                "there were no route"),
    OPTION_TEXT("prefix", URI_PATH, "/v2",
                "put in place of `strip-prefix`, or else of what the route's path has matched"),
    OPTION_TEXT("path", URI_PATH, "/hook", "the path of every request to the endpoints"),
    OPTION_BOOL("map-answers", "false",
                "map `Location`, `Content-Location` and the paths of cookies back"),
    {.name = S_INIT("ADDRESS"),
     .flags = SCHEMA_ANY_NAME | SCHEMA_REPEATED,
     .name_type = SCHEMA_ADDRESS,
     .sample = S_INIT("127.0.0.1:9000"),
     .sentence = S_INIT("an endpoint: \"IP:PORT\", \"[IPV6]:PORT\" or the path of a Unix socket"),
     .property_count = SCHEMA_COUNT(address_properties),
     .properties = address_properties},
    {.name = S_INIT("dns"),
     .flags = SCHEMA_REPEATED | SCHEMA_LATER,
     .sentence = S_INIT("every address behind a host name, looked up again while River runs"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_VALUE("\"HOST\"", NAME, 0, "app.example", "")},
     .property_count = SCHEMA_COUNT(dns_properties),
     .properties = dns_properties},
    {.name = S_INIT("srv"),
     .flags = SCHEMA_REPEATED | SCHEMA_LATER,
     .sentence = S_INIT("every target of an SRV record, with its port and weight"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_VALUE("\"NAME\"", NAME, 0, "_http._tcp.app.example",
                                                  "")},
     .property_count = SCHEMA_COUNT(srv_properties),
     .properties = srv_properties},
};

const SchemaNode schema_connectors =
    SECTION("connectors", 0, "the endpoints that requests are sent to", connectors_children);
