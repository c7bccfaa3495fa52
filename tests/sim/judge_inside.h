/* judge_inside.h - what the judges ask of River's insides. */
#ifndef SIM_JUDGE_INSIDE_H
#define SIM_JUDGE_INSIDE_H

#include "pool/fetch.h"
#include "proxy/exchange.h"
#include "pool/upstream.h"

/* The exchange that a lease is for; NULL: none is, or it has gone. */
static inline const Exchange *exchange_of(const Thread *t, const Lease *l)
{
    bool is = l && token_kind(l->owner) == TOKEN_EXCHANGE;
    return is ? exchange_get(t, token_handle(l->owner)) : NULL;
}

/* The same for a request of River's own. */
static inline const Fetch *fetch_of(const Thread *t, const Lease *l)
{
    bool is = l && token_kind(l->owner) == TOKEN_FETCH;
    return is ? fetch_get(t, token_handle(l->owner)) : NULL;
}

#endif
