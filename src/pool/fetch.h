/* fetch.h - a request of River's own: no client made it, and its answer is for a room above
 * (health checks, ACME, authorisation, filters, a cache).
 *
 * It goes over the pool like any other, or over a connection of its own; over HTTP/1 or HTTP/2,
 * plain or sealed, as the endpoint says. Its time, the answer's head and the body have bounds.
 * Whoever started it is woken once by the token `owner`, when it is over, and then ends it
 * (fetch_end), which also cancels one that is not over.
 *
 * All of it stays on one thread, which may be any: of the worker, or of a process without
 * clients. */
#ifndef POOL_FETCH_H
#define POOL_FETCH_H

#include "pool/endpoint.h"
#include "pool/lease.h"
#include "transport/reply.h"

typedef struct FetchField {
    Str name;
    Str value;
} FetchField;

/* Takes the next bytes of an answer's body, all of them; false: no more are wanted, and the fetch
 * fails with FAULT_RESPONSE_TOO_LARGE. It may call fetch_pause, but must not end the fetch. */
typedef bool FetchSink(void *context, Thread *t, Handle fetch, Str bytes);

/* What is asked for. All but the body is copied. */
typedef struct FetchPlan {
    uint32_t origin; /* whose pool (Endpoint.origin) */
    const Endpoint *endpoint; /* of a cluster (proxy/cluster_fetch.h): pinned until the fetch ends;
                               * NULL: the origin is kept by the caller */
    Token owner;     /* woken when it is over; TOKEN_NONE: nobody, who turns the thread looks */
    bool fresh;      /* over a connection that has served nothing, and is closed afterwards; of
                      * HTTP/2 it is a stream of the pool's connection all the same */
    Str method;
    Str target; /* path and query, or "*" */
    Str host;
    size_t field_count;
    const FetchField *fields COUNTED_BY(field_count); /* besides Host and those of framing */
    Str body;            /* lives as long as the fetch */
    uint64_t timeout_ms; /* for all of it */
    size_t body_bytes_max; /* of an answer that is gathered; beyond it: FAULT_RESPONSE_TOO_LARGE */
    FetchSink *sink;     /* NULL: the body is gathered, and whole in the result */
    void *context;       /* the sink's */
} FetchPlan;

#define FETCH_HEAD_BYTES_MAX (16u << 10) /* of the request */

typedef enum FetchState { FETCH_CONNECT, FETCH_AWAIT, FETCH_BODY, FETCH_OVER } FetchState;

typedef struct Fetch {
    Handle self;
    FetchPlan plan; /* its slices lie in the arena, but for the body */
    FetchState state;
    Lease *lease;
    Timer timer;
    Arena arena;
    Arena reply_arena; /* HTTP/2: where the answer's head lies */
    Method method;
    ResponseHead reply; /* once it is in FETCH_BODY or over without a fault */
    Body body;          /* as it is decoded ... */
    Buf gathered;       /* ... and gathered */
    bool paused;
    bool retried; /* after a connection that had died while it was idle, or refused the stream */
    uint8_t interim;
    uint64_t start_ms;
    uint64_t due_ms;
    /* The result, once it is FETCH_OVER: */
    Fault fault; /* NONE: `reply` and `answer` are whole */
    Str answer;  /* in the arena */
    uint64_t body_bytes;
    uint64_t connect_us; /* since the start, in microseconds; 0: it did not come so far */
    uint64_t first_byte_us;
    uint64_t total_us;
    uint64_t start_us;
} Fetch;

/* Starts it; *ret is the caller's to end. ERR_SYNTAX: a part of the plan has bytes that could end
 * a line or a word; ERR_FULL, ERR_MEMORY: there is no room for one more; ERR_LIMIT: the request's
 * head is larger than FETCH_HEAD_BYTES_MAX. */
MUST_USE Err fetch_start(Thread *t, const FetchPlan *plan, Handle *ret);
/* NULL: it has ended. */
static inline Fetch *fetch_get(const Thread *t, Handle h)
{
    return (Fetch *)pool_get(&t->fetches, h);
}
/* Frees it with its result. One that is not over is cancelled, and wakes nobody. */
void fetch_end(Thread *t, Handle h);
/* No more of the body is read until fetch_resume; its time goes on. */
void fetch_pause(Thread *t, Handle h);
void fetch_resume(Thread *t, Handle h);

/* Something has happened to it, or its time is over. */
void fetch_wake(Thread *t, Handle h);
/* Fails all that are under way (FAULT_STOPPED): the thread ends. */
void fetch_stop_all(Thread *t);

#endif
