/* cluster_fetch.h - requests of River's own to a cluster: its policy picks the endpoint. */
#ifndef PROXY_CLUSTER_FETCH_H
#define PROXY_CLUSTER_FETCH_H

#include "pool/fetch.h"
#include "proxy/cluster.h"

/* Starts a fetch to the endpoint that the cluster's policy picks now; the plan's `origin` and
 * `endpoint` are not looked at. Policies that hash look at the target's path. The endpoint is kept
 * until fetch_end, even if a change removes it from the cluster. Errors as of fetch_start;
 * ERR_MISSING: no endpoint takes requests. */
MUST_USE Err cluster_fetch(Thread *t, Cluster *c, const FetchPlan *plan, Handle *ret);

#endif
