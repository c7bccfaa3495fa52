/* check.h - a document against the schema: every mistake noted at its place. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/load.h"
#include "config/schema.h"
#include "kdl/kdl.h"

/* Where a value was written: in the file, or elsewhere ("RIVER_LOG_LEVEL"). */
typedef struct Where {
    Str origin; /* empty: `location` holds */
    Location location;
} Where;

static inline Where where_at(Location location)
{
    Where w = {.origin = STR_NONE, .location = location};
    return w;
}

/* Help where a text of the configuration is ERR_DENIED. */
#define CONFIG_TEXT_DENIED                                                                         \
    S("River reads it as the user who starts it, and takes no text with a private key in it")

#define VARIABLE_FILES_MAX 1024u

/* The files whose text is a value somewhere (variable.h). */
typedef struct Values {
    Arena *arena; /* of the settings */
    Span room;    /* to put a value together */
    size_t count;
    ValueFile list[VARIABLE_FILES_MAX];
    WatchedPath marks[VARIABLE_FILES_MAX];
} Values;

#define CHECK_PATHS_MAX 64u

/* Files that options name. */
typedef struct NamedPath {
    Str path;
    Location place;
} NamedPath;

typedef struct Checker {
    Diagnostics *diagnostics;
    ConfigCompat compat;
    const ConfigFiles *files; /* NULL: nothing is read */
    Values *values;           /* NULL: values are as they are written */
    size_t path_count; /* of the first ones */
    NamedPath paths[CHECK_PATHS_MAX];
    Str directory;            /* that relative paths count from; empty: where River was started */
    const Settings *before;   /* that certificates are renewed of; NULL: none */
    bool told_elsewhere;      /* said already: a path is only where River was started */
    bool told_both;           /* said already: a path is in both directories */
    Str option; /* the full name of the option whose values are checked */
    Str veil; /* what messages show instead of the value that is checked; empty: the value */
    bool later; /* within something that was already called not supported */
    bool joint_same; /* see rules_joint_same; false where there is no base */
    uint64_t threads; /* that serve all services; 0: one for each processor */
} Checker;

/* Adds "the first one is in line N", where that is worth the walk. */
void check_print_first(const Checker *c, Location first, Text *help);

/* Says which of the named files are missing; for a document with other mistakes, so that all are
 * said in one round. Files that are read are looked at then (fill_files.c). */
void check_paths(Checker *c);

/* Notes a mistake. */
void check_report(Checker *c, Severity severity, Where where, Str help, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* Checks the whole document by itself; rules between options are rules.c's. Values get their final
 * form: variables are replaced, times and sizes become numbers, and options their full names. */
void check_document(Checker *c, KdlDocument *document);

/* Gives a value its final form, and checks it. `subject` is the option's name as it is written, for
 * messages. */
void check_option(Checker *c, const SchemaItem *item, Str subject, KdlValue *value, Where where);
/* Checks a value in its final form. */
void check_value(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                 Where where);

/* The first child of that name, or NULL. `nodes` may be NULL. */
const KdlNode *node_find(const KdlNode *nodes, Str name);
/* The property that counts, or NULL. `node` may be NULL. */
const KdlEntry *node_property(const KdlNode *node, Str name);
/* Whether a property is written, and is this truth. */
bool node_says(const KdlNode *node, Str name, bool truth);
/* The first argument, or NULL. */
const KdlEntry *node_argument(const KdlNode *node);
/* The argument after one, or NULL. */
const KdlEntry *argument_next(const KdlEntry *argument);
size_t node_argument_count(const KdlNode *node);
/* The text of a string; empty for other values and for NULL. */
Str entry_text(const KdlEntry *entry);
/* The text of a value of any kind, as `river defaults` writes it. */
Str value_as_text(const KdlValue *value);

#endif
