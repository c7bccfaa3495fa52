/* exchange.h - one request and its response: the state that the phases of exchange.c work on.
 *
 * Either side is a connection of its own (HTTP/1) or a stream of one (HTTP/2): link.h hides which
 * it is. */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "http/chunk.h"
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

/* A window over which a peer's rate is judged. */
typedef struct RateWindow {
    uint64_t start_ms; /* 0: not open */
    uint64_t pause_ms; /* since when it is not being judged; 0: it is */
    uint64_t bytes;
} RateWindow;

/* The request, as the client has sent it. */
typedef struct RequestSide {
    bool parsed;
    bool trusted;         /* the peer is a trusted proxy */
    HttpFault fault;      /* HTTP/2: what the codec found wrong with the head */
    uint16_t client_port; /* 0: unknown */
    IpAddress client_ip;  /* the client's own, as far as trusted proxies tell (proxy/source.h) */
    Str bytes;            /* HTTP/1: the head, in the arena */
    RequestHead head;
    Body body;
    Str upgrade;     /* the protocol that was asked for by Upgrade (or extended CONNECT) and is
                      * allowed; empty: none */
    HeadEdit *edit;  /* the fields for origins, once filters have edited them; NULL: unchanged */
    Buf replay;      /* body bytes that were sent, for another try */
    bool replay_whole; /* `replay` holds all that was sent */
} RequestSide;

/* One attempt to get an answer from an origin, and what it has answered. */
typedef struct Try {
    const Endpoint *endpoint; /* pinned; until PICK that of the try before; NULL: there was none */
    Lease *lease; /* of a connection; owned. NULL: before CONNECT, and when the try is over */
    uint64_t start_us;
    bool fresh;            /* it must not use a pooled connection */
    bool same_endpoint;    /* the one before met a stale connection: its endpoint is asked again */
    bool reused;           /* the connection had served before */
    bool extended_connect; /* the stream to the origin becomes the tunnel (RFC 8441) */
    bool any_sent;         /* bytes have left River */
    bool request_sent;     /* the body's end has gone to the origin */
    bool request_broken;   /* the origin takes no more of the body: only its answer is awaited */
    size_t rest_from;      /* what follows the head, in the thread's input, between AWAIT and REPLY
                            * of one run */
    size_t rest_total;
    ResponseHead response;
    Arena response_arena; /* HTTP/2: where the head's slices lie */
    Body response_body;
} Try;

/* What has gone to the client. */
typedef struct ReplySide {
    bool sent;       /* the origin's final head */
    uint8_t interim; /* 1xx heads */
    uint16_t status;
    BodyKind body;   /* how the origin's body is framed for the client */
} ReplySide;

typedef struct Tunnel {
    bool open;
    bool up_over;   /* the end was passed on to the origin */
    bool down_over; /* ... to the client */
} Tunnel;

/* What River answers by itself (phase ANSWER). */
typedef struct OwnAnswer {
    const Respond *respond; /* NULL: a fault's own words, or `answer` as a handler left it */
    const Respond *refusal; /* a filter's words for its fault, or NULL */
    bool decided; /* `answer` is what is sent */
    bool begun;   /* its head is on the way */
    bool whole;   /* ... and all of its body */
    Answer answer;
    AnswerPlace place;
} OwnAnswer;

/* The file that is the answer's body, and what is awaited of it. */
typedef struct FileWait {
    Handle handle;    /* pinned (file_cache.h), or none */
    bool looking;     /* until it is opened */
    bool loading;     /* until the disk's threads have read */
    DiskBytes loaded; /* what they have read */
    size_t loaded_at; /* how much of that was taken */
} FileWait;

typedef struct FilterSlot FilterSlot;

/* How far the filters have come (filter_run.h). */
typedef struct FilterRun {
    FilterStage stage;  /* that runs; those before are over */
    bool announced;     /* the length of the request's body was judged */
    size_t next;        /* the filter of the stage to run next, or again after a pause */
    uint64_t paused_ms; /* since when it makes the exchange wait; 0: it does not */
    HeadEdit *edit;     /* the fields that the stage edits; NULL: none */
    FilterSlot *slots;  /* what uses remember (call_slot), the last one first */
} FilterRun;

/* When something last moved, and how fast. */
typedef struct Pace {
    uint64_t in_ms;  /* request body */
    uint64_t up_ms;  /* the origin gave something */
    uint64_t out_ms; /* the client took something */
    RateWindow receive;
    RateWindow send;
} Pace;

/* For counters and the access log. */
typedef struct Meter {
    uint64_t start_us;
    uint64_t connect_us;    /* in all tries */
    uint64_t first_byte_us; /* of the answer, since the start; 0: none has come */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t body_bytes_out;
} Meter;

typedef struct Exchange {
    Handle self;
    Handle client;
    Handle client_stream; /* HTTP/2: the client's stream; else none */
    const Service *service;
    const Route *route; /* NULL before ROUTE, and where there is none */
    uint8_t phase;
    bool counted;     /* in service->active */
    bool settled;     /* in Thread.settled */
    bool keep_client; /* the connection may serve another request */
    bool streams;     /* a quiet body is no fault: gRPC, event streams (see read_deadlines) */
    Fault fault;      /* what it ends with, or NONE */
    Fault retried;    /* the last one after which it was tried again, or NONE */
    uint32_t tries;
    PickKey pick;
    uint32_t *tried; /* numbers of the endpoints that it has been to in vain, in the arena */
    size_t tried_count;
    Arena arena;
    Str id; /* the client's own, or else: */
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

/* Whoever runs an exchange (client.c) sees in Client.over whether that ended it. */

/* Makes an exchange for a whole head that starts `bytes`; what follows the head lies in the
 * client's `in`. Runs it as far as it goes. False: there is no room for one. */
MUST_USE bool exchange_start(Thread *t, Client *c, Str head);
/* The same for a stream's first head, which is parsed already; without room the stream is reset. */
void exchange_start_stream(Thread *t, Client *c, MuxStream *s);
/* Answers a fault found before there was a whole head, on a connection that then ends. False: there
 * is no room for that. */
MUST_USE bool exchange_refuse(Thread *t, Client *c, Fault fault, Str head);
/* Something happened on one of the exchange's sides, or a deadline came: goes on as far as it goes.
 * Returns the client that sees to what follows; none: nothing does. */
Handle exchange_wake(Thread *t, Handle h);
/* Cuts it: River stops, or its client's connection has gone. */
void exchange_cut(Thread *t, Exchange *x, Fault fault);

/* The one deadline that counts for the phase (exchange_deadline.c). */
typedef struct Deadline {
    uint64_t due_ms; /* UINT64_MAX: none */
    Fault fault;     /* NONE: it only has to be looked at again */
} Deadline;
Deadline exchange_deadline(Thread *t, Exchange *x);

/* --- for the phases (request_phases.c, origin_phases.c, answer.c) --- */

typedef Step PhaseStep(Thread *t, Exchange *x);
PhaseStep phase_read_head, phase_screen, phase_route, phase_ask, phase_pick;
PhaseStep phase_connect, phase_send, phase_await, phase_reply, phase_relay;
PhaseStep phase_answer;

/* Decides what ANSWER says, and lets filters edit its fields. WAIT: one has paused. */
Step answer_prepare(Thread *t, Exchange *x);
/* Puts its head together. */
void answer_head(Thread *t, Exchange *x, HeadOut *out);
/* Takes back what a handler has decided, for a fault. */
void answer_forget(Exchange *x);
/* Whether ANSWER waits for the client to take what it was given. */
bool answer_blocked(const Thread *t, const Exchange *x);

/* --- what any phase may do (exchange_state.c) --- */

/* Gives it another turn soon, without waiting for readiness. */
void exchange_again(Thread *t, Exchange *x);
/* The disk's threads have read for it, or for one that has gone. */
void exchange_loaded(Thread *t, Handle h, DiskBytes *bytes);
/* Whether its client's connection should end with it. */
bool exchange_must_leave(const Thread *t, const Exchange *x);
/* "http" or "https": how the client came, as far as River and trusted proxies know. */
Str exchange_scheme(const Thread *t, const Exchange *x);
/* Gives the connection to the origin back to the pool if it may serve again, else ends it. */
void exchange_release_upstream(Thread *t, Exchange *x);
/* The origin has not answered in time: a connection that many share must show that it lives. */
void exchange_doubt_upstream(Thread *t, const Exchange *x);
/* Ends the connection to the origin and forgets it; `abort` as of upstream_close. */
void exchange_end_upstream(Thread *t, Exchange *x, bool abort);
/* The exchange is judged by this service from now on, which stays as it is until the end. */
void exchange_set_service(Thread *t, Exchange *x, const Service *s);
void exchange_unpin_service(Thread *t, const Exchange *x);
/* It goes to this endpoint, which is there until the next one, or the end. */
void exchange_set_endpoint(Thread *t, Exchange *x, const Endpoint *e);
void exchange_unpin_endpoint(Thread *t, const Exchange *x);

/* Whether a connection or stream to the origin is there. */
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

/* Neither wire nor stream: there is no connection. */
static inline Link link_upstream(const Thread *t, const Exchange *x)
{
    return x->try.lease ? lease_link(t, x->try.lease) : (Link){0};
}

/* Whoever wakes it names it so. */
static inline Token exchange_token(const Exchange *x)
{
    return token_of(TOKEN_EXCHANGE, x->self);
}

static inline Exchange *exchange_get(const Thread *t, Handle h)
{
    return (Exchange *)pool_get(&t->exchanges, h);
}

#endif
