/* river_toml.h - a TOML document as a walk over its parts, each with its place in the text
 * (deps/src/toml.rs). */
#ifndef RIVER_TOML_H
#define RIVER_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum river_toml_kind {
    RIVER_TOML_TABLE_OPEN, /* its entries follow, then RIVER_TOML_TABLE_CLOSE */
    RIVER_TOML_TABLE_CLOSE,
    RIVER_TOML_ARRAY_OPEN, /* its items follow, without keys, then RIVER_TOML_ARRAY_CLOSE */
    RIVER_TOML_ARRAY_CLOSE,
    RIVER_TOML_STRING,
    RIVER_TOML_INTEGER,
    RIVER_TOML_FLOAT,
    RIVER_TOML_BOOLEAN,
    RIVER_TOML_DATE_TIME,
    RIVER_TOML_MISTAKE /* `text` says what is wrong, from..to where; these come first */
} river_toml_kind;

/* Valid during the callback. All places are byte offsets into the document. */
typedef struct river_toml_event {
    river_toml_kind kind;
    const char *key; /* one key, not a path: "a.b = 1" is a table "a" that holds "b" */
    size_t key_bytes;
    size_t key_from;
    size_t key_to; /* 0, like key_from: an item of an array, which has no key */
    size_t from;   /* of the value; of the header line's [brackets] for tables that have one */
    size_t to;
    const char *text; /* a string's content, a number's digits, a date as written */
    size_t text_bytes;
    uint32_t radix; /* of an integer's digits: 2, 8, 10 or 16 */
    bool truth;     /* of a boolean */
} river_toml_event;

/* Calls back for each mistake and then for each part that could be read, in the order of the text
 * as far as TOML has one. True: there are no mistakes. */
bool river_toml_walk(const char *text, size_t bytes,
                     void (*callback)(void *context, const river_toml_event *event),
                     void *context);

#endif
