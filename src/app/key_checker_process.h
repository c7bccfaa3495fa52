/* key_checker_process.h - the helper that sees private keys while a configuration is read, and
 * answers the supervisor's questions about them (key_checker.h). */
#ifndef APP_KEY_CHECKER_PROCESS_H
#define APP_KEY_CHECKER_PROCESS_H

#include "app/child.h"

_Noreturn void key_checker_process_run(const ChildStart *start);

#endif
