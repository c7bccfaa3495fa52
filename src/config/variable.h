/* variable.h - values from outside of the configuration (internal to the room).
 *
 *     {env.NAME}            a variable of the environment; empty is as good as not set
 *     {env.NAME:default}    the same, or this text where it is not set
 *     {file.PATH}           what a file holds, without the newline at its end
 *     {{                    a brace
 *
 * They are replaced in values of the types that take them (schema_type_varies). Elsewhere, and
 * where no known namespace follows, a brace is a brace. A value may hold a secret, so messages show
 * how it is written. */
#ifndef CONFIG_VARIABLE_H
#define CONFIG_VARIABLE_H

#include "config/check.h"

#define VARIABLE_FILE_BYTES_MAX 65536u  /* of a file that is a value */
#define VARIABLE_VALUE_BYTES_MAX 262144u /* of a value with all that is put in */

/* Replaces what there is to replace in a string; *ret_changed tells whether there was anything.
 * False: a mistake was noted. */
MUST_USE bool variable_expand(Checker *c, const SchemaItem *item, KdlValue *value, Where where,
                              bool *ret_changed);

/* Whether all files that were values before hold what they held. */
bool variable_same(const ConfigFiles *files, Arena *a, const Assembly *before);

#endif
