/* source_map.c - looks up pieces by binary search. */
#include "kdl/source_map.h"

#include "base/number.h"

/* The last piece that begins at or before `at`. */
static size_t find_piece(const SourceMap *map, uint32_t at)
{
    size_t low = 0;
    size_t high = map->piece_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (map->pieces[middle].from <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

SourcePlace source_place(const SourceMap *map, Str name, Str text, Location at)
{
    if (!map || map->piece_count == 0) {
        return (SourcePlace){.file = {.name = name, .text = text}, .location = at};
    }
    size_t i = find_piece(map, at.from);
    const SourcePiece *piece = &map->pieces[i];
    SourcePlace place = {.file = map->files[piece->file], .location = at};
    place.location.from = piece->offset + (at.from - piece->from);
    if (i + 1 < map->piece_count) {
        place.location.len = (uint32_t)size_min(at.len, map->pieces[i + 1].from - at.from);
    }
    return place;
}

Err source_map_copy(Arena *a, const SourceMap *map, SourceMap *ret)
{
    SourceFile *files = arena_array(a, SourceFile, map->file_count + 1);
    SourcePiece *pieces = arena_array(a, SourcePiece, map->piece_count + 1);
    if (!files || !pieces) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < map->file_count; i++) {
        if (!arena_copy(a, map->files[i].name, &files[i].name) ||
            !arena_copy(a, map->files[i].text, &files[i].text)) {
            return ERR_MEMORY;
        }
    }
    for (size_t i = 0; i < map->piece_count; i++) {
        pieces[i] = map->pieces[i];
    }
    *ret = (SourceMap){.file_count = map->file_count, .piece_count = map->piece_count};
    ret->files = files;
    ret->pieces = pieces;
    return ERR_OK;
}
