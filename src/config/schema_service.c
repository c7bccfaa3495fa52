/* schema_service.c - `services`: a service, its listeners and its limits. */
#include "config/schema.h"

static const SchemaItem listener_properties[] = {
    ITEM_VALUE("mode", MODE, 0, "0660", "permissions of a Unix socket"),
    ITEM_VALUE("cert-path", FILE, 0, "/etc/river/cert.pem",
               "speak TLS with this certificate chain (PEM, its own certificate first); it is also "
               "shown to clients that ask for names no certificate has"),
    ITEM_VALUE("key-path", FILE, 0, "/etc/river/key.pem", "the certificate's key (PEM)"),
    ITEM_VALUE("ocsp-path", FILE, 0, "/etc/river/cert.ocsp",
               "an OCSP response to staple to the certificate (DER)"),
    ITEM_BOOL("tls", "false",
              "speak TLS with the certificates of the section `tls`, or with those that another "
              "service has at this address"),
    ITEM_VALUE("offer-h2", BOOL, 0, "true",
               "offer HTTP/2 beside HTTP/1; by default with TLS"),
    ITEM_VALUE("acme-domains", NAME, SCHEMA_LATER, "example.com, *.example.org",
               "domains whose certificates River obtains"),
    ITEM_BOOL("h2c", "false", "offer HTTP/2 without TLS, to clients that begin with it"),
    {.name = S_INIT("proxy-protocol"),
     .type = SCHEMA_BOOL,
     .fallback = S_INIT("false"),
     .sentence = S_INIT("require a PROXY protocol header from trusted proxies")},
};

static const SchemaItem certificate_properties[] = {
    ITEM_VALUE("cert-path", FILE, SCHEMA_REQUIRED, "/etc/river/other.pem", "its chain (PEM)"),
    ITEM_VALUE("key-path", FILE, SCHEMA_REQUIRED, "/etc/river/other.key", "its key (PEM)"),
    ITEM_VALUE("ocsp-path", FILE, 0, "/etc/river/other.ocsp", "a response to staple (DER)"),
};

static const SchemaItem client_certificate_properties[] = {
    ITEM_VALUE("ca-path", FILE, SCHEMA_REQUIRED, "/etc/river/clients-ca.pem",
               "the authorities that sign them (PEM)"),
    ITEM_VALUE("crl-path", FILE, 0, "/etc/river/clients.crl",
               "lists of those that are revoked, one of each authority (PEM)"),
    ITEM_CHOICE("expired-crl", "accept|refuse", "", "accept",
                "whether a list past its next update counts, or clients whose authority has no "
                "other are refused"),
};

/* What a listener and the section `tls` have in common. */
#define TLS_OPTIONS                                                                                \
    OPTION("tls-versions", 0, "only these versions of TLS",                                        \
           ITEM_VALUE("\"VERSION\"", TLS_VERSION, SCHEMA_REPEATED, "1.3", "")),                    \
    OPTION("cipher-suites", 0, "only these cipher suites",                                         \
           ITEM_VALUE("\"NAME\"", TLS_SUITE, SCHEMA_REPEATED, "TLS_AES_128_GCM_SHA256", "")),      \
    OPTION("key-exchange", 0, "only these groups for the exchange of keys",                        \
           ITEM_VALUE("\"NAME\"", TLS_GROUP, SCHEMA_REPEATED, "X25519", "")),                      \
    OPTION("session-lifetime-seconds", 0,                                                          \
           "how long a TLS session may be resumed, over and over, before a full handshake; a day " \
           "by default; 0: never",                                                                 \
           ITEM_OPTIONAL_NUMBER("N", 0, 604800, "86400", "")),                                     \
    {.name = S_INIT("client-certificates"),                                                        \
     .sentence = S_INIT("ask clients for certificates"),                                           \
     .argument_count = 1,                                                                          \
     .arguments = (const SchemaItem[]){ITEM_CHOICE("WORD", "required|optional", "", "", "")},      \
     .property_count = SCHEMA_COUNT(client_certificate_properties),                                \
     .properties = client_certificate_properties},                                                 \
    OPTION_TEXT("key-log-path", PATH, "/var/log/river/keys.log",                                   \
                "for debugging: every session's secrets are written there, so that whoever reads " \
                "the file can read the traffic"),

static const SchemaNode listener_children[] = {
    {.name = S_INIT("certificate"),
     .flags = SCHEMA_REPEATED | SCHEMA_ALTERNATIVE,
     .sentence = S_INIT("a further certificate, for the names that stand in it"),
     .property_count = SCHEMA_COUNT(certificate_properties),
     .properties = certificate_properties},
    TLS_OPTIONS
};

static const SchemaNode tls_children[] = {
    {.name = S_INIT("certificate"),
     .flags = SCHEMA_REPEATED | SCHEMA_REQUIRED,
     .sentence = S_INIT("a certificate; the first one is also shown to clients that ask for names "
                        "no certificate has"),
     .property_count = SCHEMA_COUNT(certificate_properties),
     .properties = certificate_properties},
    TLS_OPTIONS
};

const SchemaNode schema_tls =
    SECTION("tls", 0, "certificates and rules of TLS for all listeners that say `tls=true`",
            tls_children);

static const SchemaNode listeners_children[] = {
    {.name = S_INIT("ADDRESS"),
     .flags = SCHEMA_ANY_NAME | SCHEMA_REPEATED | SCHEMA_REQUIRED,
     .name_type = SCHEMA_ADDRESS,
     .sample = S_INIT("127.0.0.1:8080"),
     .sentence = S_INIT("where clients arrive: \"IP:PORT\", \"[IPV6]:PORT\" (\"[::]\" takes IPv4 "
                        "too) or the path of a Unix socket"),
     .property_count = SCHEMA_COUNT(listener_properties),
     .properties = listener_properties,
     .child_count = SCHEMA_COUNT(listener_children),
     .children = listener_children},
};

static const SchemaNode client_children[] = {
    OPTION_TEXT("trusted-proxies", CIDRS, "10.0.0.0/8, 192.168.0.0/16",
                "peers whose forwarding fields are believed and appended to"),
    OPTION("header", 0, "the field from which the client's address is read",
           {.name = S_INIT("\"NAME\""),
            .type = SCHEMA_FIELD_NAME,
            .fallback = S_INIT("x-forwarded-for")}),
};

static const SchemaNode forwarded_children[] = {
    OPTION_BOOL("x-forwarded-for", "true", "the client's address, behind those of its proxies"),
    OPTION_BOOL("x-forwarded-proto", "true", "http or https, as the client came"),
    OPTION_BOOL("x-forwarded-host", "true", "the Host that the client asked for"),
    OPTION_BOOL("x-real-ip", "false", "the client's address alone"),
    OPTION_BOOL("forwarded", "false", "all of it in the standard field (RFC 7239)"),
};

static const SchemaNode identity_children[] = {
    OPTION_BOOL("client-cert", "true", "the certificate itself in `Client-Cert` (RFC 9440)"),
    OPTION_BOOL("client-cert-chain", "false",
                "what the client sent behind it in `Client-Cert-Chain` (RFC 9440)"),
    OPTION_TEXT("subject", FILTER_FIELD, "x-client-subject",
                "the field for its subject (RFC 4514, in ASCII)"),
    OPTION_TEXT("names", FILTER_FIELD, "x-client-names",
                "the field for its subject alternative names"),
    OPTION_TEXT("fingerprint", FILTER_FIELD, "x-client-fingerprint",
                "the field for its SHA-256, in hexadecimal digits"),
};

static const SchemaNode request_id_children[] = {
    OPTION("header", 0, "the field that carries the id",
           {.name = S_INIT("\"NAME\""),
            .type = SCHEMA_FILTER_FIELD,
            .fallback = S_INIT("x-request-id")}),
    OPTION_BOOL("accept", "true", "keep the id that a client sends, if it looks like one"),
};

static const SchemaNode overload_children[] = {
    OPTION_NUMBER("max-concurrent-requests", 0, SCHEMA_COUNT_MAX, "0",
                  "concurrent requests; 0: no limit"),
    OPTION_NUMBER("max-headers", 1, 256, "100", "fields of a request's head"),
    OPTION_NUMBER("max-header-bytes", 256, 131072, "65536", "bytes of a request's head"),
    OPTION_NUMBER("max-target-bytes", 16, 65536, "16384", "bytes of a request's target"),
    OPTION_NUMBER("max-concurrent-streams", 1, 1000, "100",
                  "concurrent requests on one HTTP/2 connection"),
    OPTION_NUMBER("head-timeout-ms", 1, SCHEMA_MS_MAX, "10000",
                  "from the first byte of a head to its end"),
    OPTION_NUMBER("keep-alive-timeout-ms", 1, SCHEMA_MS_MAX, "75000",
                  "how long a connection may idle between requests"),
    OPTION_NUMBER("read-timeout-ms", 1, SCHEMA_MS_MAX, "60000",
                  "without a new byte of a request's body"),
    OPTION_NUMBER("write-timeout-ms", 1, SCHEMA_MS_MAX, "60000",
                  "without the client taking a byte of the response"),
    OPTION_NUMBER("drain-timeout-ms", 0, SCHEMA_MS_MAX, "5000",
                  "for the rest of a request's body after an early answer"),
    OPTION_NUMBER("min-send-rate-bytes", 0, SCHEMA_BYTES_MAX, "100",
                  "bytes per second that a client must take at least; 0: no minimum"),
    OPTION_NUMBER("min-receive-rate-bytes", 0, SCHEMA_BYTES_MAX, "100",
                  "bytes per second of a body that a client must send at least; 0: no minimum"),
    OPTION_NUMBER("status", 400, 599, "503", "the answer when a limit set here is reached"),
    OPTION_TEXT("body", TEXT, "Server is busy, please retry\\n", "the body of that answer"),
};

static const SchemaNode service_children[] = {
    SECTION("listeners", SCHEMA_REQUIRED, "where clients arrive; at least one",
            listeners_children),
    LINK(schema_connectors),
    LINK(schema_respond),
    LINK(schema_redirect),
    LINK(schema_file_server),
    LINK(schema_routes),
    LINK(schema_error_page),
    OPTION_BOOL("https-only", "false",
                "redirect clients that come without TLS to the same URI with https (308)"),
    OPTION("hosts", 0,
           "serve only these hosts, so that services can share an address; *.example.com is every "
           "name below example.com",
           ITEM_VALUE("\"HOST\"", HOSTS_PATTERN, SCHEMA_REPEATED, "example.com", "")),
    OPTION_TEXT("host", AUTHORITY, "origin.example",
                "the Host that origins see; the client's by default"),
    OPTION("upgrade-protocols", 0, "protocols that may take over a connection (Upgrade)",
           {.name = S_INIT("\"NAME\""),
            .type = SCHEMA_TOKEN,
            .flags = SCHEMA_REPEATED,
            .fallback = S_INIT("websocket")}),
    OPTION_NUMBER("tunnel-idle-timeout-ms", 1, SCHEMA_MS_MAX, "600000",
                  "how long such a connection may be silent in both directions"),
    OPTION_NUMBER("stream-idle-timeout-ms", 1, SCHEMA_MS_MAX, "3600000",
                  "the same for gRPC, event streams, and requests answered before their end"),
    OPTION_NUMBER("retries", 0, 10, "2",
                  "how often a request may be retried, when that is safe"),
    OPTION_NUMBER("retry-buffer-bytes", 0, 16777216, "65536",
                  "how much of a request's body is kept for that"),
    SECTION("request-id", 0, "the id by which a request is known in all logs",
            request_id_children),
    SECTION("forwarded-headers", 0, "what origins are told about the client",
            forwarded_children),
    SECTION("client-certificate-headers", SCHEMA_ALTERNATIVE,
            "what origins are told about the certificate that a client has shown; clients cannot "
            "say it themselves",
            identity_children),
    SECTION("client-ip", 0, "which proxies in front of River are trusted", client_children),
    SECTION("overload", 0, "limits and deadlines towards clients", overload_children),
    LINK(schema_path_control),
    LINK(schema_rate_limiting),
    LINK(schema_normalization),
};

const SchemaNode schema_service = {
    .name = S_INIT("NAME"),
    .flags = SCHEMA_ANY_NAME | SCHEMA_REPEATED | SCHEMA_REQUIRED,
    .name_type = SCHEMA_TEXT,
    .sample = S_INIT("Example"),
    .sentence = S_INIT("a service: listeners, and what happens to the requests that arrive there"),
    .child_count = SCHEMA_COUNT(service_children),
    .children = service_children,
};

static const SchemaNode services_children[] = {LINK(schema_service)};

static const SchemaNode root_children[] = {
    LINK(schema_system),
    LINK(schema_acme),
    LINK(schema_tls),
    SECTION("services", SCHEMA_REQUIRED, "what River does for its clients", services_children),
};

const SchemaNode schema_root = {
    .sentence = S_INIT("the configuration"),
    .child_count = SCHEMA_COUNT(root_children),
    .children = root_children,
};
