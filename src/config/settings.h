/* settings.h - the checked configuration as plain data: what the rest of River runs by.
 *
 * Made by config_load, never changed afterwards, alive as long as its arena. Every value is within
 * its range (config/schema.c) and every default is filled in, so no one checks anything again.
 * It knows neither KDL nor how River does what it asks for. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/ip.h"
#include "base/keyed_hash.h"
#include "base/str_map.h"
#include "filter/redirect.h"
#include "http/uri.h"
#include "kdl/source_map.h"
#include "proxy/router.h"

/* Where a service listens or an origin lives: a Unix path, or else an address and port.
 * "[::]" means both families (dual-stack). */
typedef struct SettingsAddress {
    Str unix_path; /* absolute; empty: `ip` and `port` */
    IpAddress ip;
    uint16_t port;
    Str text; /* the canonical text, "127.0.0.1:80", "[::1]:80" or the path: the identity in logs */
} SettingsAddress;

/* A file that the configuration names, and what was in it when the configuration was read. */
typedef struct FileSettings {
    Str path; /* as it is written; empty: none */
    Str bytes; /* of one with a private key, what in it is public */
    const Str *secret; /* NULL: it is not named as a key, and has none in it. Else all of its bytes,
                        * which only a process that may see keys has mapped (base/region.h) */
    Fingerprint identity; /* of the bytes */
    uint64_t mark;    /* changes when the file does (ConfigFiles) */
    bool settled;     /* what had this mark held these bytes: it was not being written just then */
    bool of_listener; /* a certificate, an error page: read again when it changes */
    bool named;       /* by a service; of the base's files some may not be any more */
    uint32_t place;   /* in Settings.files */
} FileSettings;

typedef enum ClientCertificates {
    CLIENT_CERTIFICATES_NONE,
    CLIENT_CERTIFICATES_OPTIONAL,
    CLIENT_CERTIFICATES_REQUIRED
} ClientCertificates;

/* The positions of a listener's files: three for each certificate, then those about clients. */
enum { TLS_FILE_CHAIN, TLS_FILE_KEY, TLS_FILE_OCSP, TLS_FILES_OF_PAIR };
enum { TLS_FILE_CLIENT_ROOTS, TLS_FILE_CLIENT_CRLS, TLS_FILES_OF_CLIENTS };

typedef struct ListenerTls {
    size_t pair_count; /* certificates; 0: no TLS */
    size_t file_count; /* pair_count * TLS_FILES_OF_PAIR + TLS_FILES_OF_CLIENTS */
    const FileSettings *files COUNTED_BY(file_count);
    Str versions; /* names separated by commas; empty: all */
    Str suites;
    Str groups;
    bool offer_h2;
    ClientCertificates clients;
    bool refuse_expired_crls;
    uint32_t session_lifetime_s; /* 0: sessions are not resumed */
    Str key_log_path; /* absolute; empty: none */
    Fingerprint identity; /* of all of it, files too: the same, and so is the server */
} ListenerTls;

/* An address where clients arrive; several services may share it. */
typedef struct ListenerSettings {
    SettingsAddress address;
    bool tls_wanted; /* `tls=true` is written */
    size_t service_count; /* at least 1 */
    const uint32_t *services COUNTED_BY(service_count); /* in the order of the file */
    ListenerTls tls;
    bool proxy_protocol; /* a header of it must come first */
    bool h2c; /* without TLS: HTTP/2 for clients that begin with it */
    uint16_t mode; /* permissions of a Unix path; 0: the process's umask decides */
} ListenerSettings;

typedef struct HostSettings {
    Str name;   /* lower case, without a port, brackets and a dot at its end */
    bool below; /* all names below it, instead of itself */
} HostSettings;

typedef enum ProtocolChoice {
    PROTOCOL_H1,
    PROTOCOL_H2,
    PROTOCOL_H2_OR_H1
} ProtocolChoice;

typedef struct ConnectorTls {
    Str name; /* to ask for and verify; empty: no TLS */
    FileSettings roots; /* no path: the system's authorities */
    FileSettings chain; /* of River's own certificate; no path: none */
    FileSettings key;
    bool verify;
    Fingerprint identity; /* of all of it, with the protocol and the roots that it trusts */
} ConnectorTls;

typedef struct ConnectorSettings {
    SettingsAddress address;
    ConnectorTls tls;
    ProtocolChoice protocol;
    uint32_t weight;                /* at least 1 */
    uint64_t connection_timeout_ms; /* of one dial */
    uint64_t total_connection_timeout_ms; /* dial and handshakes together; 0: no limit of its own */
    uint64_t read_timeout_ms;  /* to the first byte of the answer, and between bytes of its body */
    uint64_t write_timeout_ms; /* without progress while sending */
    uint64_t idle_timeout_ms;  /* how long a connection may lie in the pool */
    uint64_t connections_max;  /* to this endpoint, busy and idle; 0: no limit */
} ConnectorSettings;

typedef enum HashKey {
    HASH_KEY_NONE,
    HASH_KEY_PATH,            /* the path without the query */
    HASH_KEY_SOURCE_AND_PATH  /* the client's address (not its port), and the path */
} HashKey;

/* One `connectors` block: the endpoints among which a request is balanced. */
typedef struct ClusterSettings {
    bool rewrites; /* the origin gets another path: */
    Rewrite rewrite;
    size_t connector_count;
    const ConnectorSettings *connectors COUNTED_BY(connector_count);
    Str selection; /* the balancing policy's name */
    HashKey hash_key;
} ClusterSettings;

typedef struct RespondSettings {
    uint16_t status; /* 200..599 */
    Str content_type;
    Str body;
} RespondSettings;

typedef struct FileServerSettings {
    Str base_path; /* from where River was started */
    uint32_t root; /* its index in Settings.roots */
    bool dotfiles;
    Str index;
    Str prefix; /* decoded, without slashes at its ends; empty: none */
    Str fallback; /* likewise, below the directory; empty: none */
    bool fallback_assets; /* also for names that look like files of a page */
} FileServerSettings;

typedef struct ForwardedSettings { /* which fields River writes for the origin */
    bool x_forwarded_for;
    bool x_forwarded_proto;
    bool x_forwarded_host;
    bool x_real_ip;
    bool forwarded;
} ForwardedSettings;

typedef struct IdentitySettings { /* which fields say what of a client's certificate */
    bool any;
    bool certificate; /* Client-Cert */
    bool chain;       /* Client-Cert-Chain */
    Str subject; /* names in lower case; empty: none */
    Str names;
    Str fingerprint;
} IdentitySettings;

typedef struct RequestIdSettings {
    Str header;  /* lower case */
    bool accept; /* keep what the client sent, if it is a sane id */
} RequestIdSettings;

/* `overload`: limits and deadlines of the client's side. A limit that the file sets is answered
 * with `status` and `body`; the built-in ones answer 431, 414, 408 and their like. */
typedef struct OverloadSettings {
    uint64_t concurrent_requests_max; /* 0: no limit */
    uint64_t fields_max;
    uint64_t head_bytes_max;
    uint64_t target_bytes_max;
    uint32_t streams_max; /* open at once on one HTTP/2 connection */
    bool fields_set; /* the file sets max-headers */
    bool head_set;   /* the file sets max-header-bytes */
    bool target_set; /* the file sets max-target-bytes */
    uint64_t head_timeout_ms;       /* from the first byte of a head to its end */
    uint64_t keep_alive_timeout_ms; /* idle between two requests */
    uint64_t read_timeout_ms;       /* without progress of a request's body */
    uint64_t write_timeout_ms;      /* without progress of a response */
    uint64_t drain_timeout_ms;      /* for the rest of a body after an early answer */
    uint64_t min_send_rate_bytes;    /* a second, to the client; 0: no minimum */
    uint64_t min_receive_rate_bytes; /* a second, of a request's body; 0: no minimum */
    uint16_t status;
    Str body;
} OverloadSettings;

typedef struct NormalizationSettings {
    bool dot_segments;
    bool duplicate_slashes;
    bool encoded_separators;
    bool control_characters;
    bool percent_encoding;
    MatrixRule matrix;
    bool ambiguous_paths; /* of a service; false in a route */
    bool host;
    bool header_non_ascii;
    uint16_t status;
    Str body;
} NormalizationSettings;

/* A filter where the file has written it, with what `setup` needs. */
typedef struct FilterSettings {
    const FilterKind *kind;
    size_t value_count;
    const FilterValue *values COUNTED_BY(value_count); /* one for each property of the kind */
} FilterSettings;

typedef struct ChainSettings {
    size_t count;
    const FilterSettings *filters COUNTED_BY(count);
} ChainSettings;

typedef enum ActionKind {
    ACTION_PROXY,    /* `cluster` holds */
    ACTION_RESPOND,  /* `respond` holds */
    ACTION_REDIRECT, /* `redirect` holds */
    ACTION_FILES     /* `files` holds */
} ActionKind;

/* What answers a request. */
typedef struct ActionSettings {
    ActionKind kind;
    ClusterSettings cluster;
    RespondSettings respond;
    Redirect redirect;
    FileServerSettings files;
} ActionSettings;

typedef struct RouteSettings {
    RouteMatch match;
    Str path;
    RouteMethods methods;
    const NormalizationSettings *normalization; /* its own; NULL: the service's */
    const struct ServiceSettings *own; /* the service's, with what the route says in their place;
                                        * NULL: it says nothing */
    ActionSettings action;
} RouteSettings;

typedef struct ServiceSettings {
    Str name;
    Str source; /* its text in the file */
    Fingerprint identity; /* of its text and of what the files it names hold: the same, and so is
                           * the service, but for its listeners' certificates */
    size_t host_count; /* 0: it serves all hosts that no other service of its address has */
    const HostSettings *hosts COUNTED_BY(host_count);
    Fingerprint hosts_identity;
    ActionSettings action; /* where there are no routes */
    size_t route_count;
    const RouteSettings *routes COUNTED_BY(route_count);
    RespondSettings no_route; /* the answer where none of them takes the request */
    size_t page_count;
    const RespondSettings *pages COUNTED_BY(page_count); /* of a status the first one counts */
    bool https_only; /* others are redirected: */
    Redirect secure;
    Str host; /* the Host sent upstream; empty: the client's */
    size_t upgrade_count;
    const Str *upgrades COUNTED_BY(upgrade_count); /* protocols that may tunnel, lower case */
    uint32_t tries_max; /* 1: never again */
    uint64_t retry_buffer_bytes;
    uint64_t tunnel_idle_timeout_ms;
    uint64_t stream_idle_timeout_ms;
    RequestIdSettings request_id;
    ForwardedSettings forwarded;
    IdentitySettings identity_headers;
    size_t trusted_count;
    const IpPrefix *trusted COUNTED_BY(trusted_count); /* proxies that say who the client is */
    Str client_ip_header; /* in this field; lower case */
    OverloadSettings overload;
    NormalizationSettings normalization;
    ChainSettings chains[STAGE_COUNT];
    /* For a reload that finds this service unchanged: */
    size_t listener_count;
    const ListenerSettings *listeners COUNTED_BY(listener_count); /* as they are here; `services`
                                                                   * holds nothing */
    size_t named_count;
    const uint32_t *named COUNTED_BY(named_count); /* the files that it names, of Settings.files */
    uint64_t limiter_bytes; /* memory that its rules need */
    bool serves_files;
} ServiceSettings;

typedef enum LogPlace {
    LOG_PLACE_OFF,
    LOG_PLACE_STDOUT,
    LOG_PLACE_STDERR,
    LOG_PLACE_FILE /* `path` holds */
} LogPlace;

typedef enum AccessFormat {
    ACCESS_JSON,
    ACCESS_LOGFMT,
    ACCESS_COMBINED
} AccessFormat;

typedef enum ErrorLevel { /* what is logged: this level and all above it */
    ERROR_LEVEL_ERROR,
    ERROR_LEVEL_WARN,
    ERROR_LEVEL_INFO,
    ERROR_LEVEL_DEBUG
} ErrorLevel;

typedef struct LogSettings {
    LogPlace access;
    Str access_path; /* absolute */
    AccessFormat access_format;
    LogPlace error; /* never OFF or STDOUT */
    Str error_path; /* absolute */
    ErrorLevel error_level;
} LogSettings;

/* The worker's account. If not set, it is the account that starts River. */
typedef struct AccountSettings {
    Str user;          /* as it is written; empty: not set */
    Str group;
    uint32_t user_id;  /* where `user` is set */
    uint32_t group_id; /* where either is: of `group`, else the user's own */
} AccountSettings;

typedef struct SystemSettings {
    uint32_t threads; /* 0: one for each CPU */
    bool daemonize;
    Str pid_file;       /* these three are absolute, or empty for none */
    Str upgrade_socket;
    Str control_socket;
    AccountSettings account;
    bool sandbox; /* the worker is caged */
    bool watch; /* reload when a file has changed */
    uint64_t drain_timeout_ms;
    uint64_t connections_max;      /* clients at once; 0: as many as descriptors allow */
    uint64_t idle_upstreams_max;   /* idle connections to origins, all together */
    uint64_t buffer_memory_bytes;  /* budget of the worker; 0: a quarter of the machine's memory */
    LogSettings log;
} SystemSettings;

/* The worker's memory budget in bytes; 0: none, for the machine's memory is not known. */
uint64_t config_memory_bytes(const SystemSettings *system);

struct KdlDocument;

/* A file or directory besides the configuration's own file whose change is one of the
 * configuration: it was included, lists what is, or its text is a value. */
typedef struct WatchedPath {
    Str path;
    uint64_t mark; /* when it was read (ConfigFiles) */
    bool settled;  /* what had this mark held this text: it was not being written just then */
    Str text;      /* of an included file that could be read; empty for others */
} WatchedPath;

/* A file whose text is, or is part of, a value: `{file.PATH}`. */
typedef struct ValueFile {
    Str path;
    Str text; /* without the newline at its end */
} ValueFile;

/* What a configuration was assembled from (assemble.h). */
typedef struct Assembly {
    Str text; /* as one file */
    SourceMap map;
    size_t watched_count;
    const WatchedPath *watched COUNTED_BY(watched_count);
    size_t value_count;
    const ValueFile *values COUNTED_BY(value_count);
} Assembly;

typedef struct Settings {
    SystemSettings system;
    size_t service_count; /* at least 1 */
    const ServiceSettings *const *services COUNTED_BY(service_count);
    size_t listener_count; /* at least 1 */
    const ListenerSettings *listeners COUNTED_BY(listener_count); /* each address once */
    size_t root_count;
    const Str *roots COUNTED_BY(root_count); /* directories of file servers, each once */
    size_t serving_count; /* services that have file servers */
    Str system_source; /* the text of `system`; empty: there is none */
    size_t file_count;
    const FileSettings *files COUNTED_BY(file_count); /* all that were read, each once; and those
                                                       * of `base`, also where none is named now */
    StrMap file_places; /* of files that `base` does not have, by their paths */
    Str platform_roots; /* PEM of the system's authorities, where a connector needs them */
    Fingerprint platform_identity;
    uint32_t platform_file; /* its place among the files */
    const struct KdlDocument *document; /* what the text was read to */
    const Assembly *assembly; /* where that text is from; NULL: a file of TOML */
    bool silent; /* there was nothing to warn of */
    int64_t valid_until; /* then the first certificate has expired: seconds since 1970 */
    const struct Settings *base; /* what was taken over unchanged is its; NULL: nothing was */
} Settings;

/* All bytes of a file: only a process that may see keys may look at them. */
static inline Str settings_whole(const FileSettings *file)
{
    return file->secret ? *file->secret : file->bytes;
}

/* What a file held when these settings were read, or NULL. */
const FileSettings *settings_file(const Settings *s, Str path);

#endif
