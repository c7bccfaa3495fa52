/* dumping.h - asks the serving worker for its dump (proxy/dump.h), for the one that takes over. */
#ifndef APP_DUMPING_H
#define APP_DUMPING_H

#include "app/process_manager.h"

typedef struct Supervisor Supervisor;

typedef enum DumpPurpose {
    DUMP_FOR_RELOAD, /* for a fresh worker */
    DUMP_FOR_UPGRADE /* for another River's worker */
} DumpPurpose;

typedef enum DumpState {
    DUMP_NONE,  /* no request */
    DUMP_ASKED, /* waiting for the worker */
    DUMP_OVER   /* it has answered or never will */
} DumpState;

typedef struct Dumping {
    DumpState state;
    DumpPurpose purpose;
    int fd; /* the file; -1: none */
    uint64_t deadline_ms; /* of the answer; in DUMP_OVER it is due at once */
} Dumping;

/* The outcome. */
typedef struct Dump {
    DumpPurpose purpose;
    int fd; /* a file with the dump, owned by the caller; -1: none, go on without it */
} Dump;

/* Requests a dump; in DUMP_OVER at once if no worker serves. Cancels an earlier request. */
void dumping_begin(Supervisor *s, DumpPurpose purpose);
/* Whether the request is over; then *ret is the outcome, and the state is DUMP_NONE again. */
bool dumping_take(Supervisor *s, Dump *ret);
/* The worker has answered, died, or missed its deadline. */
void dumping_on_message(Supervisor *s, const KeptChild *from, bool good);
void dumping_on_death(Supervisor *s, KeptRole role);
void dumping_keep_deadlines(Supervisor *s, uint64_t now_ms);

#endif
