/* range.h - which bytes of a representation a Range field asks for (RFC 9110 §14).
 *
 * What is answered is bounded whatever was asked: at most RANGES_MAX parts, no byte twice. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/str.h"

#define RANGES_MAX 16u       /* members of a field; a field with more is ignored */
#define RANGE_GAP_BYTES 128u /* a gap up to this costs less than the head of another part */

/* The bytes [from, to). */
typedef struct ByteRange {
    uint64_t from;
    uint64_t to;
} ByteRange;

typedef struct Ranges {
    size_t count;
    ByteRange list[RANGES_MAX]; /* in the order of asking, no two overlap or touch */
} Ranges;

typedef enum RangeVerdict {
    RANGE_IGNORED,      /* the whole representation is the answer: 200 */
    RANGE_SATISFIED,    /* 206 */
    RANGE_UNSATISFIABLE /* no member names a byte that is there: 416 */
} RangeVerdict;

/* Judges the value of one Range field against a representation of `size` bytes. Another unit than
 * bytes, a value that breaks the grammar, and more than RANGES_MAX members are ignored, as RFC 9110
 * §14.2 allows. Positions of any length are read: beyond 64 bits they are beyond every end. */
RangeVerdict range_judge(Str value, uint64_t size, Ranges *ret);

#endif
