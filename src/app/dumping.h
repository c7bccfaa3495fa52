/* dumping.h - asks the worker that serves for what it has counted and remembers (proxy/dump.h), for
 * the one that takes over from it. */
#ifndef APP_DUMPING_H
#define APP_DUMPING_H

#include "app/process_manager.h"

typedef struct Supervisor Supervisor;

typedef enum DumpPurpose {
    DUMP_FOR_RELOAD, /* for a fresh worker */
    DUMP_FOR_UPGRADE /* for another River's */
} DumpPurpose;

typedef enum DumpState {
    DUMP_NONE,  /* nobody asks */
    DUMP_ASKED, /* the worker is to answer */
    DUMP_OVER   /* it has, or it will not */
} DumpState;

typedef struct Dumping {
    DumpState state;
    DumpPurpose purpose;
    int fd; /* the file; -1: none */
    uint64_t deadline_ms; /* for the answer; when it is over, for the one who takes it */
} Dumping;

/* How it went. */
typedef struct Dump {
    DumpPurpose purpose;
    int fd; /* a file with it, the caller's to close; -1: there is none, and one goes on without */
} Dump;

/* Asks; where there is nobody to ask, it is over at once. One at a time: it ends an earlier one. */
void dumping_begin(Supervisor *s, DumpPurpose purpose);
/* Whether it is over; then *ret is how it went, and nobody asks any more. */
bool dumping_take(Supervisor *s, Dump *ret);
/* The worker has answered, or has died, or does not answer in time. */
void dumping_on_message(Supervisor *s, const KeptChild *from, bool good);
void dumping_on_death(Supervisor *s, KeptRole role);
void dumping_keep_deadlines(Supervisor *s, uint64_t now_ms);

#endif
