/* kdl.h - documents of the KDL language, versions 1 and 2, as a tree with places (kdl.dev).
 *
 * The tree lies in an arena and points into the text. It does not know about River's options. */
#ifndef KDL_KDL_H
#define KDL_KDL_H

#include "kdl/diagnostic.h"

#define KDL_DEPTH_MAX 64u       /* children blocks within each other */
#define KDL_TEXT_BYTES_MAX (16u << 20)
#define KDL_PROPERTIES_MAX 1000u /* of one node */
#define KDL_ITEMS_MAX 1000000u  /* nodes, arguments and properties of one document */

typedef enum KdlKind {
    KDL_STRING,
    KDL_INTEGER,
    KDL_FLOAT, /* with a fraction or exponent, or #inf and its like */
    KDL_BOOL,
    KDL_NULL
} KdlKind;

typedef struct KdlValue {
    KdlKind kind;
    bool has_type;
    bool truth; /* of KDL_BOOL */
    bool fits;  /* of KDL_INTEGER: not negative, and `number` holds it */
    Str type;
    Location location; /* with its type annotation */
    Str text; /* the string, or the number's canonical text, exact whatever its size */
    uint64_t number;
    Str based; /* version 1 of an integer in base 2, 8 or 16: its plainest text in that base, which
                * is printed; empty: `text` is */
} KdlValue;

/* An argument or a property. */
typedef struct KdlEntry {
    struct KdlEntry *next;
    bool is_property;
    bool overridden; /* a later property of the same node has this name */
    Str name;
    Location name_at;
    KdlValue value;
} KdlEntry;

typedef struct KdlNode {
    struct KdlNode *next;
    bool has_type;
    Str type;
    Str name;
    Location name_at;
    Location whole; /* from the name to what ends the node; empty: not known */
    KdlEntry *entries; /* in the order of the text */
    bool has_children; /* a block is there, maybe an empty one */
    struct KdlNode *children;
    bool ends_line; /* the end of a line ended it, and is its text's last byte */
    uint32_t same; /* of a text that was read again: one more than the place among its siblings of
                    * the node before that has the same text; 0: it is new */
} KdlNode;

typedef struct KdlDocument {
    int version; /* 1 or 2: as which it was read */
    Str text;
    Location not_two; /* where version 2 was tried, the first mistake in it */
    size_t items;     /* nodes, arguments and properties that were read */
    KdlNode *nodes;
} KdlDocument;

/* Reads `text`, whose mistakes go to `d` (in the order of the text). `version` 1 or 2; 0: a version
 * marker in the first line decides, else 2 and then 1 are tried and, when both fail, `d` gets the
 * mistakes of the one that got further. ERR_SYNTAX when there are mistakes, ERR_MEMORY. */
MUST_USE Err kdl_parse(Arena *a, Str text, int version, Diagnostics *d, KdlDocument *ret);

/* The version that a first line "/- kdl-version N" names; 0 if there is none. */
int kdl_marked_version(Str text);

/* Length of the byte order mark at the start; 0 if there is none. */
static inline size_t kdl_bom_bytes(Str text)
{
    return str_starts(text, S("\xEF\xBB\xBF")) ? 3 : 0;
}

/* Reads a text that differs from that of `before` only in places. The children of the top-level
 * node `within` whose text is the same are not read again: they are copies (`same`), but what is
 * below them is `before`'s, which must live as long, and the locations there are of its text.
 * ERR_AGAIN: there is a mistake in it, or something that only reading all of it can tell.
 * ERR_MEMORY. */
MUST_USE Err kdl_parse_again(Arena *a, Str text, const KdlDocument *before, Str within,
                             Diagnostics *d, KdlDocument *ret);

/* The text of a node that was read from the document's; empty for NULL. */
Str kdl_text(const KdlDocument *document, const KdlNode *node);

/* Writes the document in canonical form: comments gone, four spaces of indent, properties sorted
 * and without the overridden ones, names without needless quotes, plain decimal numbers. */
MUST_USE Err kdl_print(Arena *a, const KdlDocument *document, Text *out);

#endif
