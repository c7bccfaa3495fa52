/* calls.h - seccomp: the system calls that a caged process may make, and no others.
 *
 * A list is a table of rows (the worker's is in calls.c, those of helpers in helper.c and with
 * their kinds); a row may bind arguments. It becomes a program of the
 * kernel's packet filter. A call that no row allows raises SIGSYS, whose handler notes the call's
 * number (loop/crash.h) before the worker ends. */
#ifndef CAGE_CALLS_H
#define CAGE_CALLS_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CALL_TESTS_MAX 3u
#define CALL_PROGRAM_MAX 640u /* instructions; the kernel takes 4096 */

/* What must hold of one argument: its low 32 bits under `mask` are `value`. */
typedef struct CallTest {
    uint8_t argument; /* 0..5 */
    bool is_own;      /* in place of `value`: the process's own id */
    uint32_t mask;    /* 0: there is no such test */
    uint32_t value;
} CallTest;

typedef enum CallWhen {
    CALL_ALWAYS,
    CALL_FILES /* only where there are file servers */
} CallWhen;

typedef enum CallAnswer {
    CALL_ALLOW,
    CALL_REFUSE /* fails with EACCES, and nobody dies of it */
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
    const CallRow *rows; /* as many as `count` */
} CallList;

extern const CallList call_list_worker;

/* What the build adds to every list: nothing, or what a sanitizer's reports need (plain.c,
 * sanitizer.c; the build chooses). */
typedef struct CallExtras {
    bool for_sanitizer; /* Landlock lets files be read; memory and processes have no limit */
    size_t count;
    const CallRow *rows; /* as many as `count` */
} CallExtras;
extern const CallExtras call_extras;

typedef struct CallProgram {
    size_t count;
    struct sock_filter at[CALL_PROGRAM_MAX];
} CallProgram;

/* AUDIT_ARCH_... of this build. */
uint32_t call_architecture(void);
/* Makes the program of a list, for a process of this id; `files`: with rows for file servers. */
void call_program(CallProgram *ret, const CallList *list, bool files, uint32_t process);
/* Whether this kernel has what is needed. */
bool call_filter_is_there(void);
/* Puts all threads of this process behind the program, for good. */
MUST_USE Err call_filter_enter(const CallProgram *program);

#endif
