/* fill.h - from a checked document to Settings (internal to the room). */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

#include "base/str_map.h"
#include "config/check.h"
#include "config/section.h"
#include "config/settings.h"

/* A file that is named: by one listener, or by many. */
typedef struct FillFile {
    FileSettings file;
    uint64_t now; /* of one of the base's: its mark, when it was looked at */
    bool changed; /* since the base that contains it was read */
    bool read;
    bool failed;
} FillFile;

/* A list that grows; it begins with the files of the base, at their places there. */
typedef struct FillFiles {
    StrMap paths; /* places of those that the base does not have */
    StrMap keys;  /* paths that are named as those of keys, anywhere */
    size_t room;
    FillFile *list COUNTED_BY(room);
    size_t count;
} FillFiles;

/* Places of the files that a service names. */
typedef struct FillNamed {
    size_t room;
    uint32_t *list COUNTED_BY(room);
    size_t count;
} FillNamed;

/* A directory below which files are served. */
typedef struct FillRoot {
    struct FillRoot *next;
    Str path;
} FillRoot;

typedef struct FillRoots {
    StrMap paths; /* positions in the list */
    FillRoot *first;
    FillRoot *last;
} FillRoots;

/* An address as it is in a service, with the certificates that are there. */
typedef struct FillClaim {
    uint32_t listener;
    uint32_t service;
    bool tls_wanted;
    Location place; /* where it is written */
    size_t file_count;
    const FileSettings *files COUNTED_BY(file_count);
} FillClaim;

/* The addresses so far, each once. */
typedef struct FillListeners {
    size_t room; /* for as many as all services have */
    ListenerSettings *list COUNTED_BY(room);
    size_t count;
    Str *owners COUNTED_BY(room); /* names of the services in which they are first */
    FillClaim *claims COUNTED_BY(room);
    size_t claim_count;
    StrMap addresses; /* by their canonical texts */
} FillListeners;

/* What holds where nothing is written: the schema's defaults, looked up once. */
typedef struct FillUsual {
    OverloadSettings overload;
    ForwardedSettings forwarded;
    NormalizationSettings normalization;
    ConnectorSettings connector;
} FillUsual;

typedef struct Filler {
    Arena *arena;
    Checker *checker;
    const ConfigFiles *files; /* NULL: no file is read */
    const Settings *renew; /* see ConfigOptions; NULL: all is read */
    const Settings *base;  /* the same; NULL: nothing is taken over */
    const Settings *latest; /* the same; NULL: the base */
    bool renewing;         /* files are read that are read again when they change */
    int64_t valid_until; /* the earliest end of a certificate so far, in seconds since 1970 */
    bool toml;
    FillFiles known;
    CertificateCache *cache;         /* may be NULL */
    ListenerTls tried;       /* one whose policy works */
    StrMap tried_connectors; /* the identities of those that work */
    Str platform_roots;
    Fingerprint platform_identity;
    uint32_t platform_file; /* its place among the files */
    FillUsual usual;
    FillListeners listeners;
    FillRoots roots;
    uint64_t memory_bytes_max; /* the worker's budget; 0: not known */
    uint64_t limiter_bytes;    /* what the limiters so far need of it */
    Str text;
    const Assembly *assembly; /* NULL: TOML */
    size_t serving_count; /* services so far that serve files */
    Fingerprint identity; /* of the service that is being filled in, so far */
    FillNamed named;      /* the files that it names */
    bool serves_files;    /* whether it does */
} Filler;

/* Fills everything in; the document has no mistake by itself. What is wrong with the files that it
 * names goes to the checker's diagnostics. ERR_MEMORY only. */
MUST_USE Err fill_settings(Arena *a, Str text, const KdlDocument *document, Checker *checker,
                           const ConfigOptions *options, const Assembly *assembly,
                           const Settings **ret);

/* The defaults of services, and of their connectors (fill_action.c). */
void fill_usual(FillUsual *ret);
ConnectorSettings fill_usual_connector(void);
/* Who the worker runs as, looked up (fill_account.c). */
void fill_account(Filler *f, Section system, AccountSettings *ret);
/* One service; `section` is its node, `index` its place among them. */
MUST_USE Err fill_service(Filler *f, Section section, uint32_t index, ServiceSettings *ret);
/* The service of the base that this node is and whose files have not changed, or NULL; and what a
 * service that is taken over adds to the whole (fill_again.c). */
const ServiceSettings *fill_find_again(const Filler *f, const KdlNode *node);
MUST_USE Err fill_again(Filler *f, const KdlNode *node, uint32_t index,
                        const ServiceSettings *was);
/* The addresses of all services: room for so many; those of one service; and, at the end, the list
 * of them with the services of each (fill_listeners.c). */
MUST_USE Err fill_listeners_open(Filler *f, size_t room);
MUST_USE Err fill_listeners(Filler *f, Section service, uint32_t index, ServiceSettings *ret);
/* Notes that a service listens there; `at` is where that is written. */
void fill_claim(Filler *f, uint32_t service, Str owner, const ListenerSettings *one, Location at);
MUST_USE Err fill_listeners_close(Filler *f, Settings *settings);
/* The hosts of a service. */
MUST_USE Err fill_hosts(Filler *f, Section hosts, ServiceSettings *ret);
/* Reads a file, the first time, and gives its place. The error is of that time; later calls find
 * that it has failed. */
MUST_USE Err fill_file(Filler *f, Str path, uint32_t *ret);
/* Notes that the service names the file. */
MUST_USE Err fill_name_file(Filler *f, uint32_t place);
/* Lets a file (which names its path) hold what it held for the settings before. */
MUST_USE Err fill_file_restore(Filler *f, FileSettings *file);
/* Looks at the files of the base, and for the files of keys that `nodes` and all below them name;
 * and gives all files that were read. */
MUST_USE Err fill_files_open(Filler *f, const KdlNode *nodes);
MUST_USE Err fill_files(Filler *f, Settings *settings);
/* Reads the file that a property names, if it is written. *io_good becomes false when it cannot be
 * read, which is reported once per place. */
MUST_USE Err fill_file_named(Filler *f, const KdlEntry *entry, FileSettings *ret, bool *io_good);
/* The system's authorities (fill_platform.c): as the base has them, if they are where they were;
 * read, because something at `at` needs them, *io_good becoming false where there are none; and
 * what is known of them in the end. */
void fill_platform_open(Filler *f);
MUST_USE Err fill_platform_roots(Filler *f, Location at, bool *io_good);
void fill_platform(const Filler *f, Settings *settings);
/* Whether both ask clients for certificates in the same way. */
bool fill_clients_equal(const ListenerTls *a, const ListenerTls *b);
/* TLS of a listener and of a connector, with their files read and tried (fill_tls.c). */
MUST_USE Err fill_listener_tls(Filler *f, Section one, ListenerSettings *ret);
MUST_USE Err fill_connector_tls(Filler *f, Section one, ConnectorSettings *ret);
/* What there is to say of the OCSP response of a pair that can be used, whose files these are; `at`
 * is where it is named (fill_revocation.c). ERR_MEMORY only. */
MUST_USE Err fill_check_staple(Filler *f, const FileSettings *files, Location at);
/* What there is to say of a listener's lists of revoked certificates, which can be used; `at` is
 * where they are named (fill_revocation.c). ERR_MEMORY only. */
MUST_USE Err fill_check_crls(Filler *f, const ListenerTls *tls, Location at);
/* Sets what tells a listener's TLS from others, once all of it is there. */
void fill_listener_identity(ListenerTls *tls);
/* The filters of a service or route, after those that are there; each with its set-up tried
 * (fill_filter.c). */
MUST_USE Err fill_filters(Filler *f, Section place, ServiceSettings *ret);
/* A file server, with its directory looked at; and all directories (fill_file_server.c). */
MUST_USE Err fill_file_server(Filler *f, Section section, FileServerSettings *ret);
MUST_USE Err fill_roots(Filler *f, Settings *settings);
/* The error pages of a service or route, before those that are there (fill_route_own.c). */
MUST_USE Err fill_error_pages(Filler *f, const KdlNode *place, ServiceSettings *ret);
/* The service's settings with what the route says in their place; NULL: it says nothing. */
MUST_USE Err fill_route_own(Filler *f, Section route, const ServiceSettings *service,
                            const ServiceSettings **ret);
/* What answers a request: of a service, or of a route whose path is given; `is_prefix`: this is
 * what its requests' paths begin with (fill_action.c). */
MUST_USE Err fill_action(Filler *f, Section place, Str route_path, bool is_prefix,
                         ActionSettings *ret);
/* Rules for paths: of a service, or of a route, for which `service` are those of its service
 * (fill_normalization.c). */
NormalizationSettings fill_normalization(Section s);
NormalizationSettings fill_route_normalization(Section s, const NormalizationSettings *service);
/* The routes of a service; its normalisation is known (fill_routes.c). */
MUST_USE Err fill_routes(Filler *f, Section routes, ServiceSettings *ret);
/* What several of them need (fill_node.c). */
MUST_USE Err fill_address(Arena *a, Str text, SettingsAddress *ret);
/* A copy in lower case. */
MUST_USE Err fill_lower(Arena *a, Str from, Str *ret);
/* The text of a node, with a mark (a comment) of the files whose text is a value in it; where it is
 * not known (TOML), all of the text. NULL: none. */
Str fill_source(const Filler *f, const KdlNode *node);
/* The number of nodes below one. */
size_t fill_count(const KdlNode *node);
#endif
