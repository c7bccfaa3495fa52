/* command_help.h - what is made from the tables of commands and flags: help, the manual page, and
 * completions. Pure. */
#ifndef APP_COMMAND_HELP_H
#define APP_COMMAND_HELP_H

#include "base/text.h"

#define COMMAND_HELP_BYTES_MAX 65536u /* enough for each of them */

/* `river help [TOPIC]`; `colour` adds terminal escapes. The topic is a command, or empty. */
void command_help(Str topic, bool colour, Text *out);
/* `river man`: in roff, with the macros of man(7). */
void command_man(Text *out);
/* `river completion`: a script for that shell. ERR_UNSUPPORTED: it is none that River knows. */
MUST_USE Err command_complete(Str shell, Text *out);

#endif
