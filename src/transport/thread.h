/* thread.h - one worker thread: its readiness, deadlines, memory and objects, and the services it
 * offers to them. turn.h runs it.
 *
 * A client's connection, its exchange and the upstream connection that serves it live on the same
 * thread. Threads interact only through mailboxes and the shared pools (origin.h). */
#ifndef TRANSPORT_THREAD_H
#define TRANSPORT_THREAD_H

#include "base/buf.h"
#include "http/date.h"
#include "loop/heartbeat.h"
#include "loop/mailbox.h"
#include "loop/poller.h"
#include "loop/random.h"
#include "loop/timer.h"
#include "transport/counters.h"
#include "transport/fault.h"
#include "http/h2.h"
#include "transport/wire.h"

typedef struct Worker Worker;
typedef struct Snapshot Snapshot;
typedef struct Origin Origin;
typedef struct Thread Thread;
typedef struct Summaries Summaries;       /* pool/summary.h */
typedef struct SummaryTable SummaryTable;

#define THREADS_MAX 256u

/* State shared by the threads of a process. */
typedef struct ThreadGroup {
    Budget budget; /* of buffers and arenas */
    unsigned thread_count;
    Thread *threads[THREADS_MAX];
    Origin *origins; /* by number: pool/origin.h */
    uint64_t idle_upstreams_max;
    _Atomic uint64_t sets_epoch; /* number of retired endpoint sets: see Thread.sets_seen */
    _Alignas(64) _Atomic uint32_t admitted;  /* at least the requests under way, see thread_admit */
    _Atomic uint32_t settled;   /* ... that need no more memory: see thread_settle */
    _Atomic uint64_t relief_ms; /* earliest next search for memory (thread_wants_memory) */
    SummaryTable *summaries;
} ThreadGroup;

/* Limits on a thread's objects, and the sizes of those that rooms above define. */
typedef struct ThreadPlan {
    uint32_t clients;
    uint32_t exchanges;
    uint32_t streams; /* of HTTP/2, both sides */
    uint32_t leases;
    uint32_t fetches;
    uint32_t waits; /* for objects woken by their token (thread_again_token) */
    size_t client_bytes;
    size_t exchange_bytes;
} ThreadPlan;

enum { /* kinds of tokens */
    TOKEN_CLIENT = 1,
    TOKEN_UPSTREAM,
    TOKEN_LISTENER,
    TOKEN_MAILBOX,
    TOKEN_ACCEPT_AGAIN, /* the end of a pause in accepting */
    TOKEN_STREAM, /* an HTTP/2 stream */
    TOKEN_RELIEF, /* memory is short: see relief.h */
    TOKEN_EXCHANGE,
    TOKEN_LEASE,  /* has news for its owner: see pool/lease.h */
    TOKEN_FETCH,  /* a request of River's own: see pool/fetch.h */
    TOKEN_SUMMARY /* log lines are due: see pool/summary.h */
};

enum { /* kinds of messages */
    MESSAGE_CLIENT = 1, /* an accepted connection: fd, listener, peer */
    MESSAGE_UPSTREAM,   /* a connection for a waiting lease: see origin.c */
    MESSAGE_DRAIN,
    MESSAGE_ALL_DRAIN, /* no thread accepts any more: one without clients may end */
    MESSAGE_STOP,
    MESSAGE_SNAPSHOT,    /* a new snapshot: see listening.h */
    MESSAGE_SETS,        /* only starts a turn: see proxy/cluster.h */
    MESSAGE_MUX_YIELD,   /* a sibling needs this thread's connection: see pool/origin.h */
    MESSAGE_ORIGIN_ENDS, /* no endpoint names it any more: see pool/origin.h */
    MESSAGE_FILE_OPENED, /* from the disk's threads: see file_cache.h */
    MESSAGE_FILE_BYTES,
    MESSAGE_ROOT, /* a static root is another directory: see file_cache.h */
    MESSAGE_RELIEF /* memory is short: see relief.h */
};

#define THREAD_INPUT_BYTES (256u << 10)  /* one large read buffer, shared by all connections */
#define THREAD_OUTPUT_BYTES (192u << 10) /* heads are built here */
#define THREAD_READ_BYTES_MIN (16u << 10) /* when memory is short, or the peer is slow */
#define THREAD_READ_BYTES_SLOW (64u << 10) /* after a short write */
#define THREAD_ARENA_BLOCK_BYTES 4064u
#define THREAD_BUF_BLOCK_BYTES (16u << 10)
#define THREAD_FIELDS_MAX 1024u /* upper bound of every limit on fields */
#define THREAD_ADMIT_STEP_MAX 64u
/* What an admitted request may need to proceed when memory is short: an arena block and a queue
 * block in each direction. A request is admitted only if it could get this much. */
#define THREAD_REQUEST_BYTES_MIN (THREAD_ARENA_BLOCK_BYTES + 2 * THREAD_BUF_BLOCK_BYTES + 256u)
#define THREAD_CLIENTS_MAX (1u << 20)
#define THREAD_UPSTREAMS_MAX (1u << 18)
#define THREAD_FETCHES_MAX 4096u
#define THREAD_STREAMS_MAX (1u << 19) /* of HTTP/2, both sides */
#define THREAD_OUT_FIELDS_MAX 320u /* of an outgoing head */
#define THREAD_RAW_BYTES (64u << 10) /* ciphertext of one read */
#define THREAD_RELIEF_APART_MS 50u /* between the starts of two searches for memory */

typedef struct ParkNode ParkNode;
typedef struct MuxPlace MuxPlace;
typedef struct FileCache FileCache;

/* State for when no more clients fit (listening.c). */
typedef struct Accepting {
    uint64_t told_at_ms; /* earliest time for the next log line about it */
    uint32_t looked;     /* cursor of the search for the client that is idle longest */
    Stream spare;        /* closed to get a descriptor for refusing a client; kind NULL: none */
} Accepting;

/* State for when memory is short (relief.c). */
typedef struct Relief {
    uint32_t hops;   /* threads that must look, this one first; 0: none */
    bool starved;    /* a connection's window on this thread stays closed for lack of memory */
    uint64_t look_ms; /* earliest time for that to start another look */
    uint32_t looked; /* cursor over the clients */
    Timer timer;     /* for the next look */
} Relief;

/* One struct for all rooms, so that data needed in a turn is close together. Rooms above attach
 * their own state as pools, numbers, and pointers to types that only they know. */
struct Thread {
    _Alignas(64) ThreadGroup *group;
    Worker *worker; /* NULL: not a worker process */
    const Snapshot *snapshot; /* judges new requests; changes only between turns */
    Heartbeat *heartbeat; /* owned by the process */
    unsigned index;
    bool draining;
    uint32_t patience_ms; /* while draining: see client_drain */
    bool stopping;
    bool listening;
    Poller poller;
    Wheel wheel;
    Mailbox mailbox;
    Random random;
    Pool clients;
    Pool upstreams;
    Pool exchanges;
    Pool leases;
    Pool fetches;
    Pool streams; /* of HTTP/2 connections: MuxStream */
    WireRoom wires;
    H2Field *out_fields; /* room for an outgoing head */
    MuxPlace *places;    /* one for each origin */
    Blocks arena_blocks;
    Blocks buf_blocks;
    Span input;
    Span raw;
    Span output;
    Field *field_room;
    Fields fields; /* room for a head's fields before they are copied to the arena */
    uint64_t now_ns;
    uint64_t now_ms;
    uint64_t wall_offset_us; /* wall clock minus monotonic clock */
    uint64_t wall_next_ms;
    int64_t date_second; /* the second that `date` shows */
    uint8_t date[DATE_BYTES];
    FileCache *file_cache; /* NULL: no service serves files */
    Timer accept_again;
    Accepting accepting;
    bool descriptors_wanted; /* a dial found none: close an idle connection at the turn's end */
    Relief relief;
    ParkNode *park_nodes; /* one for each slot of `upstreams` */
    uint32_t again_room;
    uint32_t flush_room;
    uint32_t again_count; /* owners with more to do than fits one turn */
    Token *again;         /* room for each owner once (Wire.again, MuxStream.again) */
    uint32_t flush_count; /* HTTP/2 connections with something to send at the end of the turn */
    Token *flush;         /* room for each once (Mux.flushing) */
    uint32_t parked; /* idle upstream connections of this thread */
    _Atomic uint32_t client_count; /* read by other threads, for placement */
    Counter exchange_count; /* requests under way */
    uint32_t admitted; /* counted in ThreadGroup.admitted, in steps */
    uint32_t admit_step;
    uint32_t settled; /* requests that already hold all they need ... */
    uint32_t settled_told; /* ... of which counted in ThreadGroup.settled, in steps */
    _Atomic uint64_t adopted; /* number of the adopted snapshot, for the worker */
    ServiceCounters *services;
    OriginCounters *origins;
    Counter *pins; /* exchanges that use a part (Service.part) */
    Counter *endpoint_pins;    /* ... and an endpoint (Endpoint.number) */
    _Atomic uint64_t sets_seen; /* ThreadGroup.sets_epoch at the start of the turn */
    _Atomic bool ended;         /* it takes no more messages */
    Counter *listener_clients; /* accepted minus ended on this thread: only the sum over all threads
                                * is meaningful, since a client may end on another thread */
    Counter accepted;
    Counter refused;
    Counter faults[FAULT_COUNT];
    Summaries *summaries; /* NULL: each line is logged at once */
};

MUST_USE Err thread_init(Thread *t, ThreadGroup *g, unsigned index, const ThreadPlan *plan);
void thread_drop(Thread *t);
/* Reads the clock; now_ns and the like stay constant for the turn. */
void thread_clock(Thread *t);
/* Queues the owner of a wire for another go soon, without waiting for readiness: for an owner that
 * leaves bytes unread that no edge will signal again, or that has more to do. */
void thread_again_wire(Thread *t, Wire *w);
/* The same for any token. Its owner must remember that it is queued, or queue it only once. */
void thread_again_token(Thread *t, Token token);
/* Drops the first `count` of Thread.again, which were woken; later ones wait for the next turn. */
void thread_again_done(Thread *t, uint32_t count);
/* Queues an HTTP/2 connection for sending, once, at the end of the turn. */
void thread_flush_token(Thread *t, Token token);
/* Counts one more request under way, or one less. ThreadGroup.admitted never falls below their
 * number, and threads do not touch a shared counter on each request. */
void thread_admit(Thread *t);
void thread_dismiss(Thread *t);
/* Records that an admitted request holds all it needs, or no longer does; while it does, nothing
 * more is reserved for it. Counted in steps, so that ThreadGroup.settled never exceeds their
 * number. */
void thread_settle(Thread *t, bool settled);
/* What is left of the budget after reserving the minimum for every admitted request, and a
 * sixteenth for what is on its way; SIZE_MAX: there is no budget. */
size_t thread_spare(const Thread *t);
/* Whether less than a quarter is spare: then it is reserved for those who hold little. */
bool thread_is_scarce(const Thread *t, size_t spare);
/* Whether half of the budget is in use: then peers may send less unasked. */
bool thread_is_filled(const Thread *t);
/* Memory is scarce, and needed: at the end of the turn, looks for clients that hold much of it and
 * take little (relief.h). Cheap: searches are rate-limited. */
void thread_wants_memory(Thread *t);
/* A connection's window stays closed because half of the budget is in use, which stops all its
 * streams, no matter which one is slow. Must be called again while this lasts. */
void thread_starves(Thread *t);
/* Whether memory is short: then only input that lets admitted exchanges finish may be taken. */
bool thread_is_tight(const Thread *t);

#endif
