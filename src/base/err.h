/* err.h - how an operation reports that it failed.
 *
 * An `Err` must be looked at. It never describes a bug (that is CHECK) nor a request that went
 * wrong (that is transport/fault.h). Names and sentences come from one table. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compat.h"

#define ERR_TABLE(X)                                                                               \
    X(OK, "no error")                                                                              \
    X(AGAIN, "not now: wait for readiness and try again")                                          \
    X(INCOMPLETE, "more bytes are needed")                                                         \
    X(SYNTAX, "the bytes break the grammar")                                                       \
    X(RANGE, "a number is out of its range")                                                       \
    X(LIMIT, "a configured limit was reached")                                                     \
    X(MEMORY, "no memory left in the budget")                                                      \
    X(FULL, "a bounded queue or table is full")                                                    \
    X(CLOSED, "the peer closed the connection")                                                    \
    X(RESET, "the peer reset the connection")                                                      \
    X(REFUSED, "the peer refused the connection")                                                  \
    X(TIMEOUT, "a deadline passed")                                                                \
    X(UNREACHABLE, "no route to the address")                                                      \
    X(DESCRIPTORS, "no file descriptor left")                                                      \
    X(EXISTS, "the thing exists already")                                                          \
    X(MISSING, "there is no such thing")                                                           \
    X(DENIED, "permission denied")                                                                 \
    X(UNSUPPORTED, "not supported")                                                                \
    X(SYSTEM, "a system call failed")

typedef enum Err {
#define X(name, sentence) ERR_##name,
    ERR_TABLE(X)
#undef X
} Err;

/* Returns from the caller with the error of `expression`, if it has one. The only such macro. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        Err try_err_ = (expression);                                                               \
        if (UNLIKELY(try_err_ != ERR_OK)) {                                                        \
            return try_err_;                                                                       \
        }                                                                                          \
    } while (0)

/* The error's sentence, for logs and diagnostics; a static string. */
const char *err_sentence(Err err);

/* The Err for an errno value of a system call. */
Err err_from_errno(int number);

#endif
