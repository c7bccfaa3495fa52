/* endpoint_node.c - the endpoints of clusters: numbers, pools, and freeing. */
#include "proxy/cluster_inside.h"

#define ORIGIN_KEY_BYTES_MAX 512u

/* The key of an endpoint's pool. Endpoints that differ in connection limits or deadlines, TLS
 * identity or protocol do not share a pool. */
static Str origin_key(const Endpoint *e, Text *t)
{
    text_add(t, e->name);
    text_format(t, "\n%d %u %llu %llu ", (int)e->protocol, e->connections_max,
                (unsigned long long)e->idle_timeout_ms, (unsigned long long)e->connect_timeout_ms);
    text_hex_word(t, e->tls_identity.words[0]);
    text_hex_word(t, e->tls_identity.words[1]);
    return text_str(t);
}

/* The name and the TLS client belong to the pool, which lives at least as long. */
static Err hold_origin(Worker *w, Endpoint *e)
{
    uint8_t room[ORIGIN_KEY_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room));
    Str key = origin_key(e, &t);
    if (t.overflow) {
        return ERR_LIMIT;
    }
    TRY(worker_hold_origin(w, key, e, &e->origin));
    e->name = w->group.origins[e->origin].own.name;
    e->tls = w->group.origins[e->origin].own.tls;
    return ERR_OK;
}

Err node_new(Worker *w, const Endpoint *from, EndpointNode **ret)
{
    Handle h;
    EndpointNode *n = (EndpointNode *)pool_take(&w->clusters.endpoints, &h);
    if (!n) {
        return ERR_FULL;
    }
    *n = (EndpointNode){.endpoint = *from, .self = h, .fresh = true};
    n->endpoint.number = h.slot;
    Err err = hold_origin(w, &n->endpoint);
    if (err != ERR_OK) {
        pool_give(&w->clusters.endpoints, h);
        return err;
    }
    *ret = n;
    return ERR_OK;
}

void node_drop(Worker *w, EndpointNode *n)
{
    worker_release_origin(w, n->endpoint.origin);
    pool_give(&w->clusters.endpoints, n->self);
}

void node_leave(Worker *w, EndpointNode *n, uint64_t retirement)
{
    n->left = retirement;
    n->next = w->clusters.leaving;
    w->clusters.leaving = n;
}
