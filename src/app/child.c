/* child.c - the table of kinds. */
#include "app/child.h"

#include "app/breakin.h"
#include "app/worker_process.h"

static const ChildKind worker = {.name = S_INIT("worker"), .main = worker_process_run};

const ChildKind *const child_kinds[CHILD_KINDS] = {
    [CHILD_WORKER] = &worker,
    [CHILD_TRIAL] = &breakin_trial,
};
