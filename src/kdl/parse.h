/* parse.h - reading a text as one version of KDL (internal to the room; see kdl_parse). */
#ifndef KDL_PARSE_H
#define KDL_PARSE_H

#include "kdl/again.h"
#include "kdl/kdl.h"

/* `version` is 1 or 2; `again` (NULL: none) finds nodes that need not be read. ERR_SYNTAX,
 * ERR_LIMIT, ERR_MEMORY as of kdl_parse. */
MUST_USE Err kdl_parse_as(Arena *a, Str text, int version, KdlAgain *again, Diagnostics *d,
                          KdlDocument *ret);

/* In a text that lacks a brace at its end: sets *io to the one that opens the block which is not
 * closed, if the indentation tells, and gives the help. */
Str kdl_find_unclosed(Str text, int version, Location *io);

#endif
