/* machine.h - divides the system's limits between clients, origins and files. */
#ifndef APP_MACHINE_H
#define APP_MACHINE_H

#include "config/settings.h"

/* Processors that this process may use; at least 1. */
size_t machine_cores(void);

/* How a worker's descriptors are divided. */
typedef struct MachineShares {
    uint64_t limit;   /* RLIMIT_NOFILE (soft) */
    uint64_t kept;    /* for everything but connections: counted, not estimated */
    uint64_t origins; /* connections to origins: the minimum left when all clients are connected */
    uint64_t clients; /* concurrent clients: as many as fit, or fewer if the settings say so */
    uint64_t fitting; /* how many clients fit */
    uint32_t files;   /* open files per thread; 0: no service serves files */
} MachineShares;

/* For a worker with so many threads and these settings. */
MachineShares machine_shares(const Settings *settings, unsigned threads);
/* The same for a given limit. */
MachineShares machine_shares_of(uint64_t limit, const Settings *settings, unsigned threads);

#endif
