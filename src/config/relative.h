/* relative.h - where relative paths of a configuration lead (internal to the room).
 *
 * They count from the directory of the configuration. River 0.5 counted from the directory where it
 * was started, so what is only there is still used, with a warning. */
#ifndef CONFIG_RELATIVE_H
#define CONFIG_RELATIVE_H

#include "config/check.h"

/* The directory of a configuration, with its slash; empty if that is where River was started. */
Str relative_directory(const ConfigFiles *files, Str file_name);
/* Makes a path that `where` names one from where River was started. False: no memory (noted). */
MUST_USE bool relative_resolve(Checker *c, Str *io_path, Where where);

#endif
