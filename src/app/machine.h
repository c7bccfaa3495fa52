/* machine.h - how much of what the system allows is for clients, and how much for files. */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

#include "config/settings.h"

/* Processors that this process may use; at least 1. */
size_t machine_cores(void);

/* How a worker's descriptors are shared out. */
typedef struct MachineShares {
    uint64_t limit;   /* of the system */
    uint64_t kept;    /* for everything that is no connection: counted, not guessed */
    uint64_t origins; /* at least so many connections to origins, when all clients are there */
    uint64_t clients; /* at once: what fits, or less where the settings say so */
    uint64_t fitting; /* what fits */
    uint32_t files;   /* that each thread may keep open; 0: no service has any */
} MachineShares;

/* For a worker of so many threads that runs by these settings. */
MachineShares machine_shares(const Settings *settings, unsigned threads);
/* The same where the limit is another one. */
MachineShares machine_shares_of(uint64_t limit, const Settings *settings, unsigned threads);

#endif
