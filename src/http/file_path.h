/* file_path.h - from a request's path to the path of a file below a root, and back. Pure. */
#ifndef HTTP_FILE_PATH_H
#define HTTP_FILE_PATH_H

#include "base/text.h"

typedef enum FilePathVerdict {
    FILE_PATH_PLAIN,     /* names a file or directory, in its one spelling */
    FILE_PATH_DOUBLED,   /* the same with slashes that are repeated, which were left out */
    FILE_PATH_IMPOSSIBLE /* names no file that may be served: NUL, an encoded slash, a backslash,
                            a dot segment, a malformed escape */
} FilePathVerdict;

typedef struct FilePath {
    FilePathVerdict verdict;
    bool directory; /* it ends with a slash (or is empty: the root itself) */
    bool hidden;    /* a segment begins with a dot */
} FilePath;

/* Decodes `path` (it begins with a slash) once, and writes it relative: without the first slash and
 * without one at its end. Escapes are decoded exactly once; what would be a separator or a dot
 * segment after that is refused, not interpreted. `out` has room for path.len bytes. */
FilePath file_path_decode(Str path, Text *out);

/* Writes a decoded path as part of a URI: everything but unreserved bytes, sub-delims, ":", "@" and
 * "/" is escaped (RFC 3986 §3.3). */
void file_path_encode(Str decoded, Text *out);

#endif
