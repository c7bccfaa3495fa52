/* terminal.h - whether output may be coloured. */
#ifndef APP_TERMINAL_H
#define APP_TERMINAL_H

#include <stdbool.h>

/* Only on a terminal that is not dumb, and not with NO_COLOR set to anything (no-color.org). */
bool terminal_colour(int fd);

#endif
