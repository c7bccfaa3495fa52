/* material.h - certificates, keys and authorities: from the bytes of files to plans of TLS, at the
 * start and whenever the files have changed.
 *
 * A `Material` is what the files of all listeners hold now; it crosses from the supervisor, which
 * may read them, to the worker, which may not. */
#ifndef CONFIG_MATERIAL_H
#define CONFIG_MATERIAL_H

#include "config/load.h"
#include "net/tls.h"

typedef struct MaterialPart {
    size_t count; /* as the listener's file_count; 0: nothing for this listener */
    const Str *bytes COUNTED_BY(count);
} MaterialPart;

/* One part for each listener, in the settings' order. */
typedef struct Material {
    size_t count;
    MaterialPart *parts COUNTED_BY(count);
} Material;

/* The plan of a listener with these bytes; `pairs` is room for its pair_count pairs. */
TlsServerPlan material_server_plan(const ListenerTls *tls, const Str *bytes, TlsPair *pairs,
                                   int key_log_fd);
TlsClientPlan material_client_plan(const ConnectorSettings *connector, Str platform_roots);

/* What the files held when the configuration was read. ERR_MEMORY only. */
MUST_USE Err material_first(const Settings *settings, Arena *a, Material *ret);

/* Reads a listener's files again and tries them: all or nothing. ERR_SYNTAX and others: `why` names
 * the file and says what is wrong. */
MUST_USE Err material_read(const ListenerTls *tls, const ConfigFiles *files, Arena *a,
                           MaterialPart *ret, Text *why);
/* The position of the file that a mistake is in. */
size_t material_file_of(const ListenerTls *tls, TlsMistake mistake);
bool material_equal(const MaterialPart *a, const MaterialPart *b);

/* As bytes, for the channel: how many, and the bytes themselves. */
size_t material_size(const Material *m);
void material_write(const Material *m, Text *out);
/* Reads what material_write wrote for these settings; slices point into `from`. ERR_SYNTAX: it is
 * something else. */
MUST_USE Err material_parse(Str from, const Settings *settings, Arena *a, Material *ret);

#endif
