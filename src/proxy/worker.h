/* worker.h - the worker process's data path: its threads, and what they share. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <pthread.h>

#include "loop/disk.h"
#include "loop/gate.h"
#include "loop/log.h"
#include "proxy/access.h"
#include "proxy/origin.h"
#include "proxy/snapshot.h"
#include "proxy/thread.h"

#define WORKER_THREADS_MAX 256u

typedef struct WorkerPlan {
    const Snapshot *snapshot;
    unsigned threads;          /* at least 1 */
    bool pin;                  /* each thread to one of the processors that are allowed */
    uint64_t connections_max;  /* clients at once */
    uint64_t idle_upstreams_max;
    uint32_t files_max;        /* files that each thread may keep open; 0: no service has any */
    uint64_t memory_bytes_max; /* budget of buffers and arenas */
    Log *log;                  /* thread i logs through producer i; NULL: no logs */
    bool access_log;
    AccessStyle access_style;
    /* Called once all threads exist and before one of them reads a byte; an error ends the start.
     * NULL: nothing is to be done then. */
    Err (*before_serving)(void *context);
    void *context;
} WorkerPlan;

struct Worker {
    WorkerPlan plan;
    Budget budget;
    Disk *disk; /* NULL: no service has files */
    _Atomic uint32_t client_count; /* of all threads */
    _Atomic uint32_t admitted; /* at least the requests under way, see thread_admit */
    _Atomic uint32_t threads_draining;
    _Atomic uint32_t threads_running;
    size_t origin_count;
    Origin *origins;
    size_t limiter_count;
    Limiter **limiters; /* of the snapshot's rules; state that no configuration holds */
    unsigned thread_count;
    Thread *threads[WORKER_THREADS_MAX];
    pthread_t handles[WORKER_THREADS_MAX];
    unsigned started;
    Gate gate; /* where the threads wait for before_serving */
};

/* Starts the threads; the plan's parts must outlive the worker. */
MUST_USE Err worker_start(const WorkerPlan *plan, Worker **ret);
/* Stops accepting, ends idle connections, lets requests finish. Returns at once; worker_is_done
 * tells when all is over. The caller watches the deadline and cuts what is left: worker_stop. */
void worker_drain(Worker *w);
/* Cuts everything now. */
void worker_stop(Worker *w);
/* Whether all threads have ended (after a drain or stop). */
bool worker_is_done(const Worker *w);
/* Waits for the threads and frees everything. */
void worker_join(Worker *w);

/* Without threads of its own, for tests that turn them by hand. */
MUST_USE Err worker_build(const WorkerPlan *plan, Worker **ret);
void worker_free(Worker *w);

typedef struct OriginStatus {
    Str name; /* the endpoint's address */
    uint64_t requests;
    uint64_t failures;
    uint64_t opened; /* connections */
    uint64_t reused; /* requests that went over a pooled connection */
    uint32_t active;
    uint32_t idle;
    uint32_t connecting;
    uint32_t waiting; /* requests that wait for a connection */
} OriginStatus;

typedef struct ServiceStatus {
    Str name;
    uint64_t requests;
    uint64_t status[6]; /* answers by first digit; [0]: none was given */
    uint64_t bytes_in;
    uint64_t bytes_out;
    size_t origin_count;
    const uint32_t *origins COUNTED_BY(origin_count); /* indexes into WorkerStatus.origins */
} ServiceStatus;

typedef struct FaultStatus {
    Str code;
    uint64_t count;
} FaultStatus;

typedef struct WorkerStatus {
    unsigned threads;
    uint64_t connections; /* clients now */
    uint64_t accepted;    /* since the start */
    uint64_t refused;     /* for lack of room */
    uint64_t active;      /* requests under way */
    uint64_t requests;
    uint64_t memory_used_bytes;
    uint64_t memory_peak_bytes;
    uint64_t memory_max_bytes;
    uint64_t access_dropped;
    uint64_t error_dropped;
    size_t service_count;
    ServiceStatus *services COUNTED_BY(service_count);
    size_t origin_count;
    OriginStatus *origins COUNTED_BY(origin_count);
    size_t fault_count;
    FaultStatus *faults COUNTED_BY(fault_count); /* those that happened */
} WorkerStatus;

/* A picture of the counters, in the caller's arena; from any thread. */
MUST_USE Err worker_status(Worker *w, Arena *arena, const WorkerStatus **ret);

#endif
