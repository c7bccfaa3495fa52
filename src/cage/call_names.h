/* call_names.h - the names of system calls, for people who read the log. The table is made while
 * building (call_names.py). */
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
