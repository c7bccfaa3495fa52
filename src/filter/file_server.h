/* file_server.h - a handler that answers with the files below a directory. */
#ifndef FILTER_FILE_SERVER_H
#define FILTER_FILE_SERVER_H

#include "proxy/filter.h"

#define FILE_INDEX_BYTES_MAX 255u

/* Its state. The descriptor was opened by the supervisor, before privileges were given up, and
 * stays open as long as the state is used. */
typedef struct FileServer {
    int root;
    bool dotfiles; /* names that begin with a dot are served, too */
    Str index;     /* of a directory; a plain name */
    Str prefix;    /* of request paths, decoded, without slashes at its ends; what follows it is
                    * looked for below the root */
    Str fallback;  /* answers where nothing is found: below the root, of the same form; empty:
                    * nothing does */
    bool fallback_assets; /* also for names with the extension of a known media type */
} FileServer;

/* Its state is a FileServer. */
extern const FilterKind filter_file_server;

#endif
