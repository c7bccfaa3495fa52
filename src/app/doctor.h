/* doctor.h - `river doctor`: what this machine offers River, and what is missing.
 *
 * Each finding is a name, a verdict, what was found, and a sentence of advice. They come from a
 * table of checks (doctor.c); each check asks the system itself and assumes nothing. */
#ifndef APP_DOCTOR_H
#define APP_DOCTOR_H

#include "base/text.h"
#include "config/settings.h"

#define DOCTOR_BYTES_MAX 32768u
#define DOCTOR_FOUND_BYTES_MAX 384u

typedef enum Health {
    HEALTH_OK,
    HEALTH_WEAKER, /* River runs, but less safely or less fast than it could */
    HEALTH_MISSING /* River cannot run like this */
} Health;

typedef struct DoctorQuestion {
    const Settings *settings; /* NULL: no configuration to judge by */
    Str control_path;         /* where a running River listens */
    Err control_error;        /* why there is no such path */
} DoctorQuestion;

/* The result of a check. */
typedef struct Finding {
    Health verdict;
    Text found;       /* a few words */
    Str advice;       /* a sentence; empty for HEALTH_OK */
} Finding;

/* The checks (doctor_system.c, doctor_cage.c). */
void doctor_kernel(const DoctorQuestion *q, Finding *f);
void doctor_openat2(const DoctorQuestion *q, Finding *f);
void doctor_cachestat(const DoctorQuestion *q, Finding *f);
void doctor_memory(const DoctorQuestion *q, Finding *f);
void doctor_overcommit(const DoctorQuestion *q, Finding *f);
void doctor_huge_pages(const DoctorQuestion *q, Finding *f);
void doctor_descriptors(const DoctorQuestion *q, Finding *f);
void doctor_backlog(const DoctorQuestion *q, Finding *f);
void doctor_ports(const DoctorQuestion *q, Finding *f);
void doctor_low_ports(const DoctorQuestion *q, Finding *f);
void doctor_seccomp(const DoctorQuestion *q, Finding *f);
void doctor_landlock(const DoctorQuestion *q, Finding *f);
void doctor_exec_gain(const DoctorQuestion *q, Finding *f);
void doctor_account(const DoctorQuestion *q, Finding *f);
void doctor_capabilities(const DoctorQuestion *q, Finding *f);
void doctor_no_new_privs(const DoctorQuestion *q, Finding *f);
void doctor_bounds(const DoctorQuestion *q, Finding *f);
void doctor_layout(const DoctorQuestion *q, Finding *f);
void doctor_cores(const DoctorQuestion *q, Finding *f);
void doctor_tracing(const DoctorQuestion *q, Finding *f);
void doctor_river(const DoctorQuestion *q, Finding *f);

/* Sets the verdict where it is not HEALTH_OK. */
static inline void finding_set(Finding *f, Health verdict, Str advice)
{
    f->verdict = verdict;
    f->advice = advice;
}

/* A small file, or its first line; false if it cannot be read. */
bool doctor_read_all(const char *path, Span room, Str *ret);
bool doctor_read(const char *path, Span room, Str *ret_line);
/* The first number in a small file. */
bool doctor_read_number(const char *path, uint64_t *ret);

/* Runs all checks and prints a table, or JSON. False: something required is missing. */
bool doctor_examine(const DoctorQuestion *q, bool json, Text *out);

#endif
