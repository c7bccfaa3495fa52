/* source_map.h - which file each byte of an assembled text comes from.
 *
 * A configuration may consist of several files and of snippets that are used in many places. They
 * are assembled to one text (config/assemble.h), which is read as if it were one file; the map
 * tells a person where to look. */
#ifndef KDL_SOURCE_MAP_H
#define KDL_SOURCE_MAP_H

#include "base/arena.h"

/* Bytes of a text, by position. */
typedef struct Location {
    uint32_t from;
    uint32_t len;
} Location;

typedef struct SourceFile {
    Str name; /* its path */
    Str text;
} SourceFile;

/* From `from` in the assembled text up to the next piece: the bytes of a file from
 * `offset` on. */
typedef struct SourcePiece {
    uint32_t from;
    uint32_t file;
    uint32_t offset;
} SourcePiece;

typedef struct SourceMap {
    size_t file_count; /* 0: the text is that of one file */
    const SourceFile *files COUNTED_BY(file_count);
    size_t piece_count;
    const SourcePiece *pieces COUNTED_BY(piece_count); /* in the order of the text, from 0 on */
} SourceMap;

typedef struct SourcePlace {
    SourceFile file;
    Location location; /* in the file's text */
} SourcePlace;

/* Where `at` in the assembled text comes from; a location that goes beyond its piece is cut. `map`
 * NULL, or without files: `text` itself, which is that of `name`. */
SourcePlace source_place(const SourceMap *map, Str name, Str text, Location at);

/* A copy with all texts. ERR_MEMORY only. */
MUST_USE Err source_map_copy(Arena *a, const SourceMap *map, SourceMap *ret);

#endif
