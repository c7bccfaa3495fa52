/* logs.h - opens the log files: at the start, and again after log rotation (SIGUSR1).
 *
 * Only the supervisor opens them; the caged worker gets descriptors. */
#ifndef APP_LOGS_H
#define APP_LOGS_H

#include "base/text.h"
#include "config/settings.h"
#include "loop/log.h"

typedef struct Logs {
    int fds[LOG_STREAMS]; /* -1: off */
} Logs;

#define LOGS_NONE ((Logs){.fds = {-1, -1}})

/* Opens both as the settings say; standard output and error are duplicated. On failure nothing
 * stays open and `why` names the file. */
MUST_USE Err logs_open(const LogSettings *settings, Logs *ret, Text *why);
/* Reopens those that are files; other streams are -1 in *ret. */
MUST_USE Err logs_reopen(const LogSettings *settings, Logs *ret, Text *why);
void logs_close(Logs *logs);

LogLevel logs_level(const LogSettings *settings);

#endif
