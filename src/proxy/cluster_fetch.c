/* cluster_fetch.c - see cluster_fetch.h. */
#include "proxy/cluster_fetch.h"

#include "proxy/endpoint_pick.h"

Err cluster_fetch(Thread *t, Cluster *c, const FetchPlan *plan, Handle *ret)
{
    const Endpoint *e = NULL;
    Str path = str_cut(plan->target, '?').head;
    if (endpoint_pick_once(t, c, path, &e) != FAULT_NONE) {
        return ERR_MISSING;
    }
    FetchPlan to = *plan;
    to.origin = e->origin;
    to.endpoint = e;
    return fetch_start(t, &to, ret);
}
