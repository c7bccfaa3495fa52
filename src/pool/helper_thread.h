/* helper_thread.h - a thread without clients, for a process that only sends fetches (fetch.h). */
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
/* Ends all fetches under way and all connections. */
void helper_thread_close(HelperThread *h);
/* For fetch_start, and to inspect results. */
Thread *helper_thread_of(HelperThread *h);
/* The number of an endpoint's pool, the same for equal names. The name must outlive the thread.
 * ERR_FULL: origins_max is reached. */
MUST_USE Err helper_thread_origin(HelperThread *h, const Endpoint *e, uint32_t *ret);
/* One turn: waits at most `timeout_ms` (-1: until the next deadline), and handles events. */
void helper_thread_turn(HelperThread *h, int timeout_ms);

#endif
