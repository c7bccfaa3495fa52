/* endpoint_pick.h - the endpoint that a request's next try goes to. */
#ifndef PROXY_ENDPOINT_PICK_H
#define PROXY_ENDPOINT_PICK_H

#include "proxy/exchange.h"

/* By the policy of the route's cluster, out of its newest set. Passed over are, as long as there is
 * another one: endpoints that the request has been to in vain, and those that could not be reached
 * of late; always: those that take no new requests. What it returns is there until the turn ends,
 * or as long as the exchange has it (exchange_set_endpoint). FAULT_NO_ENDPOINT, FAULT_MEMORY. */
Fault endpoint_pick(Thread *t, Exchange *x, const Endpoint **ret);
/* The same for a request of River's own, which has one try; `hashed`: the key of policies that hash.
 * FAULT_NO_ENDPOINT. */
Fault endpoint_pick_once(Thread *t, Cluster *c, Str hashed, const Endpoint **ret);

#endif
