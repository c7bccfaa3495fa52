/* section.h - reading options of a checked document, each with the schema's default as its
 * fallback.
 *
 * A section is a node beside its part of the schema; a node that is not written reads as one that
 * holds nothing. Only for documents in which check.c found no mistake. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include "config/schema.h"
#include "kdl/kdl.h"

typedef struct Section {
    const SchemaNode *schema;
    const KdlNode *node; /* NULL: not written */
} Section;

typedef struct Option {
    const SchemaItem *item;
    const KdlEntry *entry; /* NULL: not written, the default holds */
} Option;

/* The first child of that name. The schema must know it. */
Section section_child(Section s, Str name);
/* The first argument of a node, and a property of it. */
Option section_value(Section s);
Option section_property(Section s, Str name);

/* What is written, else the default; a text without default is empty. */
Str option_text(Option o);
uint64_t option_number(Option o);
bool option_bool(Option o);
/* The word's position among "a|b|c": the enums are in the order of the schema. */
unsigned option_choice(Option o);

/* Of the child that is an option with one argument. */
static inline Option section_option(Section s, Str name)
{
    return section_value(section_child(s, name));
}

static inline uint64_t section_number(Section s, Str name)
{
    return option_number(section_option(s, name));
}

static inline bool section_bool(Section s, Str name)
{
    return option_bool(section_option(s, name));
}

static inline Str section_text(Section s, Str name)
{
    return option_text(section_option(s, name));
}

#endif
