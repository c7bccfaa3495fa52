/* fill.h - from a checked document to Settings (internal to the room). */
#ifndef CONFIG_FILL_H
#define CONFIG_FILL_H

#include "config/section.h"
#include "config/settings.h"

typedef struct Filler {
    Arena *arena;
    Str text;
    size_t counted; /* lines are counted up to here, so that places cost one pass in all */
    uint32_t line;
} Filler;

/* Fills everything in; the document has no mistake. ERR_MEMORY only. */
MUST_USE Err fill_settings(Arena *a, Str text, const KdlDocument *document, const Settings **ret);

/* One service; `section` is its node. */
MUST_USE Err fill_service(Filler *f, Section section, ServiceSettings *ret);
/* The line of a position. */
uint32_t fill_line(Filler *f, size_t at);

#endif
