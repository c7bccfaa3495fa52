/* refusal.h - what the error log says about requests and connections that River refuses or that
 * fail; at most one line a minute for each reason (pool/summary.h). */
#ifndef PROXY_REFUSAL_H
#define PROXY_REFUSAL_H

#include "net/address.h"
#include "pool/summary.h"

typedef struct Exchange Exchange;

typedef enum RefusalEnd {
    REFUSAL_ANSWERED,   /* by River */
    REFUSAL_UNANSWERED, /* no answer is possible, or one had begun */
    REFUSAL_RETRIED     /* another try follows */
} RefusalEnd;

/* The exchange has met its fault `x->fault`. */
void refusal_of_request(Thread *t, const Exchange *x, RefusalEnd end);
/* A connection ends, or loses requests, because of the fault. `message` is a literal; `why` may be
 * empty; `requests` is how many of them (0: the connection itself). */
void refusal_of_connection(Thread *t, Peer peer, Fault fault, Str message, Str why,
                           uint64_t requests);

#endif
