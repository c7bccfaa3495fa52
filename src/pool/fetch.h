/* fetch.h - a request of River's own, made by no client; a room above uses the response (health
 * checks, ACME, authorisation, filters, a cache).
 *
 * It uses the pool like any other request, or a connection of its own; HTTP/1 or HTTP/2, plain or
 * TLS, as the endpoint says. Total time, response head and body are bounded. The token `owner` is
 * woken once, when the fetch is over. The owner must then end it (fetch_end), which also cancels a
 * fetch that is still under way.
 *
 * A fetch stays on one thread: any thread of the worker, or that of a process without clients. */
#ifndef POOL_FETCH_H
#define POOL_FETCH_H

#include "pool/endpoint.h"
#include "pool/lease.h"
#include "transport/reply.h"

typedef struct FetchField {
    Str name;
    Str value;
} FetchField;

/* Consumes all of the next bytes of a response body; false: no more are wanted, and the fetch fails
 * with FAULT_RESPONSE_TOO_LARGE. It may call fetch_pause, but must not end the fetch. */
typedef bool FetchSink(void *context, Thread *t, Handle fetch, Str bytes);

/* The request. All but the body is copied. */
typedef struct FetchPlan {
    uint32_t origin; /* whose pool (Endpoint.origin) */
    const Endpoint *endpoint; /* of a cluster (proxy/cluster_fetch.h): pinned until the fetch ends;
                               * NULL: the caller keeps the origin */
    Token owner;     /* woken when it is over; TOKEN_NONE: the caller polls */
    bool fresh;      /* on a new connection, closed afterwards; with HTTP/2 it is still a stream of
                      * the pool's connection */
    Str method;
    Str target; /* path and query, or "*" */
    Str host;
    size_t field_count;
    const FetchField *fields COUNTED_BY(field_count); /* besides Host and the framing fields */
    Str body;            /* borrowed for the life of the fetch */
    uint64_t timeout_ms; /* for the whole fetch */
    size_t body_bytes_max; /* of a gathered body; beyond it: FAULT_RESPONSE_TOO_LARGE */
    FetchSink *sink;     /* NULL: the result holds the whole body */
    void *context;       /* the sink's */
} FetchPlan;

#define FETCH_HEAD_BYTES_MAX (16u << 10) /* of the request */

typedef enum FetchState { FETCH_CONNECT, FETCH_AWAIT, FETCH_BODY, FETCH_OVER } FetchState;

typedef struct Fetch {
    Handle self;
    FetchPlan plan; /* its slices lie in the arena, except the body */
    FetchState state;
    Lease *lease;
    Timer timer;
    Arena arena;
    Arena reply_arena; /* HTTP/2: holds the response head */
    Method method;
    ResponseHead reply; /* valid in FETCH_BODY, or once over without a fault */
    Body body;          /* decoder state */
    Buf gathered;       /* decoded so far */
    bool paused;
    bool retried; /* after an idle connection had died, or the origin had refused the stream */
    uint8_t interim;
    uint64_t start_ms;
    uint64_t moved_ms; /* when the request was sent, or the origin last gave something */
    uint64_t due_ms;
    /* The result, in FETCH_OVER: */
    Fault fault; /* NONE: `reply` and `answer` are complete */
    Str answer;  /* in the arena */
    uint64_t body_bytes;
    uint64_t connect_us; /* microseconds since the start; 0: not reached */
    uint64_t first_byte_us;
    uint64_t total_us;
    uint64_t start_us;
} Fetch;

/* Starts a fetch; the caller must end *ret. ERR_SYNTAX: a part of the plan has bytes that could end
 * a line or a word; ERR_FULL, ERR_MEMORY: no room for another fetch; ERR_LIMIT: the request head is
 * larger than FETCH_HEAD_BYTES_MAX. */
MUST_USE Err fetch_start(Thread *t, const FetchPlan *plan, Handle *ret);
/* NULL if it has ended. */
static inline Fetch *fetch_get(const Thread *t, Handle h)
{
    return (Fetch *)pool_get(&t->fetches, h);
}
/* Frees the fetch and its result. Cancels it, without waking the owner, if it is not over. */
void fetch_end(Thread *t, Handle h);
/* Stops reading the body until fetch_resume; the deadline keeps running. */
void fetch_pause(Thread *t, Handle h);
void fetch_resume(Thread *t, Handle h);

/* Runs the fetch after an event or its deadline. */
void fetch_wake(Thread *t, Handle h);
/* Fails all fetches under way (FAULT_STOPPED) because the thread ends. */
void fetch_stop_all(Thread *t);

#endif
