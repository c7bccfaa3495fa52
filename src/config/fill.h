/* fill.h - from a checked document to Settings (internal to the room). */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

#include "base/str_map.h"
#include "config/check.h"
#include "config/section.h"
#include "config/settings.h"

/* Files that were read already: many listeners may name one. */
typedef struct FillFile {
    struct FillFile *next;
    FileSettings file;
    bool failed;
} FillFile;

/* A directory below which files are served. */
typedef struct FillRoot {
    struct FillRoot *next;
    Str path;
} FillRoot;

/* An address as it stands in a service. */
typedef struct FillClaim {
    uint32_t listener;
    uint32_t service;
} FillClaim;

/* The addresses so far, each once. */
typedef struct FillListeners {
    size_t room; /* for as many as all services have */
    ListenerSettings *list COUNTED_BY(room);
    size_t count;
    Str *owners COUNTED_BY(room); /* names of the services in which they stand first */
    FillClaim *claims COUNTED_BY(room);
    size_t claim_count;
    StrMap addresses; /* by their canonical texts */
} FillListeners;

typedef struct Filler {
    Arena *arena;
    Checker *checker;
    const ConfigFiles *files; /* NULL: no file is read */
    FillFile *known;
    Str platform_roots;
    FillListeners listeners;
    FillRoot *roots;
    size_t root_count;
    uint64_t memory_bytes_max; /* the worker's budget; 0: not known */
    uint64_t limiter_bytes;    /* what the limiters so far need of it */
    Str text;
    size_t counted; /* lines are counted up to here, so that places cost one pass in all */
    uint32_t line;
} Filler;

/* Fills everything in; the document has no mistake by itself. What is wrong with the files that it
 * names goes to the checker's diagnostics. ERR_MEMORY only. */
MUST_USE Err fill_settings(Arena *a, Str text, const KdlDocument *document, Checker *checker,
                           const ConfigFiles *files, const Settings **ret);

/* Who the worker runs as, looked up (fill_account.c). */
void fill_account(Filler *f, Section system, AccountSettings *ret);
/* One service; `section` is its node, `index` its place among them. */
MUST_USE Err fill_service(Filler *f, Section section, uint32_t index, ServiceSettings *ret);
/* The addresses of all services: room for so many; those of one service; and, at the end, the list
 * of them with the services of each (fill_listeners.c). */
MUST_USE Err fill_listeners_open(Filler *f, size_t room);
MUST_USE Err fill_listeners(Filler *f, Section service, uint32_t index);
MUST_USE Err fill_listeners_close(Filler *f, Settings *settings);
/* The hosts of a service. */
MUST_USE Err fill_hosts(Filler *f, Section hosts, ServiceSettings *ret);
/* Reads a file, the first time. The error is of that time; later calls find file->failed. */
MUST_USE Err fill_file(Filler *f, Str path, FillFile **ret);
/* Reads the file that a property names, if it is written. *io_good becomes false when it cannot be
 * read, which is said once for each place. */
MUST_USE Err fill_file_named(Filler *f, const KdlEntry *entry, FileSettings *ret, bool *io_good);
/* TLS of a listener and of a connector, with their files read and tried (fill_tls.c). */
MUST_USE Err fill_listener_tls(Filler *f, Section one, ListenerSettings *ret);
MUST_USE Err fill_connector_tls(Filler *f, Section one, ConnectorSettings *ret);
/* The filters of a service, each with its set-up tried (fill_filter.c). */
MUST_USE Err fill_filters(Filler *f, Section service, ServiceSettings *ret);
/* A file server, with its directory looked at; and all directories (fill_file_server.c). */
MUST_USE Err fill_file_server(Filler *f, Section section, FileServerSettings *ret);
MUST_USE Err fill_roots(Filler *f, Settings *settings);
/* What answers a request: of a service, or of a route whose path is given (fill_action.c). */
MUST_USE Err fill_action(Filler *f, Section place, Str route_path, ActionSettings *ret);
/* The routes of a service; its normalisation is known (fill_routes.c). */
MUST_USE Err fill_routes(Filler *f, Section routes, ServiceSettings *ret);
MUST_USE Err fill_address(Arena *a, Str text, SettingsAddress *ret);
/* A copy in lower case. */
MUST_USE Err fill_lower(Arena *a, Str from, Str *ret);
/* How many nodes stand below one. */
size_t fill_count(const KdlNode *node);
/* The line of a position. */
uint32_t fill_line(Filler *f, size_t at);

#endif
