/* endpoint_pick.h - chooses the endpoint for a request's next try. */
#ifndef PROXY_ENDPOINT_PICK_H
#define PROXY_ENDPOINT_PICK_H

#include "proxy/exchange.h"

/* Picks by the policy of the route's cluster, from its newest set. Skipped if there is another:
 * endpoints that this request has tried in vain, and those unreachable recently. Always skipped:
 * those that take no new requests. The result is valid until the turn ends, or as long as the
 * exchange holds it (exchange_set_endpoint). FAULT_NO_ENDPOINT, FAULT_MEMORY. */
Fault endpoint_pick(Thread *t, Exchange *x, const Endpoint **ret);
/* The same for a request of River's own, which has one try; `hashed`: the key of hashing policies.
 * FAULT_NO_ENDPOINT. */
Fault endpoint_pick_once(Thread *t, Cluster *c, Str hashed, const Endpoint **ret);

#endif
