/* child.c - the table of child kinds. */
#include "app/child.h"

#include "app/breakin.h"
#include "app/key_checker_process.h"
#include "app/worker_process.h"

static const ChildKind worker = {
    .name = S_INIT("worker"), .process = "river", .main = worker_process_run};

static const ChildKind key_checker = {.name = S_INIT("key checker"),
                                      .process = "river-keys",
                                      .main = key_checker_process_run};

const ChildKind *const child_kinds[CHILD_KINDS] = {
    [CHILD_WORKER] = &worker,
    [CHILD_KEY_CHECKER] = &key_checker,
    [CHILD_TRIAL] = &breakin_trial,
};
