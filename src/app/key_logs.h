/* key_logs.h - the files that TLS session secrets are written to, for debugging.
 *
 * Anyone with such a file can read the traffic. So it is a regular file owned by River's user,
 * readable by nobody else, with a single link; a symbolic link in its place is not followed. Only
 * the supervisor opens them; workers keep using the descriptor numbers from their start. */
#ifndef APP_KEY_LOGS_H
#define APP_KEY_LOGS_H

#include "base/arena.h"
#include "base/text.h"
#include "config/settings.h"

typedef struct KeyLog {
    int fd;
    Str path;
} KeyLog;

typedef struct KeyLogs {
    size_t count;
    KeyLog *files COUNTED_BY(count); /* each file once */
    size_t listener_count;
    int *fds COUNTED_BY(listener_count); /* one per listener, among those of `files`; -1: none */
} KeyLogs;

/* Opens the key logs that the listeners name, allocated in the arena; listeners with the same file
 * share it. On failure `why` names the file and the error, and the caller closes *ret. */
MUST_USE Err key_logs_open(Arena *a, const Settings *settings, KeyLogs *ret, Text *why);
/* Reopens a file that has been moved away, under the same descriptor number, or leaves it as it
 * was. */
MUST_USE Err key_log_reopen(const KeyLog *file, Text *why);
/* Replaces the file of that path by `fd`, which this closes; no-op if there is none. For a worker,
 * which may not open files. */
void key_logs_replace(const KeyLogs *k, Str path, int fd);
void key_logs_close(KeyLogs *k);

#endif
