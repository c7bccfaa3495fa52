/* source.h - where the configuration comes from: its file, and how that is read. */
#ifndef APP_SOURCE_H
#define APP_SOURCE_H

#include "app/files.h"

typedef struct Source {
    Str path; /* looked for from where River was started */
    ConfigFormat format;
    ConfigCompat compat;
    const ConfigOverrides *overrides; /* of the command line and the environment */
    Files *files;
    TlsShelf *shelf; /* for what the files of TLS are parsed to */
} Source;

/* Reads the file's text. What River said: `why`. */
MUST_USE Err source_read(const Source *s, Arena *a, Str *ret, Text *why);

/* From text to settings; `renew` as in ConfigOptions. Errors as of config_load. */
MUST_USE Err source_load(const Source *s, Arena *a, Str text, const Settings *renew,
                         Diagnostics *d, const Settings **ret);

#endif
