/* key_logs.h - the files that the secrets of TLS sessions are written to, for debugging.
 *
 * Who has such a file can read the traffic. So it is a plain file of River's own user, readable by
 * nobody else, that has no other name: a link that somebody has put in its place is not followed.
 * Only the supervisor opens them; workers go on with the numbers that they got at their start. */
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
    KeyLog *files COUNTED_BY(count); /* each once */
    size_t listener_count;
    int *fds COUNTED_BY(listener_count); /* one for each listener, of those; -1: none */
} KeyLogs;

/* Opens those that the listeners name, in memory of the arena; listeners that name one file share
 * it. On failure `why` says which file and what is wrong; what is in *ret is to be closed. */
MUST_USE Err key_logs_open(Arena *a, const Settings *settings, KeyLogs *ret, Text *why);
/* Opens a file again that somebody has moved away; it keeps its number. On failure it stays. */
MUST_USE Err key_log_reopen(const KeyLog *file, Text *why);
/* Puts `fd` (closed by this) in the place of the file of that path; none has it: nothing more
 * happens. For a worker, who may not open files. */
void key_logs_replace(const KeyLogs *k, Str path, int fd);
void key_logs_close(KeyLogs *k);

#endif
