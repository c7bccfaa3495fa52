/* worker_process.h - the worker as a process: from its birth to its exit.
 *
 * It is born with nothing (child.h). Its first thread hears what to serve by (worker_orders.h),
 * starts the others, then serves the channel to the supervisor; it never touches traffic. The cage
 * closes before the threads start. */
#ifndef APP_WORKER_PROCESS_H
#define APP_WORKER_PROCESS_H

#include "app/child.h"

/* For the rest of its life. Without a supervisor it ends before it serves. */
_Noreturn void worker_process_run(const ChildStart *start);

#endif
