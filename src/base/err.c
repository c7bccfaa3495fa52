/* err.c - sentences of errors, and the one place that translates errno. */
#include "base/err.h"

#include <errno.h>

#include "base/check.h"

bool check_soft_traps = HAVE_ASAN;

const char *err_sentence(Err err)
{
    switch (err) {
#define X(name, sentence)                                                                          \
    case ERR_##name:                                                                               \
        return sentence;
        ERR_TABLE(X)
#undef X
    }
    return "unknown error";
}

Err err_from_errno(int number)
{
    static const struct {
        int number;
        Err err;
    } table[] = {
        {0, ERR_OK},
        {EAGAIN, ERR_AGAIN},
        {EINPROGRESS, ERR_AGAIN},
        {EINTR, ERR_AGAIN},
        {EPIPE, ERR_CLOSED},
        {ECONNRESET, ERR_RESET},
        {ECONNABORTED, ERR_RESET},
        {ECONNREFUSED, ERR_REFUSED},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EHOSTUNREACH, ERR_UNREACHABLE},
        {ENETUNREACH, ERR_UNREACHABLE},
        {EMFILE, ERR_DESCRIPTORS},
        {ENFILE, ERR_DESCRIPTORS},
        {ENOMEM, ERR_MEMORY},
        {ENOBUFS, ERR_MEMORY},
        {EEXIST, ERR_EXISTS},
        {EADDRINUSE, ERR_EXISTS},
        {ENOENT, ERR_MISSING},
        {EACCES, ERR_DENIED},
        {EPERM, ERR_DENIED},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].number == number) {
            return table[i].err;
        }
    }
    return ERR_SYSTEM;
}
