/* calls.h - seccomp: an allow list of system calls for a caged process.
 *
 * A list is a table of rows (the worker's is in calls.c; those of helpers are in helper.c and with
 * their kinds); a row may constrain arguments. It is compiled to a program of the kernel's packet
 * filter (BPF). Any other call raises SIGSYS, whose handler notes the call's number (loop/crash.h)
 * before the process ends. */
#ifndef CAGE_CALLS_H
#define CAGE_CALLS_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CALL_TESTS_MAX 3u
#define CALL_PROGRAM_MAX 640u /* instructions; the kernel's limit is 4096 */

/* A condition on one argument: its low 32 bits under `mask` equal `value`. */
typedef struct CallTest {
    uint8_t argument; /* 0..5 */
    bool is_own;      /* compare with the process's own id instead of `value` */
    uint32_t mask;    /* 0: unused */
    uint32_t value;
} CallTest;

typedef enum CallWhen {
    CALL_ALWAYS,
    CALL_FILES /* only if there are file servers */
} CallWhen;

typedef enum CallAnswer {
    CALL_ALLOW,
    CALL_REFUSE /* fails with EACCES, without SIGSYS */
} CallAnswer;

typedef struct CallRow {
    uint32_t number;
    CallWhen when;
    CallAnswer answer;
    CallTest tests[CALL_TESTS_MAX];
} CallRow;

/* The calls of one kind of process. */
typedef struct CallList {
    size_t count;
    const CallRow *rows; /* `count` rows */
} CallList;

extern const CallList call_list_worker;

/* What the build adds to every list: nothing (plain.c), or what a sanitizer's reports need
 * (sanitizer.c). */
typedef struct CallExtras {
    bool for_sanitizer; /* Landlock allows reading files; no limit on memory and processes */
    size_t count;
    const CallRow *rows; /* `count` rows */
} CallExtras;
extern const CallExtras call_extras;

typedef struct CallProgram {
    size_t count;
    struct sock_filter at[CALL_PROGRAM_MAX];
} CallProgram;

/* AUDIT_ARCH_... of this build. */
uint32_t call_architecture(void);
/* Compiles a list for the process with this id; `files`: include rows for file servers. */
void call_program(CallProgram *ret, const CallList *list, bool files, uint32_t process);
/* Whether this kernel supports it. */
bool call_filter_is_there(void);
/* Applies the program to all threads of this process, irreversibly. */
MUST_USE Err call_filter_enter(const CallProgram *program);

#endif
