/* conditional.h - the preconditions of a request for a representation (RFC 9110 §13), in the order
 * of §13.2.2. Pure: the caller brings the validators and the time. */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include "http/head.h"

/* What identifies the selected representation, which exists. */
typedef struct Validators {
    Str etag;         /* strong, with its quotes */
    int64_t modified; /* Last-Modified, seconds since 1970 */
} Validators;

typedef enum Condition {
    CONDITION_HOLDS,        /* go on with the method */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED        /* 412 */
} Condition;

/* If-Match, else If-Unmodified-Since; then If-None-Match, else If-Modified-Since. A date that is
 * none, or is repeated, is ignored (§13.1.3, §13.1.4). `now`: for two-digit years. */
Condition conditional_judge(const Fields *fields, Method method, const Validators *v, int64_t now);

/* Whether a Range field counts: there is no If-Range, or it holds (§13.1.5). An entity tag is
 * compared strongly; a date must be the same one and, to be strong, lie before this second
 * (§8.8.2.2). */
bool conditional_range(const Fields *fields, const Validators *v, int64_t now);

/* Whether `etag` (strong) is among the tags of a list; `weak`: by the weak comparison
 * (§8.8.3.2). Stops at the first byte that breaks the grammar. */
bool etag_list_holds(Str list, Str etag, bool weak);

#endif
