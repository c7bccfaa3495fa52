/* toml.h - configurations in the format of River 0.2 (TOML), read as if they were KDL.
 *
 * The tree that comes out is the one that kdl_parse would make of the same configuration in KDL,
 * its places pointing into the TOML text: everything after this is one path. */
#ifndef CONFIG_TOML_H
#define CONFIG_TOML_H

#include "config/load.h"
#include "kdl/kdl.h"

/* `version` is what kdl_print shall write the tree as (1 or 2). With `compat`, keys that River
 * ignored are warnings. Errors as of kdl_parse. */
MUST_USE Err toml_parse(Arena *a, Str text, int version, ConfigCompat compat, Diagnostics *d,
                        KdlDocument *ret);

#endif
