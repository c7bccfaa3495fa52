/* cage.c - what of the cage stands already. */
#include "app/cage.h"

#include <errno.h>
#include <sys/prctl.h>

Err cage_enter(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? ERR_OK : err_from_errno(errno);
}
