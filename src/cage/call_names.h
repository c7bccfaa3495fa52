/* call_names.h - names of system calls, for the log. The build generates the table
 * (call_names.py). */
#ifndef CAGE_CALL_NAMES_H
#define CAGE_CALL_NAMES_H

#include "base/str.h"

typedef struct CallName {
    uint32_t number;
    Str name;
} CallName;

extern const CallName call_names[]; /* sorted by number */
extern const size_t call_name_count;

#endif
