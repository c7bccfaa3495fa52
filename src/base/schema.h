/* schema.h - how a grammar of options is written down as data: nodes, their values and their words.
 *
 * The configuration's tables (room config) are made of these, and a filter declares its own options
 * with them (room filter). What the tables say is checked, described and filled in by `config`. */
#ifndef BASE_SCHEMA_H
#define BASE_SCHEMA_H

#include "base/str.h"

/* type, whether values may have variables, how a manual names it, what it needs in a sentence
 * "`x` takes …" */
#define SCHEMA_TYPE_TABLE(X)                                                                       \
    X(BOOL, true, "bool", "true or false")                                                         \
    X(INTEGER, true, "integer", "an integer")                                                      \
    X(TEXT, true, "text", "a string")                                                              \
    X(NAME, true, "name", "a string that is not empty")                                            \
    X(PATTERN, false, "pattern", "a regular expression")                                           \
    X(CHOICE, false, "word", "one of its words")                                                   \
    X(PATH, true, "absolute path", "an absolute path")                                             \
    X(FILE, true, "path", "a path")                                                                \
    X(ADDRESS, true, "address",                                                                    \
      "\"IP:PORT\", \"[IPV6]:PORT\" or the absolute path of a Unix socket")                    \
    X(CIDRS, true, "addresses", "a comma-separated list of addresses and prefixes")                \
    X(CIDRS_FILE, true, "path", "a path")                                                          \
    X(FIELD_NAME, false, "field name", "the name of a header field")                               \
    X(FILTER_FIELD, false, "field name", "the name of a header field")                             \
    X(FIELD_VALUE, true, "field value", "the value of a header field")                             \
    X(AUTHORITY, true, "host[:port]", "a host name, maybe with a port")                            \
    X(HOST, true, "host", "a host name or address, without a port")                                \
    X(HOSTS_PATTERN, true, "host", "a host name, or \"*.\" and a name for all names below it")     \
    X(URI, true, "URI", "a URI, percent-encoded")                                                  \
    X(URI_PATH, true, "URI path", "the path of a URI, percent-encoded")                            \
    X(METHODS, false, "methods", "a comma-separated list of methods")                              \
    X(MODE, true, "octal mode", "an octal mode like \"0660\"")                                     \
    X(ACCESS_PLACE, true, "log place", "\"off\", \"stdout\", \"stderr\" or an absolute path")      \
    X(ERROR_PLACE, true, "log place", "\"stderr\" or an absolute path")                            \
    X(TOKEN, false, "protocol", "the name of a protocol")                                          \
    X(TLS_VERSION, false, "TLS version", "a version of TLS")                                       \
    X(TLS_SUITE, false, "cipher suite", "the name of a cipher suite")                              \
    X(TLS_GROUP, false, "group", "the name of a key exchange group")

typedef enum SchemaType {
#define X(name, varies, manual, takes) SCHEMA_##name,
    SCHEMA_TYPE_TABLE(X)
#undef X
} SchemaType;

enum {
    SCHEMA_REQUIRED = 1,    /* must be written */
    SCHEMA_REPEATED = 2,    /* a node may be repeated; of an item: one or more arguments */
    SCHEMA_LATER = 4,       /* checked, then refused: "not supported yet" */
    SCHEMA_ANY_NAME = 8,    /* the node's name is data of `name_type`; `name` says what it is */
    SCHEMA_ALTERNATIVE = 16, /* replaces another node: a comment in `river defaults` */
    SCHEMA_SHOWN = 32, /* of an item without default: written in `river defaults` all the same */
    SCHEMA_OPTIONAL = 64 /* of the last argument: it may be left out */
};

/* An argument or a property. */
typedef struct SchemaItem {
    Str name; /* of an argument: the word that stands for it in the manual */
    SchemaType type;
    unsigned flags;
    uint64_t min; /* of integers, both inclusive */
    uint64_t max;
    Str choices;       /* of CHOICE: "a|b|c" */
    Str later_choices; /* valid, but not supported yet */
    Str later_except;  /* with SCHEMA_LATER: this value changes nothing, so it is accepted */
    Str fallback;      /* the default as text; empty: none */
    Str sample;        /* a value to show where there is no default */
    Str sentence;
} SchemaItem;

typedef struct SchemaNode SchemaNode;
struct SchemaNode {
    Str name;
    unsigned flags;
    SchemaType name_type;
    Str sample; /* with SCHEMA_ANY_NAME: a name to show */
    Str sentence;
    size_t argument_count;
    const SchemaItem *arguments COUNTED_BY(argument_count);
    size_t property_count;
    const SchemaItem *properties COUNTED_BY(property_count);
    size_t child_count;
    const SchemaNode *children COUNTED_BY(child_count);
    /* A node with variants takes what the variant named by `variant_key` takes; the key is a
     * property, or when empty the first argument. Variants have no arguments of their own. */
    Str variant_key;
    size_t variant_count;
    const SchemaNode *variants COUNTED_BY(variant_count);
    const SchemaNode *link; /* this child or variant is that one, defined in another file */
};

/* Initialisers for the tables. */
#define SCHEMA_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ITEM_BOOL(n, standard, why)                                                                \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_BOOL, .fallback = S_INIT(standard),                      \
        .sentence = S_INIT(why)                                                                    \
    }
#define ITEM_NUMBER(n, low, high, standard, why)                                                   \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_INTEGER, .min = (low), .max = (high),                    \
        .fallback = S_INIT(standard), .sentence = S_INIT(why)                                      \
    }
#define ITEM_CHOICE(n, words, later, standard, why)                                                \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_CHOICE, .choices = S_INIT(words),                        \
        .later_choices = S_INIT(later), .fallback = S_INIT(standard), .sentence = S_INIT(why)      \
    }
/* A value without default; `example` shows one. */
#define ITEM_VALUE(n, kind, marks, example, why)                                                   \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_##kind, .flags = (marks), .max = UINT64_MAX,             \
        .sample = S_INIT(example), .sentence = S_INIT(why)                                         \
    }
#define ITEM_NEEDED_NUMBER(n, low, high, example, why)                                             \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_INTEGER, .flags = SCHEMA_REQUIRED, .min = (low),         \
        .max = (high), .sample = S_INIT(example), .sentence = S_INIT(why)                          \
    }
#define ITEM_OPTIONAL_NUMBER(n, low, high, example, why)                                           \
    {                                                                                              \
        .name = S_INIT(n), .type = SCHEMA_INTEGER, .min = (low), .max = (high),                    \
        .sample = S_INIT(example), .sentence = S_INIT(why)                                         \
    }
/* A node with one argument. */
#define OPTION(n, marks, why, ...)                                                                 \
    {                                                                                              \
        .name = S_INIT(n), .flags = (marks), .sentence = S_INIT(why), .argument_count = 1,         \
        .arguments = (const SchemaItem[]) { __VA_ARGS__ }                                          \
    }
#define OPTION_BOOL(n, standard, why)                                                              \
    OPTION(n, 0, why, ITEM_BOOL("BOOL", standard, ""))
#define OPTION_NUMBER(n, low, high, standard, why)                                                 \
    OPTION(n, 0, why, ITEM_NUMBER("N", low, high, standard, ""))
#define OPTION_TEXT(n, kind, example, why)                                                         \
    OPTION(n, 0, why, ITEM_VALUE("\"TEXT\"", kind, 0, example, ""))
/* A node with children only. */
#define SECTION(n, marks, why, list)                                                               \
    {                                                                                              \
        .name = S_INIT(n), .flags = (marks), .sentence = S_INIT(why),                              \
        .child_count = SCHEMA_COUNT(list), .children = (list)                                      \
    }

#define LINK(node)                                                                                 \
    {                                                                                              \
        .link = &(node)                                                                            \
    }

#define SCHEMA_MS_MAX 86400000u /* a day */
#define SCHEMA_COUNT_MAX 10000000u
#define SCHEMA_BYTES_MAX (UINT64_C(1) << 50)

#endif
