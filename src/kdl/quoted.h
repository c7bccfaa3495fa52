/* quoted.h - what the quoted strings of a KDL document say. */
#ifndef KDL_QUOTED_H
#define KDL_QUOTED_H

#include "base/arena.h"
#include "kdl/lex.h"

/* The value of a string token: a part of `text` where nothing had to be changed, else a copy in the
 * arena. ERR_MEMORY. ERR_SYNTAX: *ret_fault and bytes [*ret_from, *ret_to) say what is wrong. */
MUST_USE Err kdl_string_value(Arena *a, Str text, KdlToken token, int version, Str *ret,
                              KdlFault *ret_fault, size_t *ret_from, size_t *ret_to);

#endif
