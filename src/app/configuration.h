/* configuration.h - one configuration as the supervisor has it: its settings, and everything that
 * it has opened for them.
 *
 * A reload makes another one beside it. Sockets at addresses that both have are the same sockets,
 * so closing one of the two says which other one stays. */
#ifndef APP_CONFIGURATION_H
#define APP_CONFIGURATION_H

#include "app/key_logs.h"
#include "app/listen.h"
#include "app/source.h"
#include "base/region.h"

/* Memory of settings, for as long as a configuration needs it. */
typedef struct SettingsMemory {
    Region region; /* sealed when it is full, and shared with workers */
    unsigned holders;
    size_t cache_count; /* what was in the cache when the settings had been read whole */
} SettingsMemory;

typedef struct Configuration {
    SettingsMemory *own;  /* the settings and the text */
    SettingsMemory *base; /* of the settings from which some were taken over; NULL: none were */
    Str text;
    uint64_t text_mark; /* of the file, as of files_mark */
    const Settings *settings; /* NULL: none */
    Blocks blocks;
    Arena arena; /* of the lists below */
    ListenSet listeners; /* as in the settings; fd -1: closed */
    KeyLogs key_logs;
    size_t root_count;
    int *roots COUNTED_BY(root_count); /* as in Settings.roots */
} Configuration;

/* What a person is told of loading one. */
typedef struct ConfigurationReport {
    Arena *arena;
    bool colour;
    Str shown; /* the diagnostics; empty: there are none */
    size_t mistakes;
    Text why; /* what else went wrong */
} ConfigurationReport;

void configuration_none(Configuration *c);

/* Where a configuration comes from, if not from the file alone. */
typedef struct ConfigurationOrigin {
    const Configuration *before; /* what is the same there is taken over */
    bool renew; /* its text holds, and other files than certificates hold what they held */
} ConfigurationOrigin;

/* Reads the file. ERR_SYNTAX: the report tells what is wrong. `origin` NULL: all is read. Opens
 * nothing yet. */
MUST_USE Err configuration_load(Configuration *c, const Source *source,
                                const ConfigurationOrigin *origin, ConfigurationReport *report);

/* Opens what it names, but for the sockets that `before` (NULL: none) has: they are shared. On
 * failure what was opened for it alone is closed again, and `why` tells what it was. */
MUST_USE Err configuration_open(Configuration *c, const Files *files, const ListenSet *before,
                                Text *why);
/* Closes what it has open, but for sockets that `stays` (NULL: none) has, too, and removes the
 * files of Unix sockets that are closed. It can be opened again. */
void configuration_close(Configuration *c, const ListenSet *stays);
/* Ends it; it is closed. */
void configuration_drop(Configuration *c);

/* Whether a worker that runs by `a` may go on by `b`: the same threads, limits and directories. */
bool configuration_same_worker(const Configuration *a, const Configuration *b);

#endif
