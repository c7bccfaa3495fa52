/* thread_stat.h - what the system says of a thread: /proc/PID/task/TID/stat, proc_pid_stat(5).
 *
 * A leaf parser. The text comes from the kernel, but a name in the middle of it is the thread's own
 * to choose. */
#ifndef APP_THREAD_STAT_H
#define APP_THREAD_STAT_H

#include "base/err.h"
#include "base/str.h"

#define THREAD_STAT_BYTES_MAX 2048u /* 52 numbers of at most 20 digits, and a name */

typedef struct ThreadStat {
    uint8_t state;         /* a letter: R runs or could run, S and D wait in a system call, ... */
    uint64_t major_faults; /* how often it has waited for memory that came from a disk */
    uint64_t ticks;        /* processor time, its own and the kernel's, in clock ticks */
} ThreadStat;

/* Parses the whole text of the file. ERR_SYNTAX: it is not of that form, or was cut; ERR_RANGE: a
 * number or the sum of both times does not fit. */
MUST_USE Err thread_stat_parse(Str text, ThreadStat *ret);

#endif
