/* number.h - numbers of a KDL document as exact decimal text. */
#ifndef KDL_NUMBER_H
#define KDL_NUMBER_H

#include "base/arena.h"
#include "kdl/lex.h"

#define KDL_NUMBER_BYTES_MAX 1024u /* longer ones are refused: converting them is quadratic */

/* The number's plainest decimal form: no '_', no '+', no needless zeros, "E+10" for "e10".
 * ERR_SYNTAX: not a number (of a legal length); ERR_MEMORY. *ret_float: it has a fraction or an
 * exponent. */
MUST_USE Err kdl_number_canonical(Arena *a, Str word, Str *ret_text, bool *ret_float);

/* The plainest form of an integer in the base in which it is written: "0xff" for "0x00_FF". Empty
 * for base 10, and for what is not a number. ERR_MEMORY only. */
MUST_USE Err kdl_number_based(Arena *a, Str word, Str *ret);

#endif
