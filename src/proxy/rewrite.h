/* rewrite.h - another path for the origin than the client's, and answers mapped back to it.
 *
 * Rules and routes judge the client's path; the origin's is computed from the very bytes that were
 * judged. Where a path has several readings (http/readings.h), each reading of the origin's path
 * must be the image of one that was judged: else a path like "/app/../admin" would mean something
 * that no rule has seen once "/app" is taken off. */
#ifndef PROXY_REWRITE_H
#define PROXY_REWRITE_H

#include "proxy/exchange.h"

/* Computes the origin's path by the route's `rewrite`, once: FAULT_NO_ROUTE if the path does not
 * begin with what is taken off, FAULT_PATH_AMBIGUOUS as above. */
Step rewrite_request(Thread *t, Exchange *x);
/* Maps Location, Content-Location and the paths of cookies in a final response back to the
 * client's paths, if the route wants it; once. Relative references and URIs of other hosts stay.
 * False: no memory. */
MUST_USE bool rewrite_response(Exchange *x);

#endif
