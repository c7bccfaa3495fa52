/* describe_tasks.h - the option reference by task: which sections belong together, with an
 * example. */
#ifndef CONFIG_DESCRIBE_TASKS_H
#define CONFIG_DESCRIBE_TASKS_H

#include "base/str.h"

typedef struct Task {
    Str title;
    Str sentence;
    Str example; /* a whole configuration; tests/e2e/manual_test.py checks it */
    Str paths;   /* of its sections and all below them, "a|b"; the longest path that fits decides */
} Task;

extern const Task tasks[];
extern const size_t task_count;

/* The task that the section at `path` belongs to: the first if no path fits. */
const Task *task_of(Str path);

#endif
