/* toml_tree.h - a TOML document as a tree with places, read by a library (deps/).
 *
 * The tree lies in an arena. It does not know about River's options. */
#ifndef CONFIG_TOML_TREE_H
#define CONFIG_TOML_TREE_H

#include "kdl/diagnostic.h"

#define TOML_TEXT_BYTES_MAX (1u << 20)
#define TOML_DEPTH_MAX 32u /* tables and arrays within each other */

typedef enum TomlKind {
    TOML_TABLE,
    TOML_ARRAY,
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_DATE
} TomlKind;

typedef struct TomlItem {
    struct TomlItem *next;
    TomlKind kind;
    Str key;         /* empty: an item of an array */
    Location key_at; /* of an item of an array: where its value is */
    Location place;  /* of the value; of the header for tables that have one */
    Str text;        /* the string; the integer in decimal; else as it is written */
    struct TomlItem *items; /* of tables and arrays */
} TomlItem;

/* Reads `text`, whose mistakes go to `d`. *ret is the document's table. ERR_SYNTAX when there are
 * mistakes, ERR_LIMIT when the text is too long (also said in `d`), ERR_MEMORY. */
MUST_USE Err toml_read(Arena *a, Str text, Diagnostics *d, const TomlItem **ret);

#endif
