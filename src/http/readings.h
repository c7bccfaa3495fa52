/* readings.h - every path that a server may take a path for.
 *
 * Servers disagree about what a path means: whether an escape is decoded, once or until nothing is
 * left to decode; whether "//" is one slash, whether ".." is resolved, whether ";x" is part of a
 * name. A path that goes on as the client wrote it must therefore be judged as each of them would
 * read it. Pure; nothing here says which reading is right. */
#ifndef HTTP_READINGS_H
#define HTTP_READINGS_H

#include "http/uri.h"

#define READINGS_MAX 24u
#define READINGS_PATH_MAX 4096u
#define READINGS_BYTES_MAX 12288u /* of all readings but the first together: a bound on the work */

typedef struct Readings {
    size_t count;    /* at least 1; the first is the path as it was written */
    size_t shortest; /* the same one for all paths that have the same readings */
    Str list[READINGS_MAX];
} Readings;

typedef enum ReadingsVerdict {
    READINGS_FOUND,
    READINGS_SEPARATOR, /* a backslash, plain or encoded */
    READINGS_CONTROL,   /* an encoded control character or NUL */
    READINGS_ESCAPE,    /* a malformed escape */
    READINGS_ENDLESS    /* no list can be made: more than one of these bounds, or than fits; or a
                         * reading that climbs above the root or holds, once decoded, a backslash,
                         * a control character, an escape of %u or an overlong form of UTF-8, which
                         * servers read as they please */
} ReadingsVerdict;

/* Whether a path has one reading, itself: nothing to decode, no "/.", no "//", no ';', nothing that
 * RFC 3986 does not admit to a path; true for "*". */
bool readings_is_one(Str path);

/* Finds the readings of a path that starts with a slash: what comes out of every sequence of these
 * steps, each as often as it changes something: decode all escapes; all but "%2F"; only those of
 * unreserved characters; resolve dot segments (RFC 3986 §5.2.4); the same where "%2E" is a dot,
 * too; make one slash of several; leave out ";..." of each segment; end at a '?' or '#' that was
 * encoded.
 *
 * They are spelled as rules are: escapes in upper case, and each byte that RFC 3986 does not admit
 * to a path escaped. The slices lie in `scratch`. */
ReadingsVerdict readings_find(Str path, Span scratch, Readings *ret);

/* Writes a path in that spelling. */
void readings_spell(Str path, Text *out);

#endif
