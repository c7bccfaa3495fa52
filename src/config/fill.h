/* fill.h - from a checked document to Settings (internal to the room). */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

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

typedef struct Filler {
    Arena *arena;
    Checker *checker;
    const ConfigFiles *files; /* NULL: no file is read */
    FillFile *known;
    Str platform_roots;
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

/* One service; `section` is its node. */
MUST_USE Err fill_service(Filler *f, Section section, ServiceSettings *ret);
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
/* The line of a position. */
uint32_t fill_line(Filler *f, size_t at);

#endif
