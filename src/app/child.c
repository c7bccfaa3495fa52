/* child.c - the table of kinds. */
#include "app/child.h"

#include "app/worker_process.h"

const ChildKind child_kinds[CHILD_KINDS] = {
    [CHILD_WORKER] = {.name = S_INIT("worker"), .main = worker_process_run},
};
