/* thread.h - one worker thread: its readiness, deadlines, memory, and the objects that live on it;
 * what anything on it may ask of it. turn.h makes it go round.
 *
 * A client's connection, its exchange and the upstream connection that serves it live on the same
 * thread. Threads meet only in mailboxes and in the shared pools (origin.h). */
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

#define THREADS_MAX 256u

/* What the threads of a process share. */
typedef struct ThreadGroup {
    Budget budget; /* of buffers and arenas */
    unsigned thread_count;
    Thread *threads[THREADS_MAX];
    Origin *origins; /* by number: pool/origin.h */
    uint64_t idle_upstreams_max;
    _Atomic uint64_t sets_epoch; /* sets of endpoints that were retired: Thread.sets_seen */
    _Alignas(64) _Atomic uint32_t admitted;  /* at least the requests under way, see thread_admit */
    _Atomic uint32_t settled;   /* of them need no more memory, see thread_settle */
    _Atomic uint64_t relief_ms; /* when who goes without memory may have others looked at again */
} ThreadGroup;

/* How many objects may live on a thread at once, and how large those of the rooms above are. */
typedef struct ThreadPlan {
    uint32_t clients;
    uint32_t exchanges;
    uint32_t streams; /* of HTTP/2, both sides */
    uint32_t leases;
    uint32_t fetches;
    uint32_t waits; /* for what is woken by its token (thread_again_token) */
    size_t client_bytes;
    size_t exchange_bytes;
} ThreadPlan;

enum { /* kinds of tokens */
    TOKEN_CLIENT = 1,
    TOKEN_UPSTREAM,
    TOKEN_LISTENER,
    TOKEN_MAILBOX,
    TOKEN_LISTENERS_REST, /* the end of a pause in accepting */
    TOKEN_STREAM, /* of an HTTP/2 connection */
    TOKEN_RELIEF, /* memory is short: see relief.h */
    TOKEN_EXCHANGE,
    TOKEN_LEASE,  /* has news for its owner: see pool/lease.h */
    TOKEN_FETCH   /* a request of River's own: see pool/fetch.h */
};

enum { /* kinds of messages */
    MESSAGE_CLIENT = 1, /* an accepted connection: fd, listener, peer */
    MESSAGE_UPSTREAM,   /* a connection for a waiting lease: see origin.c */
    MESSAGE_DRAIN,
    MESSAGE_ALL_DRAIN, /* nobody accepts any more: who has no client may end */
    MESSAGE_STOP,
    MESSAGE_SNAPSHOT,    /* there is another one: see listening.h */
    MESSAGE_SETS,        /* a turn shall begin, no more: see proxy/cluster.h */
    MESSAGE_MUX_YIELD,   /* a sibling needs a connection that this thread has: see pool/origin.h */
    MESSAGE_ORIGIN_ENDS, /* nobody names it any more: see pool/origin.h */
    MESSAGE_FILE_OPENED, /* of the disk's threads: see file_cache.h */
    MESSAGE_FILE_BYTES,
    MESSAGE_RELIEF /* memory is short: see relief.h */
};

#define THREAD_INPUT_BYTES (256u << 10)  /* one large read, shared by all connections */
#define THREAD_OUTPUT_BYTES (192u << 10) /* heads are put together here */
#define THREAD_READ_BYTES_MIN (16u << 10) /* when memory is short, or the peer slow */
#define THREAD_READ_BYTES_SLOW (64u << 10) /* after a short write */
#define THREAD_ARENA_BLOCK_BYTES 4064u
#define THREAD_BUF_BLOCK_BYTES (16u << 10)
#define THREAD_FIELDS_MAX 1024u /* ceiling of every limit on fields */
#define THREAD_ADMIT_STEP_MAX 64u
/* What an admitted request may need to go on when memory is short: an arena block and a queue block
 * in each direction. Nothing is admitted that this could not be given to. */
#define THREAD_REQUEST_BYTES_MIN (THREAD_ARENA_BLOCK_BYTES + 2 * THREAD_BUF_BLOCK_BYTES + 256u)
#define THREAD_CLIENTS_MAX (1u << 20)
#define THREAD_UPSTREAMS_MAX (1u << 18)
#define THREAD_FETCHES_MAX 4096u
#define THREAD_STREAMS_MAX (1u << 19) /* of HTTP/2, both sides */
#define THREAD_OUT_FIELDS_MAX 320u /* of a head that leaves */
#define THREAD_RAW_BYTES (64u << 10) /* ciphertext of one read */
#define THREAD_RELIEF_APART_MS 50u /* between the beginnings of two searches for memory */

typedef struct ParkNode ParkNode;
typedef struct MuxPlace MuxPlace;
typedef struct FileCache FileCache;

/* What happens when no more clients fit (listening.c). */
typedef struct Accepting {
    uint64_t told_at_ms; /* when the log may hear of it again */
    uint32_t looked;     /* at clients, in turns: who has been idle for longest */
    Stream spare;        /* a descriptor that is given up to refuse a client; kind NULL: none */
} Accepting;

/* What happens when memory is short (relief.c). */
typedef struct Relief {
    uint32_t hops;   /* threads that are to look, this one first; 0: none */
    bool starved;    /* a window of a connection on this thread stays closed for lack of memory */
    uint64_t look_ms; /* when that may have clients looked at again */
    uint32_t looked; /* at clients, in turns */
    Timer timer;     /* when it looks again */
} Relief;

/* One struct for all rooms, so that what a turn needs lies together. Rooms above hang their own on
 * it, as pools, numbers, and pointers to what they alone know. */
struct Thread {
    _Alignas(64) ThreadGroup *group;
    Worker *worker; /* NULL: the process is none */
    const Snapshot *snapshot; /* by which new requests are judged; changed between turns only */
    Heartbeat *heartbeat; /* belongs to the process */
    unsigned index;
    bool draining;
    uint32_t patience_ms; /* of draining: see client_drain */
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
    H2Field *out_fields; /* room for a head that leaves */
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
    int64_t date_second; /* that `date` says */
    uint8_t date[DATE_BYTES];
    FileCache *file_cache; /* NULL: no service has any */
    Timer rest;
    Accepting accepting;
    bool descriptors_wanted; /* a dial found none: at the end of the turn somebody idle is closed */
    Relief relief;
    ParkNode *park_nodes; /* one for each slot of `upstreams` */
    uint32_t again_room;
    uint32_t flush_room;
    uint32_t again_count; /* who has more to do than one turn should give */
    Token *again;         /* room for all once (Wire.again, MuxStream.again) */
    uint32_t flush_count; /* HTTP/2 connections with something to send at the end of the turn */
    Token *flush;         /* room for all once (Mux.flushing) */
    uint32_t parked; /* idle upstream connections of this thread */
    _Atomic uint32_t client_count; /* read by other threads, for placement */
    Counter exchange_count; /* requests under way */
    uint32_t admitted; /* counted in Worker.admitted, in steps */
    uint32_t admit_step;
    uint32_t settled; /* of them hold already what they need ... */
    uint32_t settled_told; /* ... as Worker.settled knows, in steps */
    _Atomic uint64_t adopted; /* the snapshot's number, for the worker */
    ServiceCounters *services;
    OriginCounters *origins;
    Counter *pins; /* exchanges that use a part (Service.part) */
    Counter *endpoint_pins;    /* ... and an endpoint (Endpoint.number) */
    _Atomic uint64_t sets_seen; /* ThreadGroup.sets_epoch, when the turn began */
    _Atomic bool ended;         /* it takes no more messages */
    Counter *listener_clients; /* accepted minus ended here: only the sum of all threads has a
                                * meaning, for a client may end on another thread */
    Counter accepted;
    Counter refused;
    Counter faults[FAULT_COUNT];
};

MUST_USE Err thread_init(Thread *t, ThreadGroup *g, unsigned index, const ThreadPlan *plan);
void thread_drop(Thread *t);
/* Reads the clock: now_ns and the like hold for one turn. */
void thread_clock(Thread *t);
/* Gives the owner of a wire another turn soon, without waiting for readiness: who leaves bytes
 * unread that no edge will tell of again, or has more to do. */
void thread_again_wire(Thread *t, Wire *w);
/* The same for any token, whose owner remembers that it was queued, or is queued once. */
void thread_again_token(Thread *t, Token token);
/* The first `count` of Thread.again had their turn; what was queued meanwhile waits for another. */
void thread_again_done(Thread *t, uint32_t count);
/* An HTTP/2 connection has something to send: once, at the end of the turn. */
void thread_flush_token(Thread *t, Token token);
/* One more request is under way, or one less: kept so that Worker.admitted is never less than all
 * of them, and no counter is shared by the threads on each request. */
void thread_admit(Thread *t);
void thread_dismiss(Thread *t);
/* An admitted request holds what it needs to go on, or does so no longer: nothing is kept for it
 * beside that. In the same steps, so that Worker.settled is never more than there are. */
void thread_settle(Thread *t, bool settled);
/* How much of the budget is left when every admitted request gets the least that it needs, and a
 * sixteenth is kept for what is on its way; SIZE_MAX: there is no budget. */
size_t thread_spare(const Thread *t);
/* Whether so little is spare that it is kept for those who hold little: less than a quarter. */
bool thread_is_scarce(const Thread *t, size_t spare);
/* Whether half of the budget is in use: then what peers may send unasked becomes less. */
bool thread_is_filled(const Thread *t);
/* Somebody needs memory, which is scarce: those who hold much of it and take little are looked for
 * at the end of the turn (relief.h). Cheap: a search begins only now and then. */
void thread_wants_memory(Thread *t);
/* The window of a connection stays closed because half of the budget is in use: all of its streams
 * wait, whoever it is that does not take what came. To be said again while it lasts. */
void thread_starves(Thread *t);
/* Whether memory is short: then only what lets admitted exchanges finish may be taken. */
bool thread_is_tight(const Thread *t);

#endif
