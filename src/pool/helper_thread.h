/* helper_thread.h - a thread without clients: for a process that only asks origins (fetch.h). */
#ifndef POOL_HELPER_THREAD_H
#define POOL_HELPER_THREAD_H

#include "pool/endpoint.h"
#include "transport/thread.h"

typedef struct HelperThread HelperThread;

typedef struct HelperPlan {
    size_t memory_bytes_max; /* 0: no bound */
    uint32_t fetches_max;    /* at once */
    uint32_t origins_max;
} HelperPlan;

/* The process's only thread. ERR_MEMORY, ERR_DESCRIPTORS, ERR_SYSTEM. */
MUST_USE Err helper_thread_open(const HelperPlan *plan, HelperThread **ret);
/* Ends what is under way, and all connections. */
void helper_thread_close(HelperThread *h);
/* For fetch_start, and to look at what came of it. */
Thread *helper_thread_of(HelperThread *h);
/* The number of an endpoint's pool, the same for equal names. The name must live as long as the
 * thread. ERR_FULL: there are origins_max. */
MUST_USE Err helper_thread_origin(HelperThread *h, const Endpoint *e, uint32_t *ret);
/* One turn: waits at most `timeout_ms` (-1: as long as deadlines allow), and handles what came. */
void helper_thread_turn(HelperThread *h, int timeout_ms);

#endif
