/* worker.h - the worker process's data path: its threads and shared state. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <pthread.h>

#include "base/roster.h"
#include "loop/disk.h"
#include "loop/gate.h"
#include "loop/log.h"
#include "proxy/access.h"
#include "proxy/cluster.h"
#include "pool/origin.h"
#include "proxy/snapshot.h"
#include "transport/thread.h"

#define WORKER_SERVICES_MAX (1u << 17) /* names of services at once, including those that end */
#define WORKER_LIMITERS_MAX (1u << 17)
#define WORKER_PARTS_MAX (1u << 17) /* services and snapshots, including those still in use */

typedef struct WorkerPlan {
    unsigned threads;          /* at least 1 */
    bool pin;                  /* pin each thread to one of the allowed processors */
    uint64_t connections_max;  /* clients at once */
    uint64_t idle_upstreams_max;
    uint32_t files_max;        /* open files per thread; 0: no service serves files */
    uint64_t memory_bytes_max; /* budget of buffers and arenas */
    Log *log;                  /* thread i logs through producer i; NULL: no logs */
    bool access_log;
    AccessStyle access_style;
    /* Called once all threads exist, before any of them reads a byte; an error aborts the start.
     * May be NULL. */
    Err (*before_serving)(void *context);
    void *context;
} WorkerPlan;

/* State of a service that outlives each configuration with its name. */
typedef struct ServiceState {
    /* Requests under way, counted only when there is a limit. */
    _Alignas(64) _Atomic uint32_t active;
} ServiceState;

struct Worker {
    ThreadGroup group;
    WorkerPlan plan;
    const Snapshot *_Atomic snapshot; /* the newest; threads have their own pointer */
    Disk *disk; /* NULL: no service serves files */
    _Atomic uint32_t client_count; /* of all threads */
    _Atomic uint64_t full_since_ms; /* since when there is no room for newcomers; 0: there is */
    _Atomic uint32_t threads_draining;
    _Atomic uint32_t threads_running;
    Roster service_names;
    ServiceState *services;
    uint64_t requests_gone; /* counted by services that no longer exist */
    Roster origin_names;
    bool origins_end; /* some are no longer named, and not freed yet */
    Roster limiter_names;
    Limiter **limiters; /* state that outlives configurations */
    Roster part_names;
    uint64_t parts_made;
    Clusters clusters;
    pthread_t handles[THREADS_MAX];
    unsigned started;
    Gate gate; /* where the threads wait for before_serving */
};

/* Creates a worker with threads that do not run yet, and no snapshot; the log must outlive it. */
MUST_USE Err worker_build(const WorkerPlan *plan, Worker **ret);
void worker_free(Worker *w);
/* Gives all threads the first snapshot, and starts them. */
MUST_USE Err worker_start(Worker *w, const Snapshot *first);
/* Sets the first snapshot, for tests that turn the threads by hand. */
MUST_USE Err worker_begin(Worker *w, const Snapshot *first);
/* The directory with this descriptor is another one now: what the threads know of its files is
 * forgotten. */
void worker_forget_files(Worker *w, int root);
/* Publishes a snapshot; each thread adopts it at its next turn (worker_has_adopted). */
void worker_publish(Worker *w, const Snapshot *fresh);
/* Whether no thread uses an older snapshot any more, except for pinned parts. */
bool worker_has_adopted(const Worker *w, uint64_t number);
/* Open client connections of a listener, on all threads. */
uint64_t worker_listener_clients(const Worker *w, uint32_t listener);
/* Stops accepting, and lets requests finish. Idle connections are closed, but stay open for up to
 * `patience_ms` for a request that is on its way: if another process accepts clients from now on,
 * no client should find a connection closed under its request. Returns at once; poll
 * worker_is_done. The caller watches the deadline and cuts what is left: worker_stop. */
void worker_drain(Worker *w, uint64_t patience_ms);
/* After worker_drain: whether no thread watches listeners any more; sockets may then be closed. */
bool worker_is_deaf(const Worker *w);
/* Cuts everything now. */
void worker_stop(Worker *w);
/* Whether all threads have ended (after a drain or stop). */
bool worker_is_done(const Worker *w);
/* Joins the threads; afterwards only worker_free may be called. */
void worker_join(Worker *w);

/* Posts a message to all running threads. */
void worker_tell(Worker *w, const Message *m);

/* What outlives snapshots: each held name has a number, which is stable while the name is held. The
 * main thread holds and releases; threads use the numbers of parts that they have pinned. ERR_FULL:
 * too many; ERR_MEMORY. (registry.c) */
MUST_USE Err worker_hold_service(Worker *w, Str name, uint32_t *ret);
void worker_release_service(Worker *w, uint32_t number);
/* `key` begins with the endpoint's name and has all that distinguishes its pool from others. */
MUST_USE Err worker_hold_origin(Worker *w, Str key, const Endpoint *e, uint32_t *ret);
void worker_release_origin(Worker *w, uint32_t number);
/* Frees origins that are no longer named, once they are unused. True: some are left. */
bool worker_tidy_origins(Worker *w);
MUST_USE Err worker_hold_limiter(Worker *w, Str key, const LimiterRule *rule, uint32_t *ret);
void worker_release_limiter(Worker *w, uint32_t number);
/* A number under which threads count the users of a part; give it back when it has none. */
MUST_USE Err worker_take_part(Worker *w, uint32_t *ret);
void worker_give_part(Worker *w, uint32_t part);
/* How many exchanges use a part. Once no thread's snapshot names it, this can only fall. */
uint64_t worker_pins(const Worker *w, uint32_t part);
/* The same for an endpoint of a cluster, once no thread's set has it. */
uint64_t worker_endpoint_pins(const Worker *w, uint32_t number);
/* For worker_build and worker_free. */
MUST_USE Err registry_open(Worker *w);
void registry_close(Worker *w);

typedef struct OriginStatus {
    Str name; /* the endpoint's address */
    OriginSums sums;
    uint32_t active;
    uint32_t idle;
    uint32_t connecting;
    uint32_t waiting; /* requests waiting for a connection */
} OriginStatus;

/* An endpoint with an unusual state: not up, or with a weight other than 1. */
typedef struct EndpointStatus {
    Str name;
    Str route; /* as written; empty: the service has only one */
    EndpointState state;
    uint32_t weight;
} EndpointStatus;

typedef struct ServiceStatus {
    Str name;
    ServiceSums sums;
    size_t origin_count;
    const uint32_t *origins COUNTED_BY(origin_count); /* indexes into WorkerStatus.origins */
    size_t endpoint_count;
    EndpointStatus *endpoints COUNTED_BY(endpoint_count);
} ServiceStatus;

typedef struct FaultStatus {
    Str code;
    uint64_t count;
} FaultStatus;

typedef struct WorkerStatus {
    unsigned threads;
    uint64_t snapshot; /* its number: reloads plus one */
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

/* The current counters and endpoints, in the caller's arena; main thread only. */
MUST_USE Err worker_status(Worker *w, Arena *arena, const WorkerStatus **ret);

#endif
