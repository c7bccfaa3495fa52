/* apply.h - overrides are checked like the file, and then take the place of what is there. */
#ifndef CONFIG_APPLY_H
#define CONFIG_APPLY_H

#include "config/check.h"

/* Where the override came from: its flag or its variable. */
Str apply_origin(const ConfigOverrides *o, OverrideId id);

/* Checks every override that is set and writes it into the document, making the nodes on its path
 * where they are missing. A wrong one is noted and left out. ERR_MEMORY only. */
MUST_USE Err apply_overrides(Checker *c, Arena *a, const ConfigOverrides *o, KdlDocument *document);

#endif
