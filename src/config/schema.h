/* schema.h - the grammar of River's configuration as data: one table for everything.
 *
 * What is checked (check.c), what the defaults are (fill.c), what `river defaults` prints and what
 * the manual's reference says (describe.c) all come from here, so that nothing can be in one and
 * not in the others. It must not know how a value is checked or used. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "base/schema.h"

/* The whole document; its children are the top level sections. */
extern const SchemaNode schema_root;
/* Parts of it that live in files of their own. */
extern const SchemaNode schema_system;
extern const SchemaNode schema_acme;
extern const SchemaNode schema_tls;
extern const SchemaNode schema_service;
extern const SchemaNode schema_connectors;
extern const SchemaNode schema_path_control;
extern const SchemaNode schema_rate_limiting;
extern const SchemaNode schema_normalization;
extern const SchemaNode schema_route_normalization;
extern const SchemaNode schema_respond;
extern const SchemaNode schema_redirect;
extern const SchemaNode schema_routes;
extern const SchemaNode schema_file_server;
extern const SchemaNode schema_error_page;

#define SCHEMA_CHILDREN_MAX 32u /* of one node (check.c remembers the first of each) */

/* The child at `i`, below child_count. */
const SchemaNode *schema_at(const SchemaNode *node, size_t i);
/* Its position among the children; child_count if there is none. */
size_t schema_index(const SchemaNode *node, Str name);
/* The child with that name, or the one whose name is data; NULL for neither. */
const SchemaNode *schema_child(const SchemaNode *node, Str name);
const SchemaItem *schema_property(const SchemaNode *node, Str name);
const SchemaNode *schema_variant(const SchemaNode *node, Str name);
/* The variant at `i`, below variant_count. */
const SchemaNode *schema_variant_at(const SchemaNode *node, size_t i);
/* The name under which the manual knows the type, and what a value of it is. */
Str schema_type_name(SchemaType type);
Str schema_type_takes(SchemaType type);
/* Whether values of the type may have variables in them (variable.h). */
bool schema_type_varies(SchemaType type);

/* Whether `word` is one of "a|b|c". */
bool schema_has_choice(Str choices, Str word);
/* Cuts the next word off "a|b|c"; false at the end. */
bool schema_next_choice(Str *choices, Str *ret_word);

#endif
