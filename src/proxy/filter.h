/* filter.h - the interface of filters (room filter): what may look at a request or a response on
 * its way, change its fields, or answer in its place.
 *
 * A kind is one file and one line in filter/all.def. Its schema says what a person may write;
 * `setup` turns that into an immutable state, once, when the configuration is read; the hooks get
 * that state and the exchange. Hooks run on the exchange's thread and never block. */
#ifndef PROXY_FILTER_H
#define PROXY_FILTER_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/schema.h"
#include "transport/fault.h"
#include "transport/head_edit.h"
#include "proxy/limiter.h"

typedef struct Thread Thread;
typedef struct Exchange Exchange;

/* Where a filter runs. The first seven are River's control points; LIMIT are the rules of
 * `rate-limiting`, which run behind REQUEST so that who is refused there spends no token. */
typedef enum FilterStage {
    STAGE_REQUEST,           /* the request has arrived (phase ASK) */
    STAGE_LIMIT,             /* the same, later */
    STAGE_PEER,              /* an endpoint is about to be chosen, at each try (PICK) */
    STAGE_UPSTREAM_REQUEST,  /* the fields for the origin; further tries send the same (SEND) */
    STAGE_UPSTREAM_RESPONSE, /* the origin's final head has arrived (AWAIT) */
    STAGE_RESPONSE,          /* every final head for the client, River's own too (REPLY) */
    STAGE_REQUEST_BODY,      /* each piece of the body */
    STAGE_RESPONSE_BODY,
    STAGE_COUNT
} FilterStage;

/* An answer that River gives by itself. */
typedef struct Respond {
    uint16_t status;
    Str content_type; /* empty: none */
    Str body;         /* empty, and the answer is a refusal: the status in words */
    uint32_t retry_after_s; /* 0: says nothing of it */
} Respond;

typedef enum VerdictKind {
    VERDICT_PASS,
    VERDICT_PAUSE,  /* the filter is asked again when the exchange is woken (STAGE_REQUEST only);
                     * one that never wakes it ends in FAULT_FILTER_TIMEOUT */
    VERDICT_ANSWER, /* `respond` is the answer (STAGE_REQUEST only) */
    VERDICT_FAIL    /* `fault` happened; `respond`, where set, is how it is answered */
} VerdictKind;

typedef struct Verdict {
    VerdictKind kind;
    Fault fault;
    const Respond *respond; /* of the filter's state or the exchange's arena */
} Verdict;

#define PASS ((Verdict){.kind = VERDICT_PASS})
#define PAUSE ((Verdict){.kind = VERDICT_PAUSE})

/* What is written for one of the schema's properties, in the schema's order. */
typedef struct FilterValue {
    bool set;     /* written in the file; else the schema's default stands here, if it has one */
    Str text;     /* of every kind, as the file writes it; lives as long as the state */
    Str bytes;    /* of CIDRS_FILE: what the named file holds; gone after the set-up */
    uint64_t number; /* of INTEGER */
    bool truth;      /* of BOOL */
} FilterValue;

typedef struct FilterSetup {
    FilterStage stage;
    uint32_t limiter; /* of a kind with `limiter`: the number of its own in Worker.limiters */
    size_t count;
    const FilterValue *values COUNTED_BY(count);
} FilterSetup;

/* What is wrong with a value, where only the filter can tell. */
typedef struct FilterMistake {
    size_t value; /* its index */
    Str sentence; /* static, or in the arena */
} FilterMistake;

typedef struct FilterKind FilterKind;
struct FilterKind {
    SchemaNode schema; /* name, sentence and properties */
    /* The state for what was written; NULL: *ret_mistake says what is wrong, or with an empty
     * sentence that the arena is full. Called for the check of a configuration, too. */
    const void *(*setup)(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake);
    /* Gives up what of the state does not lie in the arena; NULL: nothing. */
    void (*drop)(const void *state);
    /* The rule of the buckets that this filter shares among all threads, by what was written. They
     * change and outlive configurations, so they are the worker's (Worker.limiters). NULL: none. */
    LimiterRule (*limiter)(const FilterSetup *setup);
    /* STAGE_REQUEST, STAGE_LIMIT and STAGE_PEER. */
    Verdict (*request)(Thread *t, Exchange *x, const void *state);
    /* STAGE_REQUEST: whether a client's connection is closed at once, before a byte is read. */
    bool (*refuses)(const void *state, const IpAddress *client);
    /* STAGE_LIMIT: an earlier filter has refused the request. How long until this one would let it
     * pass, in milliseconds; 0: it would now. Takes nothing. */
    uint64_t (*wait)(Thread *t, Exchange *x, const void *state);
    /* A later filter of STAGE_LIMIT has refused the request: gives back what `request` took. */
    void (*undo)(Thread *t, Exchange *x, const void *state);
    /* STAGE_UPSTREAM_REQUEST, STAGE_UPSTREAM_RESPONSE and STAGE_RESPONSE. */
    Verdict (*head)(Thread *t, Exchange *x, const void *state, HeadEdit *edit);
    /* STAGE_REQUEST_BODY and STAGE_RESPONSE_BODY. Before the head of such a message goes out, once
     * with the length it announces; then with each piece. `bytes`: the body's so far, this piece
     * included, or the announced length. */
    Verdict (*body)(Thread *t, Exchange *x, const void *state, uint64_t bytes, Str data);
};

/* A filter where the file has written it. */
typedef struct FilterUse {
    const FilterKind *kind;
    const void *state;
} FilterUse;

typedef struct FilterChain {
    size_t count;
    const FilterUse *uses COUNTED_BY(count);
} FilterChain;

/* Whether a filter of STAGE_REQUEST wants the client's connection closed at once. */
bool filter_refuses(const FilterChain *chain, const IpAddress *client);

/* For the functions below, which leave it to these where there is a filter: a service without
 * filters pays a comparison. A verdict that the stage does not know becomes
 * FAULT_INTERNAL_FILTER. */
Verdict filter_run_request(Thread *t, Exchange *x, FilterStage stage, const FilterChain *chain,
                           size_t *at);
Verdict filter_run_head(Thread *t, Exchange *x, const FilterChain *chain, HeadEdit *edit);
Verdict filter_run_body(Thread *t, Exchange *x, const FilterChain *chain, uint64_t bytes, Str data);

/* Runs STAGE_REQUEST, STAGE_LIMIT or STAGE_PEER from *at on, which is left where a filter
 * pauses. */
static inline Verdict filter_request(Thread *t, Exchange *x, FilterStage stage,
                                     const FilterChain *chains, size_t *at)
{
    const FilterChain *chain = &chains[stage];
    return chain->count == 0 ? PASS : filter_run_request(t, x, stage, chain, at);
}

/* Runs a stage of heads. */
static inline Verdict filter_head(Thread *t, Exchange *x, const FilterChain *chain, HeadEdit *edit)
{
    return chain->count == 0 ? PASS : filter_run_head(t, x, chain, edit);
}

/* Runs a stage of bodies. */
static inline Verdict filter_body(Thread *t, Exchange *x, const FilterChain *chain, uint64_t bytes,
                                  Str data)
{
    return chain->count == 0 ? PASS : filter_run_body(t, x, chain, bytes, data);
}

#endif
