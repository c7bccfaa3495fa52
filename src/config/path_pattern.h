/* path_pattern.h - paths of included files: joined to directories, and with wildcards in their last
 * part (internal to the room). */
#ifndef CONFIG_PATH_PATTERN_H
#define CONFIG_PATH_PATTERN_H

#include "base/arena.h"
#include "base/text.h"

/* Whether there is a `*` or `?`. */
bool path_has_wildcard(Str text);
/* The length of a path's directory, with its slash; 0: it has none. */
size_t path_directory_len(Str path);
/* Both texts in one. ERR_MEMORY only. */
MUST_USE Err path_join(Arena *a, Str directory, Str rest, Str *ret);
/* Moves the names that match to the front, in the order of their bytes; gives their number. In the
 * pattern `*` is any bytes and `?` one. */
size_t path_pattern_select(Str *names, size_t count, Str pattern);

#endif
