/* thread_stat.h - parses the system's statistics of a thread: /proc/PID/task/TID/stat,
 * proc_pid_stat(5).
 *
 * Pure. The text comes from the kernel, but the name in the middle is chosen by the thread. */
#ifndef APP_THREAD_STAT_H
#define APP_THREAD_STAT_H

#include "base/err.h"
#include "base/str.h"

#define THREAD_STAT_BYTES_MAX 2048u /* 52 numbers of at most 20 digits, and a name */

typedef struct ThreadStat {
    uint8_t state;         /* R: running or runnable; S, D: waiting in a system call; ... */
    uint64_t major_faults; /* page faults that waited for a disk */
    uint64_t ticks;        /* user and system time, in clock ticks */
} ThreadStat;

/* Parses the whole file. ERR_SYNTAX: malformed or truncated; ERR_RANGE: a number, or the sum of
 * both times, does not fit. */
MUST_USE Err thread_stat_parse(Str text, ThreadStat *ret);

#endif
