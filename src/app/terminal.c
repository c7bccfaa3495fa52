/* terminal.c - whether output may be coloured. */
#include "app/terminal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

bool terminal_colour(int fd)
{
    const char *never = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    bool refused = (never && never[0] != '\0') || (kind && str_equal(str_from_c(kind), S("dumb")));
    return !refused && isatty(fd) == 1;
}
