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
    CertificateCache *cache; /* for what the files of TLS are parsed to */
} Source;

/* Reads the file's text; *ret_mark as of files_mark. What went wrong: `why`. */
MUST_USE Err source_read(const Source *s, Arena *a, Str *ret, uint64_t *ret_mark, Text *why);

/* The settings before; all as in ConfigOptions. */
typedef struct SourceBefore {
    const Settings *renew;
    const Settings *base;
    const Settings *latest;
} SourceBefore;

/* From text to settings, in a region that is being filled. Errors as of config_load. */
MUST_USE Err source_load(const Source *s, Region *region, Str text, const SourceBefore *before,
                         Diagnostics *d, const Settings **ret);
/* What the settings are read with: `manager` makes the process that sees keys. */
MUST_USE Err source_open(Source *s, Files *files, ProcessManager *manager);
void source_close(Source *s);

#endif
