/* worker_parts.h - the state of a worker's first thread, for the files that share it:
 * worker_start.c (birth to serving), worker_process.c (orders, end), worker_reload.c (other
 * configurations) and worker_orphan.c
 * (the supervisor is gone). */
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
    uint32_t place; /* among its settings' listeners */
    int fd;
} PendingSocket;

/* The next supervisor, as far as it has come (orphan.h). */
typedef enum HeirState {
    HEIR_NONE,
    HEIR_TOLD, /* it has our sockets, and starts its worker on them */
    HEIR_READY /* its worker serves: we drain, and say when we have stopped accepting */
} HeirState;

/* What a worker has to go on without a supervisor. */
typedef struct Orphan {
    bool is_one;          /* the supervisor is gone */
    int signals;          /* SIGTERM and SIGINT, which only an orphan obeys; -1: none */
    int socket;           /* where the next supervisor knocks; -1: nowhere */
    int heir;             /* the connection to it; -1: none */
    HeirState heir_state;
    uint64_t say_at_ms;   /* when the log hears of it again */
    uint64_t signal_ms;   /* when the last signal came while there was a supervisor; 0: none did */
    uint32_t signal;      /* ... and which one */
} Orphan;

typedef struct WorkerProcess {
    ChannelEnd channel;
    bool started;          /* it has its first configuration */
    unsigned threads;
    int logs[LOG_STREAMS]; /* those of the start; -1: off */
    int state;             /* what the worker before has written; -1: nothing, or it was read */
    SystemSettings system; /* its texts are gone once the threads run */
    Blocks blocks;
    Log *log;
    Worker *worker;
    Builder builder;
    Cage cage;
    size_t root_room; /* what was announced; then `root_count` is as much */
    size_t root_count;
    int *roots COUNTED_BY(root_room);
    size_t key_log_room; /* in the same way */
    KeyLogs key_logs;
    bool tidying;        /* something is left of older snapshots */
    uint32_t clusters_ms; /* when clusters want to be looked after: clusters_tidy */
    bool adopting;       /* not all threads go by the newest */
    bool ending;
    bool confirmed;      /* it is this one that serves, also without a supervisor */
    bool let_go;         /* our copies of the sockets are closed */
    bool handed_over;    /* the sockets are another one's, too: they must not be shut down */
    size_t pending_count;
    PendingSocket pending[LISTENER_PLACES_MAX];
    uint64_t stop_at_ms; /* 0: the threads may go on */
    Orphan orphan;
    uint8_t room[CHANNEL_BYTES_MAX];
} WorkerProcess;


/* What the worker starts with (worker_start.c): an order about that, and the first configuration,
 * by which everything is made up to serving. False: it was no such order. */
bool worker_take_start(WorkerProcess *p, const ChannelMessage *message);
MUST_USE Err worker_start_by(WorkerProcess *p, const Settings *settings);

/* Maps the settings of an order, and ends what is mapped and open of it. */
MUST_USE Err worker_map_settings(const ChannelMessage *message, const Settings **ret);
void worker_close_settings(const ChannelMessage *message);
/* Another configuration, as the supervisor orders it: its sockets, then its settings. */
void worker_take_sockets(WorkerProcess *p, const ChannelMessage *message);
void worker_reload(WorkerProcess *p, const ChannelMessage *message);
/* Goes on with what a reload has begun. */
void worker_tidy(WorkerProcess *p);

/* Finishes what is open within `limit_ms`, then ends. `refuse`: newcomers are refused; else another
 * one takes them from now on. */
void worker_begin_drain(WorkerProcess *p, uint64_t limit_ms, bool refuse);
/* Cuts what is open. */
void worker_begin_stop(WorkerProcess *p);
/* Refuses newcomers at once, which otherwise is the supervisor's to do (listen_refuse). */
void worker_refuse_newcomers(const WorkerProcess *p);

/* ---- without a supervisor (worker_orphan.c) ---- */

/* Before the cage closes: makes signals readable. */
MUST_USE Err orphan_prepare(Orphan *o);
/* Where the next supervisor knocks, from the one that there is. */
void orphan_take_socket(Orphan *o, int fd);
/* The supervisor is gone: the worker goes on. */
void orphan_begin(WorkerProcess *p);
/* What it waits for beside orders: at most ORPHAN_POLL_MAX entries. */
#define ORPHAN_POLL_MAX 3u
size_t orphan_poll(const WorkerProcess *p, struct pollfd *fds);
/* How long may be waited; -1: for ever. */
int orphan_tick_ms(const WorkerProcess *p);
/* Looks at all of that, and at the clock. */
void orphan_serve(WorkerProcess *p);
/* The worker has handed over and accepts no more clients. */
void orphan_tell_deaf(WorkerProcess *p);

#endif
