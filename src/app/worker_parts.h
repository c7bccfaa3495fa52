/* worker_parts.h - the state of a worker's first thread, for the files that share it:
 * worker_start.c (birth to serving), worker_process.c (orders, end), worker_reload.c (other
 * configurations) and worker_orphan.c (the supervisor is gone). */
#ifndef APP_WORKER_PARTS_H
#define APP_WORKER_PARTS_H

#include <poll.h>

#include "app/channel.h"
#include "app/key_logs.h"
#include "app/worker_process.h"
#include "build/build.h"
#include "cage/cage.h"

/* A bound socket for the next configuration. */
typedef struct PendingSocket {
    uint32_t place; /* index among its settings' listeners */
    int fd;
} PendingSocket;

/* State of the next supervisor (orphan.h). */
typedef enum HeirState {
    HEIR_NONE,
    HEIR_TOLD, /* it has our sockets and starts its worker on them */
    HEIR_READY /* its worker serves: we drain, and report when we have stopped accepting */
} HeirState;

/* What a worker needs to go on without a supervisor. */
typedef struct Orphan {
    bool is_one;          /* the supervisor is gone */
    int signals;          /* signalfd of SIGTERM and SIGINT, which only an orphan obeys; -1: none */
    int socket;           /* where the next supervisor connects; -1: none */
    int heir;             /* the connection to the heir; -1: none */
    HeirState heir_state;
    uint64_t say_at_ms;   /* when to log the state again */
    uint64_t signal_ms;   /* time of the last signal while there was a supervisor; 0: none */
    uint32_t signal;      /* its number */
} Orphan;

typedef struct WorkerProcess {
    ChannelEnd channel;
    bool started;          /* it has its first configuration */
    unsigned threads;
    int logs[LOG_STREAMS]; /* from the start; -1: off */
    int state;             /* the previous worker's dump; -1: none, or already read */
    SystemSettings system; /* its strings are invalid once the threads run */
    Blocks blocks;
    Log *log;
    Worker *worker;
    Builder builder;
    Cage cage;
    size_t root_room; /* as announced; the room is full before the first configuration */
    size_t root_count;
    int *roots COUNTED_BY(root_room); /* a path that leads elsewhere keeps its descriptor number */
    size_t key_log_room; /* the same */
    KeyLogs key_logs;
    bool tidying;        /* parts of older snapshots are left */
    uint32_t clusters_ms; /* until clusters_tidy is due */
    bool adopting;       /* not all threads use the newest snapshot yet */
    bool ending;
    bool confirmed;      /* this is the serving worker, even without a supervisor */
    bool let_go;         /* our copies of the sockets are closed */
    bool handed_over;    /* another process has the sockets too: they must not be shut down */
    size_t pending_count;
    PendingSocket pending[LISTENER_PLACES_MAX];
    uint64_t stop_at_ms; /* 0: no deadline */
    Orphan orphan;
    uint8_t room[CHANNEL_BYTES_MAX];
} WorkerProcess;


/* The worker's start (worker_start.c): takes an order about it; starts with the first
 * configuration, up to serving. False: not such an order. */
bool worker_take_start(WorkerProcess *p, const ChannelMessage *message);
MUST_USE Err worker_start_by(WorkerProcess *p, const Settings *settings);

/* Maps the settings of an order; unmaps and closes them. */
MUST_USE Err worker_map_settings(const ChannelMessage *message, const Settings **ret);
void worker_close_settings(const ChannelMessage *message);
/* A new configuration from the supervisor: its sockets, then its settings. */
void worker_take_sockets(WorkerProcess *p, const ChannelMessage *message);
void worker_reload(WorkerProcess *p, const ChannelMessage *message);
/* Another directory for a static root. */
void worker_take_root(const WorkerProcess *p, const ChannelMessage *message);
/* Continues the work that a reload has begun. */
void worker_tidy(WorkerProcess *p);

/* Finishes open work within `limit_ms`, then ends. `refuse`: new connections are refused; else
 * another process takes them. */
void worker_begin_drain(WorkerProcess *p, uint64_t limit_ms, bool refuse);
/* Cuts open connections. */
void worker_begin_stop(WorkerProcess *p);
/* Refuses new connections at once; otherwise that is up to the supervisor (listen_refuse). */
void worker_refuse_newcomers(const WorkerProcess *p);

/* ---- without a supervisor (worker_orphan.c) ---- */

/* Makes signals readable, before the cage closes. */
MUST_USE Err orphan_prepare(Orphan *o);
/* Stores the socket for the next supervisor, sent by the present one. */
void orphan_take_socket(Orphan *o, int fd);
/* The supervisor is gone: the worker keeps serving. */
void orphan_begin(WorkerProcess *p);
/* What to poll besides orders: at most ORPHAN_POLL_MAX entries. */
#define ORPHAN_POLL_MAX 3u
size_t orphan_poll(const WorkerProcess *p, struct pollfd *fds);
/* Time until the next deadline; -1: none. */
int orphan_tick_ms(const WorkerProcess *p);
/* Handles what poll found, and deadlines. */
void orphan_serve(WorkerProcess *p);
/* Reports that the worker has handed over and accepts no more clients. */
void orphan_tell_deaf(WorkerProcess *p);

#endif
