/* exchange.h - one request and its response: the state that the phases of exchange.c work on.
 *
 * Either side is a whole connection (HTTP/1) or a stream of one (HTTP/2): link.h hides the
 * difference. */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "http/chunk.h"
#include "http/readings.h"
#include "loop/disk.h"
#include "proxy/answer.h"
#include "transport/body.h"
#include "proxy/client.h"
#include "proxy/snapshot.h"
#include "transport/mux.h"
#include "pool/upstream.h"
#include "transport/link.h"

#define PHASE_TABLE(X)                                                                             \
    X(READ_HEAD)                                                                                   \
    X(SCREEN)                                                                                      \
    X(ROUTE)                                                                                       \
    X(ASK)                                                                                         \
    X(PICK)                                                                                        \
    X(CONNECT)                                                                                     \
    X(SEND)                                                                                        \
    X(AWAIT)                                                                                       \
    X(REPLY)                                                                                       \
    X(RELAY)                                                                                       \
    X(ANSWER)                                                                                      \
    X(FINISH)

typedef enum Phase {
#define X(name) PHASE_##name,
    PHASE_TABLE(X)
#undef X
        PHASE_COUNT
} Phase;

typedef enum StepKind { STEP_NEXT, STEP_WAIT, STEP_GOTO, STEP_FAIL } StepKind;

typedef struct Step {
    StepKind kind;
    Phase phase; /* of GOTO */
    Fault fault; /* of FAIL */
} Step;

#define NEXT ((Step){.kind = STEP_NEXT})
#define WAIT ((Step){.kind = STEP_WAIT})
#define GOTO(name) ((Step){.kind = STEP_GOTO, .phase = PHASE_##name})
#define FAIL(what) ((Step){.kind = STEP_FAIL, .fault = (what)})

#define EXCHANGE_ARENA_BYTES_MAX (512u << 10)

/* A window for measuring a peer's rate. */
typedef struct RateWindow {
    uint64_t start_ms; /* 0: not open */
    uint64_t pause_ms; /* since when measuring is paused; 0: it is not */
    uint64_t bytes;
} RateWindow;

/* The request, as sent by the client. */
typedef struct RequestSide {
    bool parsed;
    bool trusted;         /* the peer is a trusted proxy */
    HttpFault fault;      /* HTTP/2: what the codec found wrong with the head */
    uint16_t client_port; /* 0: unknown */
    IpAddress client_ip;  /* the peer's, or as named by trusted proxies (proxy/source.h) */
    Str bytes;            /* HTTP/1: the head, in the arena */
    RequestHead head;
    Str origin_path; /* in place of the head's, for the origin; empty: the same */
    const Readings *readings; /* of its path, if filters have to ask all of them; else NULL */
    Body body;
    Str upgrade;     /* protocol requested by Upgrade (or extended CONNECT), if allowed; else
                      * empty */
    HeadEdit *edit;  /* fields for origins, edited by filters; NULL: unchanged */
    Buf replay;      /* body bytes already sent, for a retry */
    bool replay_whole; /* `replay` holds all bytes sent */
} RequestSide;

/* One attempt to get an answer from an origin, and its response. */
typedef struct Try {
    const Endpoint *endpoint; /* pinned; until PICK the previous try's; NULL: none yet */
    Lease *lease; /* for a connection; owned. NULL: before CONNECT, and after the try */
    uint64_t start_us;
    bool fresh;            /* must not use a pooled connection */
    bool same_endpoint;    /* the last try hit a stale connection: use the same endpoint again */
    bool reused;           /* the connection had served before */
    bool extended_connect; /* the stream to the origin becomes the tunnel (RFC 8441) */
    bool any_sent;         /* bytes were sent */
    bool request_sent;     /* the whole request was sent */
    bool request_broken;   /* the origin takes no more of the body: only its answer is awaited */
    size_t rest_from;      /* what follows the head in the thread's input, between AWAIT and REPLY
                            * of one run */
    size_t rest_total;
    ResponseHead response;
    Arena response_arena; /* HTTP/2: holds the head's slices */
    Body response_body;
} Try;

/* What was sent to the client. */
typedef struct ReplySide {
    bool sent;       /* the origin's final head */
    uint8_t interim; /* number of 1xx heads */
    uint16_t status;
    BodyKind body;   /* framing of the origin's body for the client */
} ReplySide;

typedef struct Tunnel {
    bool open;
    bool up_over;   /* the end was passed on to the origin ... */
    bool down_over; /* ... to the client */
} Tunnel;

/* An answer of River's own (phase ANSWER). */
typedef struct OwnAnswer {
    const Respond *respond; /* NULL: the fault's default answer, or `answer` as set by a handler */
    const Respond *refusal; /* a filter's answer for its fault, or NULL */
    bool decided; /* `answer` is final */
    bool begun;   /* its head is being sent */
    bool whole;   /* all of its body was queued */
    Answer answer;
    AnswerPlace place;
} OwnAnswer;

/* The file that is the answer's body, and pending operations on it. */
typedef struct FileWait {
    Handle handle;    /* pinned (file_cache.h), or none */
    bool looking;     /* waiting for it to be opened */
    bool loading;     /* waiting for the disk's threads to read */
    DiskBytes loaded; /* the result of that */
    size_t loaded_at; /* how much of it was taken */
} FileWait;

typedef struct FilterSlot FilterSlot;

/* Progress of the filters (filter_run.h). */
typedef struct FilterRun {
    FilterStage stage;  /* the current stage; earlier ones are done */
    bool announced;     /* the announced length of the request's body was judged */
    size_t next;        /* index of the next filter of the stage, or of the paused one */
    uint64_t paused_ms; /* since when a filter has paused; 0: none has */
    HeadEdit *edit;     /* fields that the stage edits; NULL: none */
    FilterSlot *slots;  /* per-use memory (call_slot), newest first */
} FilterRun;

/* When data last moved on each side, and how fast. */
typedef struct Pace {
    uint64_t in_ms;  /* request body */
    uint64_t up_ms;  /* received from the origin */
    uint64_t out_ms; /* taken by the client */
    RateWindow receive;
    RateWindow send;
} Pace;

/* For counters and the access log. */
typedef struct Meter {
    uint64_t start_us;
    uint64_t connect_us;    /* over all tries */
    uint64_t first_byte_us; /* of the origin's answer, since the start; 0: none */
    uint64_t own_byte_us;   /* of River's own; known only when requests are logged */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t body_bytes_out;
} Meter;

typedef struct Exchange {
    Handle self;
    Handle client;
    Handle client_stream; /* HTTP/2 only */
    const Service *service;
    const Route *route; /* NULL before ROUTE, and if there is none */
    uint8_t phase;
    bool counted;     /* in service->active */
    bool settled;     /* in Thread.settled */
    bool keep_client; /* the connection may serve another request */
    bool streams;     /* silence in a body is no fault: gRPC, event streams (see read_deadlines) */
    Fault fault;      /* that ends it, or NONE */
    Fault retried;    /* the last one that caused a retry, or NONE */
    uint32_t tries;
    PickKey pick;
    uint32_t *tried; /* numbers of the endpoints tried in vain, in the arena */
    size_t tried_count;
    Arena arena;
    Str id; /* the client's own, or `id_made` */
    uint8_t id_made[32]; /* two words in hexadecimal */
    RequestSide request;
    Try try;
    ReplySide reply;
    Tunnel tunnel;
    FilterRun filters;
    OwnAnswer own;
    FileWait file;
    Pace pace;
    Meter meter;
} Exchange;

/* The runner of an exchange (client.c) learns from Client.over whether that has ended it. */

/* Creates an exchange for a complete head `head`; what follows it is in the client's `in`. Runs it
 * as far as possible. False: no room. */
MUST_USE bool exchange_start(Thread *t, Client *c, Str head);
/* The same for a stream's first head, which is already parsed; without room the stream is reset. */
void exchange_start_stream(Thread *t, Client *c, MuxStream *s);
/* Answers a fault found before the head was complete; the connection then ends. False: no room. */
MUST_USE bool exchange_refuse(Thread *t, Client *c, Fault fault, Str head);
/* Something happened on a side of the exchange, or a deadline passed: runs it as far as possible.
 * Returns the client that must go on, or none. */
Handle exchange_wake(Thread *t, Handle h);
/* Cuts it: River stops, or its client's connection is gone. */
void exchange_cut(Thread *t, Exchange *x, Fault fault);

/* The deadline that applies to the phase (exchange_deadline.c). */
typedef struct Deadline {
    uint64_t due_ms; /* UINT64_MAX: none */
    Fault fault;     /* NONE: only check again then */
} Deadline;
Deadline exchange_deadline(Thread *t, Exchange *x);

/* --- for the phases (request_phases.c, origin_phases.c, answer.c) --- */

typedef Step PhaseStep(Thread *t, Exchange *x);
PhaseStep phase_read_head, phase_screen, phase_route, phase_ask, phase_pick;
PhaseStep phase_connect, phase_send, phase_await, phase_reply, phase_relay;
PhaseStep phase_answer;

/* Decides the answer of phase ANSWER, and lets filters edit its fields. WAIT: one has paused. */
Step answer_prepare(Thread *t, Exchange *x);
/* The status of the answer to the exchange's fault; 0: there is no answer. */
uint16_t answer_status(const Exchange *x);
/* Writes its head. */
void answer_head(Thread *t, Exchange *x, HeadOut *out);
/* Discards what a handler has decided, because of a fault. */
void answer_forget(Exchange *x);
/* Whether ANSWER waits for the client to take what was sent. */
bool answer_blocked(const Thread *t, const Exchange *x);

/* --- what any phase may do (exchange_state.c) --- */

/* Gives it an id of River's own. */
void exchange_make_id(Thread *t, Exchange *x);
/* Queues it for another go soon, without waiting for readiness. */
void exchange_again(Thread *t, Exchange *x);
/* The disk's threads have read for it, or for an exchange that has ended. */
void exchange_loaded(Thread *t, Handle h, DiskBytes *bytes);
/* Whether the client's connection should end with it. */
bool exchange_must_leave(const Thread *t, const Exchange *x);
/* "http" or "https": the client's scheme, as far as River and trusted proxies know. */
Str exchange_scheme(const Thread *t, const Exchange *x);
/* Returns the connection to the origin to the pool if it may be reused, else closes it. */
void exchange_release_upstream(Thread *t, Exchange *x);
/* The origin has not answered in time: checks a shared connection for liveness. */
void exchange_doubt_upstream(Thread *t, const Exchange *x);
/* Closes the connection to the origin and forgets it; `abort` as for upstream_close. */
void exchange_end_upstream(Thread *t, Exchange *x, bool abort);
/* Applies this service to the exchange, and pins it until the end. */
void exchange_set_service(Thread *t, Exchange *x, const Service *s);
void exchange_unpin_service(Thread *t, const Exchange *x);
/* Sets and pins this endpoint, until the next one or the end. */
void exchange_set_endpoint(Thread *t, Exchange *x, const Endpoint *e);
void exchange_unpin_endpoint(Thread *t, const Exchange *x);

/* Whether it has a connection or stream to the origin. */
static inline bool exchange_has_upstream(const Exchange *x)
{
    return x->try.lease && lease_is_had(x->try.lease);
}

static inline Link link_client(const Thread *t, const Exchange *x)
{
    if (!handle_is_none(x->client_stream)) {
        MuxStream *s = mux_stream_get(t, x->client_stream);
        CHECK(s != NULL); /* it lives as long as its exchange */
        return (Link){.in = &s->in, .stream = s};
    }
    Client *c = client_get(t, x->client);
    CHECK(c != NULL);
    return (Link){.wire = &c->wire, .in = &c->in};
}

/* An empty link if there is no connection. */
static inline Link link_upstream(const Thread *t, const Exchange *x)
{
    return x->try.lease ? lease_link(t, x->try.lease) : (Link){0};
}

/* The token that wakes it. */
static inline Token exchange_token(const Exchange *x)
{
    return token_of(TOKEN_EXCHANGE, x->self);
}

static inline Exchange *exchange_get(const Thread *t, Handle h)
{
    return (Exchange *)pool_get(&t->exchanges, h);
}

#endif
