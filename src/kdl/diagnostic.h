/* diagnostic.h - mistakes in a text: collected, sorted, and shown with their line.
 *
 * A diagnostic points at bytes of one text (a span), or at none when it is about the command line
 * or the environment. It knows neither KDL nor options. */
#ifndef KDL_DIAGNOSTIC_H
#define KDL_DIAGNOSTIC_H

#include "base/text.h"
#include "kdl/source_map.h"

typedef enum Severity {
    SEVERITY_ERROR,
    SEVERITY_WARNING,
    SEVERITY_KEPT /* a renewal's: what this is about keeps what it had ("not renewed") */
} Severity;

typedef struct Diagnostic {
    Severity severity;
    bool placed; /* `location` holds */
    Location location;
    Str origin;  /* instead of a place: "RIVER_LOG_LEVEL", "--pidfile" */
    Str message; /* what is wrong */
    Str help;    /* what would be right; may be empty */
} Diagnostic;

#define DIAGNOSTICS_MAX 100 /* more than these are counted, not kept */

typedef struct Diagnostics {
    Arena *arena; /* holds the messages */
    Str file_name;
    Str text;
    const SourceMap *map; /* where parts of the text come from; NULL: all of it is that file's */
    size_t count;
    size_t more; /* errors and warnings that were not kept */
    size_t error_count; /* kept or not */
    bool out_of_memory;
    Diagnostic list[DIAGNOSTICS_MAX];
} Diagnostics;

void diagnostics_init(Diagnostics *d, Arena *arena, Str file_name, Str text);

/* The file and place to which a location of the text belongs. */
static inline SourcePlace diagnostics_place(const Diagnostics *d, Location at)
{
    return source_place(d->map, d->file_name, d->text, at);
}

/* Notes a mistake. The message is formatted as by printf; `help` may be empty and is copied. The
 * same message about the same place (of a snippet that is used twice) is noted once. */
void diagnostics_add(Diagnostics *d, Severity severity, Location at, Str help, const char *format,
                     ...) PRINTF_LIKE(5, 6);
/* The same for something that is not in the text. */
void diagnostics_add_from(Diagnostics *d, Severity severity, Str origin, Str help,
                          const char *format, ...) PRINTF_LIKE(5, 6);

/* Both in one: `at` is NULL for something that is not in the text. */
void diagnostics_add_list(Diagnostics *d, Severity severity, const Location *at, Str origin,
                          Str help, const char *format, va_list list) PRINTF_LIKE(6, 0);

/* Whether these very words were said already, anywhere. */
bool diagnostics_said(const Diagnostics *d, Str message);

/* Adds the mistakes that `from` holds; it must be about the same text. */
void diagnostics_take(Diagnostics *d, const Diagnostics *from);

/* Puts them in the order of the text; those without a place come first. */
void diagnostics_sort(Diagnostics *d);

/* Writes all of them:
 *
 *     FILE:LINE:COLUMN: error: MESSAGE
 *       LINE | the line of the text
 *            | ^^^^
 *     help: HELP
 *
 * `colour` adds terminal escapes. What does not fit into `out` is cut (out->overflow). */
void diagnostics_print(const Diagnostics *d, Text *out, bool colour);
/* Room that always suffices for diagnostics_print. */
size_t diagnostics_print_bytes(const Diagnostics *d);

/* Line and column of a position, both from 1; columns count code points. */
typedef struct Place {
    uint32_t line;
    uint32_t column;
} Place;
Place place_of(Str text, size_t at);

#endif
