/* filter.h - the interface of filters (room filter): they may inspect a request or a response on
 * its way, change its fields, or answer in its place.
 *
 * A kind is one file and one line in filter/all.def. Its schema defines what can be configured;
 * `setup` turns that into an immutable state once, when the configuration is read. Hooks get a
 * FilterCall, through which they read and act (filter_call.h). They run on the exchange's thread
 * and never block. */
#ifndef PROXY_FILTER_H
#define PROXY_FILTER_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/schema.h"
#include "transport/fault.h"
#include "transport/head_edit.h"
#include "proxy/limiter.h"

typedef struct FilterCall FilterCall;

/* Where a filter runs, in the order of an exchange. Seven are River's control points; LIMIT holds
 * the rules of `rate-limiting`, which run after REQUEST so that a request refused there spends no
 * token. */
typedef enum FilterStage {
    STAGE_REQUEST,           /* the request has arrived (phase ASK) */
    STAGE_LIMIT,             /* the same, later */
    STAGE_PEER,              /* before each choice of an endpoint (PICK) */
    STAGE_UPSTREAM_REQUEST,  /* the fields for the origin, reused by retries (CONNECT, before there
                              * is a connection) */
    STAGE_UPSTREAM_RESPONSE, /* the origin's final head has arrived (REPLY) */
    STAGE_RESPONSE,          /* every final head for the client (REPLY), or River's own (ANSWER) */
    STAGE_REQUEST_BODY,      /* each piece of the body */
    STAGE_RESPONSE_BODY,
    STAGE_COUNT
} FilterStage;

/* An answer of River's own. */
typedef struct Respond {
    uint16_t status;
    Str content_type; /* empty: none */
    Str body;         /* empty in a refusal: the status in words */
    uint32_t retry_after_s; /* 0: no Retry-After */
} Respond;

typedef enum VerdictKind {
    VERDICT_PASS,
    VERDICT_PAUSE,  /* the same hook is called again whenever the exchange is woken (call_token);
                     * after FILTER_PAUSE_MS the request fails with FAULT_FILTER_TIMEOUT. Not in the
                     * body stages */
    VERDICT_ANSWER, /* answers with `respond`; NULL: with call_answer (STAGE_REQUEST only) */
    VERDICT_FAIL    /* fails with `fault`; `respond`, if set, is the answer */
} VerdictKind;

typedef struct Verdict {
    VerdictKind kind;
    Fault fault;
    const Respond *respond; /* in the filter's state or the exchange's arena */
} Verdict;

#define FILTER_PAUSE_MS 60000u /* maximum pause of one filter */

#define PASS ((Verdict){.kind = VERDICT_PASS})
#define PAUSE ((Verdict){.kind = VERDICT_PAUSE})
/* Fails with the fault's default answer, or with `words` (const Respond *). */
#define REFUSE(what) ((Verdict){.kind = VERDICT_FAIL, .fault = (what)})
#define REFUSE_WITH(what, words)                                                                   \
    ((Verdict){.kind = VERDICT_FAIL, .fault = (what), .respond = (words)})
/* Answers with call_answer. */
#define ANSWERED ((Verdict){.kind = VERDICT_ANSWER})

/* The value configured for a property of the schema, in the schema's order. */
typedef struct FilterValue {
    bool set;     /* present in the file; otherwise this is the default, if there is one */
    Str text;     /* for all kinds, as written in the file; lives as long as the state */
    Str bytes;    /* of CIDRS_FILE: the content of the file; valid only during set-up */
    uint64_t number; /* of INTEGER */
    bool truth;      /* of BOOL */
} FilterValue;

typedef struct FilterSetup {
    FilterStage stage;
    uint32_t limiter; /* for kinds with `limiter`: the number of its own one in Worker.limiters */
    size_t count;
    const FilterValue *values COUNTED_BY(count);
} FilterSetup;

/* An invalid value that only the filter can detect. */
typedef struct FilterMistake {
    size_t value; /* its index */
    Str sentence; /* static, or in the arena */
} FilterMistake;

/* The end of an exchange. */
typedef struct FilterOutcome {
    uint16_t status; /* sent to the client; 0: none */
    Fault fault;     /* NONE: success */
    uint64_t bytes_in;
    uint64_t bytes_out;
} FilterOutcome;

typedef struct FilterKind FilterKind;
struct FilterKind {
    SchemaNode schema; /* name, sentence and properties */
    /* Builds the state from the configured values; NULL: *ret_mistake says what is wrong, or has an
     * empty sentence if the arena is full. Also called to check a configuration. */
    const void *(*setup)(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake);
    /* Frees those parts of the state that are not in the arena; NULL: none. */
    void (*drop)(const void *state);
    /* The rule of the buckets that this filter shares among all threads, from the configured
     * values. They are mutable and outlive configurations, so the worker owns them
     * (Worker.limiters). NULL: none. */
    LimiterRule (*limiter)(const FilterSetup *setup);
    /* Size of the kind's memory per exchange (call_slot), in bytes; 0: none. */
    size_t slot_bytes;
    /* STAGE_REQUEST, STAGE_LIMIT and STAGE_PEER. */
    Verdict (*request)(FilterCall *call);
    /* STAGE_REQUEST: whether to close a client's connection at once, before reading from it. */
    bool (*refuses)(const void *state, const IpAddress *client);
    /* STAGE_LIMIT: an earlier filter has refused the request. The time until this one would let it
     * pass, in milliseconds; 0: now. Takes nothing. */
    uint64_t (*wait)(FilterCall *call);
    /* STAGE_LIMIT: a later filter has refused the request. Gives back what `request` took. */
    void (*undo)(FilterCall *call);
    /* STAGE_UPSTREAM_REQUEST, STAGE_UPSTREAM_RESPONSE and STAGE_RESPONSE. The answer to a fault is
     * sent even if this hook fails. */
    Verdict (*head)(FilterCall *call, HeadEdit *edit);
    /* STAGE_REQUEST_BODY and STAGE_RESPONSE_BODY. Called once before the head of such a message is
     * sent, with the announced length; then for each piece. `bytes`: body bytes so far, including
     * this piece, or the announced length. */
    Verdict (*body)(FilterCall *call, uint64_t bytes, Str data);
    /* The exchange has ended, successfully or not. Called once for each use that has a slot; must
     * free what the slot holds outside the exchange's memory. */
    void (*finish)(FilterCall *call, const FilterOutcome *outcome);
};

/* One use of a filter in the configuration. */
typedef struct FilterUse {
    const FilterKind *kind;
    const void *state;
} FilterUse;

typedef struct FilterChain {
    size_t count;
    const FilterUse *uses COUNTED_BY(count);
} FilterChain;

#endif
