/* configuration.h - a configuration as the supervisor holds it: its settings, and everything that
 * was opened for them.
 *
 * A reload creates another one beside it. Both share the sockets of addresses that they have in
 * common, so closing one requires naming the other. */
#ifndef APP_CONFIGURATION_H
#define APP_CONFIGURATION_H

#include "app/key_logs.h"
#include "app/listen.h"
#include "app/roots.h"
#include "app/source.h"
#include "base/region.h"

/* Memory of settings, kept while a configuration needs it. */
typedef struct SettingsMemory {
    Region region; /* sealed once filled, and shared with workers */
    unsigned holders;
    size_t cache_count; /* size of the cache after all settings were read */
} SettingsMemory;

typedef struct Configuration {
    SettingsMemory *own;  /* the settings and the text */
    SettingsMemory *base; /* of the settings that some were taken over from; NULL: none */
    Str text;
    uint64_t text_mark; /* of the file, see files_mark */
    const Settings *settings; /* NULL: none */
    Blocks blocks;
    Arena arena; /* of the lists below */
    ListenSet listeners; /* in the settings' order; fd -1: closed */
    KeyLogs key_logs;
    size_t root_count;
    Root *roots COUNTED_BY(root_count); /* in the order of Settings.roots */
} Configuration;

/* What the user is told about loading a configuration. */
typedef struct ConfigurationReport {
    Arena *arena;
    bool colour;
    Str shown; /* the diagnostics; empty: none */
    size_t mistakes;
    Text why; /* any other error */
} ConfigurationReport;

void configuration_none(Configuration *c);

/* What a configuration is derived from besides the file. */
typedef struct ConfigurationOrigin {
    const Configuration *before; /* unchanged parts are taken over from it */
    bool renew; /* its text still holds; only certificate files may have changed */
} ConfigurationOrigin;

/* Reads the file. ERR_SYNTAX: the report says what is wrong. `origin` NULL: everything is read from
 * the file. Opens nothing yet. */
MUST_USE Err configuration_load(Configuration *c, const Source *source,
                                const ConfigurationOrigin *origin, ConfigurationReport *report);

/* Opens everything that the settings name, sharing the sockets that `before` (NULL: none) has. On
 * failure closes again whatever was not shared, and `why` says what failed. */
MUST_USE Err configuration_open(Configuration *c, const Files *files, const ListenSet *before,
                                Text *why);
/* Closes everything that is open, except sockets that `stays` (NULL: none) has too, and removes the
 * files of closed Unix sockets. The configuration can be opened again. */
void configuration_close(Configuration *c, const ListenSet *stays);
/* Frees a closed configuration. */
void configuration_drop(Configuration *c);

/* Whether a worker that runs by `a` can switch to `b`: same threads, limits and paths of
 * directories. */
bool configuration_same_worker(const Configuration *a, const Configuration *b);
/* The worker has switched from `old`: it serves the directories that it has, and so does every
 * worker after it, until a look finds that a path leads elsewhere (roots_keep). */
void configuration_keep_roots(Configuration *c, Configuration *old);

#endif
