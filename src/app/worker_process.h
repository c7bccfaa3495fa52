/* worker_process.h - the worker process from birth to exit.
 *
 * It starts with nothing (child.h). Its first thread receives the configuration (worker_orders.h),
 * starts the others, then serves the channel to the supervisor; it never touches traffic. The cage
 * closes before the threads start to serve. */
#ifndef APP_WORKER_PROCESS_H
#define APP_WORKER_PROCESS_H

#include "app/child.h"

/* Does not return. Exits if the supervisor is gone before it serves. */
_Noreturn void worker_process_run(const ChildStart *start);

#endif
