/* filter.h - the interface of filters (room filter): what may look at a request or a response on
 * its way, change its fields, or answer in its place.
 *
 * A kind is one file and one line in filter/all.def. Its schema says what a person may write;
 * `setup` turns that into an immutable state, once, when the configuration is read. Hooks get a
 * FilterCall, which shows them what they may read and do (filter_call.h). They run on the
 * exchange's thread and never block. */
#ifndef PROXY_FILTER_H
#define PROXY_FILTER_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/schema.h"
#include "transport/fault.h"
#include "transport/head_edit.h"
#include "proxy/limiter.h"

typedef struct FilterCall FilterCall;

/* Where a filter runs, in the order in which an exchange comes by. Seven are River's control
 * points; LIMIT holds the rules of `rate-limiting`, which run after REQUEST so that a request that
 * is refused there spends no token. */
typedef enum FilterStage {
    STAGE_REQUEST,           /* the request has arrived (phase ASK) */
    STAGE_LIMIT,             /* the same, later */
    STAGE_PEER,              /* an endpoint is about to be chosen, at each try (PICK) */
    STAGE_UPSTREAM_REQUEST,  /* the fields for the origin; further tries send the same (CONNECT,
                              * before there is a connection) */
    STAGE_UPSTREAM_RESPONSE, /* the origin's final head has arrived (REPLY) */
    STAGE_RESPONSE,          /* every final head for the client (REPLY), River's own too (ANSWER) */
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
    VERDICT_PAUSE,  /* the same hook is called again whenever the exchange is woken (call_token);
                     * after FILTER_PAUSE_MS the request fails with FAULT_FILTER_TIMEOUT. Not in the
                     * stages of bodies */
    VERDICT_ANSWER, /* `respond` is the answer; NULL: what was put into call_answer (STAGE_REQUEST
                     * only) */
    VERDICT_FAIL    /* `fault` happened; `respond`, where set, is how it is answered */
} VerdictKind;

typedef struct Verdict {
    VerdictKind kind;
    Fault fault;
    const Respond *respond; /* of the filter's state or the exchange's arena */
} Verdict;

#define FILTER_PAUSE_MS 60000u /* how long one filter may make a request wait */

#define PASS ((Verdict){.kind = VERDICT_PASS})
#define PAUSE ((Verdict){.kind = VERDICT_PAUSE})
/* A fault in its own words, or in those of `words` (const Respond *). */
#define REFUSE(what) ((Verdict){.kind = VERDICT_FAIL, .fault = (what)})
#define REFUSE_WITH(what, words)                                                                   \
    ((Verdict){.kind = VERDICT_FAIL, .fault = (what), .respond = (words)})
/* With what is in call_answer. */
#define ANSWERED ((Verdict){.kind = VERDICT_ANSWER})

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

/* How an exchange has ended. */
typedef struct FilterOutcome {
    uint16_t status; /* sent to the client; 0: none was */
    Fault fault;     /* NONE: it went well */
    uint64_t bytes_in;
    uint64_t bytes_out;
} FilterOutcome;

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
    /* What the kind remembers of an exchange (call_slot), in bytes; 0: nothing. */
    size_t slot_bytes;
    /* STAGE_REQUEST, STAGE_LIMIT and STAGE_PEER. */
    Verdict (*request)(FilterCall *call);
    /* STAGE_REQUEST: whether a client's connection is closed at once, before a byte is read. */
    bool (*refuses)(const void *state, const IpAddress *client);
    /* STAGE_LIMIT: an earlier filter has refused the request. How long until this one would let it
     * pass, in milliseconds; 0: it would now. Takes nothing. */
    uint64_t (*wait)(FilterCall *call);
    /* STAGE_LIMIT: a later filter has refused the request. Gives back what `request` took. */
    void (*undo)(FilterCall *call);
    /* STAGE_UPSTREAM_REQUEST, STAGE_UPSTREAM_RESPONSE and STAGE_RESPONSE. An answer to a fault goes
     * out even if this one fails. */
    Verdict (*head)(FilterCall *call, HeadEdit *edit);
    /* STAGE_REQUEST_BODY and STAGE_RESPONSE_BODY. Before the head of such a message goes out, once
     * with the length it announces; then with each piece. `bytes`: the body's so far, this piece
     * included, or the announced length. */
    Verdict (*body)(FilterCall *call, uint64_t bytes, Str data);
    /* The exchange has ended, however it did. Called once for each use that has a slot; what the
     * slot holds outside of the exchange's memory is given back here. */
    void (*finish)(FilterCall *call, const FilterOutcome *outcome);
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

#endif
