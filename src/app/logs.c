/* logs.c - opens the destinations of log lines. */
#include "app/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define LOG_FILE_MODE 0640

static Err open_file(Str path, int *ret, Text *why)
{
    char name[PATH_MAX];
    TRY(str_to_c(path, span_of(name, sizeof name)));
    int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, LOG_FILE_MODE);
    if (fd < 0) {
        Err err = err_from_errno(errno);
        text_format(why, "cannot open the log %s: %s%s", name,
                    err == ERR_MISSING ? "its directory does not exist" : err_sentence(err),
                    err == ERR_MISSING  ? "; make it, or correct `log` in `system`"
                    : err == ERR_DENIED ? "; River opens it as the user who starts it"
                                        : "");
        return err;
    }
    *ret = fd;
    return ERR_OK;
}

/* Duplicates a standard stream. */
static Err duplicate_standard(int standard, int *ret)
{
    int fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    *ret = fd;
    return ERR_OK;
}

static Err open_place(LogPlace place, Str path, bool files_only, int *ret, Text *why)
{
    *ret = -1;
    switch (place) {
    case LOG_PLACE_FILE:
        return open_file(path, ret, why);
    case LOG_PLACE_STDOUT:
        return files_only ? ERR_OK : duplicate_standard(STDOUT_FILENO, ret);
    case LOG_PLACE_STDERR:
        return files_only ? ERR_OK : duplicate_standard(STDERR_FILENO, ret);
    case LOG_PLACE_OFF:
        return ERR_OK;
    }
    return ERR_OK;
}

static Err open_both(const LogSettings *s, bool files_only, Logs *ret, Text *why)
{
    Logs logs = LOGS_NONE;
    Err err = open_place(s->error, s->error_path, files_only, &logs.fds[LOG_TO_ERROR], why);
    if (err == ERR_OK) {
        err = open_place(s->access, s->access_path, files_only, &logs.fds[LOG_TO_ACCESS], why);
    }
    if (err != ERR_OK) {
        logs_close(&logs);
        return err;
    }
    *ret = logs;
    return ERR_OK;
}

Err logs_open(const LogSettings *settings, Logs *ret, Text *why)
{
    return open_both(settings, false, ret, why);
}

Err logs_reopen(const LogSettings *settings, Logs *ret, Text *why)
{
    return open_both(settings, true, ret, why);
}

void logs_close(Logs *logs)
{
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (logs->fds[i] >= 0) {
            (void)close(logs->fds[i]);
            logs->fds[i] = -1;
        }
    }
}

LogLevel logs_level(const LogSettings *settings)
{
    switch (settings->error_level) {
    case ERROR_LEVEL_ERROR:
        return LOG_ERROR;
    case ERROR_LEVEL_WARN:
        return LOG_WARN;
    case ERROR_LEVEL_INFO:
        return LOG_INFO;
    case ERROR_LEVEL_DEBUG:
        return LOG_DEBUG;
    }
    return LOG_INFO;
}
