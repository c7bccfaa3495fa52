/* source.h - the source of the configuration: its file, and how to read it. */
#ifndef APP_SOURCE_H
#define APP_SOURCE_H

#include "app/files.h"
#include "app/starting.h"

typedef struct Source {
    Str path; /* relative to the directory where River was started */
    const StartingText *starting; /* instead of the file; NULL: there is one */
    ConfigFormat format;
    ConfigCompat compat;
    const ConfigOverrides *overrides; /* from the command line and the environment */
    Files *files;
    CertificateCache *cache; /* for parsed TLS files */
} Source;

/* Reads the file's text; *ret_mark as of files_mark. On failure `why` says what went wrong. */
MUST_USE Err source_read(const Source *s, Arena *a, Str *ret, uint64_t *ret_mark, Text *why);

/* The previous settings, as in ConfigOptions. */
typedef struct SourceBefore {
    const Settings *renew;
    const Settings *base;
    const Settings *latest;
} SourceBefore;

/* Turns text into settings, in a region that is being filled. Errors as of config_load. */
MUST_USE Err source_load(const Source *s, Region *region, Str text, const SourceBefore *before,
                         Diagnostics *d, const Settings **ret);
/* Opens what reading needs; `manager` starts the key checker. */
MUST_USE Err source_open(Source *s, Files *files, ProcessManager *manager);
void source_close(Source *s);

#endif
