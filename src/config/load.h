/* load.h - the configuration room's front door: from text to checked settings.
 *
 * No I/O: the caller reads the files and prints the diagnostics. Everything that is returned lies
 * in the caller's arena and points into `text`, which must live as long.
 *
 *     Diagnostics *d = arena_new(&arena, Diagnostics);
 *     const Settings *settings = NULL;
 *     Err err = config_load(&arena, S("river.kdl"), text, &options, d, &settings);
 *     if (d->count > 0) { Str shown; config_show_diagnostics(&arena, d, colour, &shown) ... }
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/override.h"
#include "config/settings.h"
#include "kdl/diagnostic.h"
#include "net/tls.h"

#define CONFIG_TEXT_BYTES_MAX (16u << 20) /* a longer file is refused */
#define CONFIG_ARENA_BYTES_MAX (256u << 20) /* enough for any text within that bound */

typedef enum ConfigCompat { /* `--compat`: what that River ignored is a warning, not an error */
    COMPAT_NONE,
    COMPAT_0_5,
    COMPAT_0_8
} ConfigCompat;

typedef enum ConfigFormat {
    CONFIG_KDL,
    CONFIG_TOML /* River 0.2's, deprecated */
} ConfigFormat;

#define CONFIG_NO_GROUP UINT32_MAX /* no group has this number: (gid_t)-1 */

/* How the files that a configuration names are read: certificates and their like. A path that is
 * not absolute is the reader's to understand (River: the directory where it was started); those of
 * the configuration have its directory in front already. */
typedef struct ConfigFiles {
    void *context;
    /* Sets bytes, mark and `settled`. ERR_UNSUPPORTED: it is a directory, a pipe or the like. */
    Err (*read)(void *context, Arena *a, FileSettings *file);
    /* The same for a file that holds a private key: also sets identity and `secret`; `bytes` are
     * what in it is public. `read` may do so, too, with a file that turns out to have a key in it.
     * NULL: keys are bytes like all others. */
    Err (*read_secret)(void *context, Arena *a, FileSettings *file);
    /* Such a file has `secret` of other settings, and is to have a copy. NULL if that is. */
    Err (*keep_secret)(void *context, Arena *a, FileSettings *file);
    /* Sets for each file a number that changes when the file does, or comes, or goes. NULL: it is
     * not known, so files are read to see whether they have changed. */
    void (*marks)(void *context, const FileSettings *files, size_t count, uint64_t *ret);
    /* Reads a text that the configuration includes or has a value from, of at most `bytes_max`
     * bytes (ERR_LIMIT); sets mark, settled and text, the mark also of one that cannot be read.
     * ERR_UNSUPPORTED as of `read`; ERR_DENIED also where it holds a private key. NULL: there are
     * no such files. */
    Err (*read_text)(void *context, Arena *a, Str path, size_t bytes_max, WatchedPath *ret);
    /* The mark of such a file now. NULL: it is always read. */
    uint64_t (*text_mark)(void *context, Str path);
    /* The names in a directory, in any order, without those that begin with a dot; its mark. */
    Err (*list)(void *context, Arena *a, Str path, Str **ret, size_t *ret_count,
                uint64_t *ret_mark);
    /* The value of a variable of the environment; false: it is not set. NULL: none is. */
    bool (*environment)(void *context, Str name, Str *ret);
    /* Whether a file can be opened for reading. NULL: no one looks. */
    Err (*exists)(void *context, Str path);
    /* A number that is the same for all paths to a file or directory, and for no other; 0: there is
     * none. NULL: no one looks. */
    uint64_t (*identity)(void *context, Str path);
    /* Whether a directory can be opened; ERR_UNSUPPORTED: it is none. NULL: no one looks. */
    Err (*directory)(void *context, Str path);
    /* The ids of a user and of a group, by name or number; ERR_MISSING: there is none. A number
     * that no account has is a user without a group: CONFIG_NO_GROUP. NULL: no one looks. */
    Err (*user)(void *context, Str name, uint32_t *ret_user, uint32_t *ret_group);
    Err (*group)(void *context, Str name, uint32_t *ret_group);
    int64_t now_s; /* seconds since 1970, for certificates that have expired */
} ConfigFiles;

typedef struct ConfigOptions {
    const ConfigOverrides *overrides; /* NULL: none */
    ConfigCompat compat;
    ConfigFormat format;
    const ConfigFiles *files; /* NULL: they are neither read nor checked */
    CertificateCache *cache; /* the caller's, for what the files of TLS are parsed to; NULL: none */
    /* Only the certificates of listeners are read again; other files hold what they held for these
     * settings. A listener whose files do not check keeps its own, with a warning. NULL: all files
     * are read, and each must check. */
    const Settings *renew;
    /* Settings that were read whole. What is there with the same text and the same files is
     * taken over (Settings.base), so they must outlive the result. NULL: all is read. */
    const Settings *base;
    /* Settings over the same base, for which its files were looked at later. NULL: none. */
    const Settings *latest;
} ConfigOptions;

/* Reads and checks, with what it includes. ERR_OK: *ret holds (`d` may hold warnings). ERR_SYNTAX:
 * `d` says what is wrong, sorted. ERR_LIMIT: the text is too long (also said in `d`). ERR_MEMORY:
 * the arena is too small.
 * ERR_AGAIN: there is something to say, or much is new; it must be read without `base`.
 * `options` may be NULL. Checking alone is loading and ignoring *ret. */
MUST_USE Err config_load(Arena *a, Str file_name, Str text, const ConfigOptions *options,
                         Diagnostics *d, const Settings **ret);

/* "0.5" or "0.8"; ERR_SYNTAX for others. */
MUST_USE Err config_compat_parse(Str text, ConfigCompat *ret);

/* `river check --print-kdl [--kdl-version N]`: the document in canonical form, written as it was
 * read. `version` 0 lets the text decide, else 1 or 2. A document in TOML is written as the same
 * configuration in KDL (in version 1, unless 2 is asked for). Errors as of config_load. */
MUST_USE Err config_print_kdl(Arena *a, Str file_name, Str text, ConfigFormat format, int version,
                              Diagnostics *d, Str *ret);

/* `river defaults`: a configuration with every option and its default, commented. */
MUST_USE Err config_defaults(Arena *a, Str *ret);
/* `river defaults SECTION`; ERR_MISSING: there is no such section or option. */
MUST_USE Err config_defaults_of(Arena *a, Str section, Str *ret);
/* `river defaults --markdown`: the manual's option reference (docs/manual/reference.md). */
MUST_USE Err config_reference(Arena *a, Str *ret);
/* `river reasons`, of one code or all; ERR_MISSING: there is no such code. */
MUST_USE Err config_reasons(Arena *a, Str code, Str *ret);
/* `river reasons --markdown`: docs/manual/reasons.md. */
MUST_USE Err config_reasons_page(Arena *a, Str *ret);
/* `river env`. */
MUST_USE Err config_environment(Arena *a, const ConfigOverrides *o, Str *ret);
/* diagnostics_print into room of the right size. */
MUST_USE Err config_show_diagnostics(Arena *a, const Diagnostics *d, bool colour, Str *ret);

#endif
