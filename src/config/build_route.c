/* build_route.c - where requests go: clusters with their balancing tables, one shared pool for each
 * distinct endpoint, River's own answers, and the router that chooses among routes. */
#include "balance/policies.h"
#include "base/number.h"
#include "config/build.h"
#include "filter/file_server.h"

/* ---- endpoints ---- */

static size_t count_connectors(const Settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->service_count; i++) {
        const ServiceSettings *s = &settings->services[i];
        count += s->action.cluster.connector_count;
        for (size_t k = 0; k < s->route_count; k++) {
            count += s->routes[k].action.cluster.connector_count;
        }
    }
    return count;
}

Err build_open(Builder *b)
{
    size_t room = count_connectors(b->settings) + 1;
    b->snapshot->origins = arena_array(b->arena, const Endpoint *, room);
    b->origin_next = arena_array(b->arena, uint32_t, room);
    b->clients = (BuiltClients){.room = room,
                                .list = arena_array(b->arena, BuiltClient, room),
                                .shelf = b->inputs->shelf};
    if (!b->snapshot->origins || !b->origin_next || !b->clients.list) {
        return ERR_MEMORY;
    }
    return str_map_open(b->arena, room, &b->origins);
}

static Err address_build(const SettingsAddress *from, Address *ret)
{
    if (from->unix_path.len) {
        return address_unix(from->unix_path, ret);
    }
    *ret = address_ip(from->ip, from->port);
    return ERR_OK;
}

/* Endpoints that differ in a limit or a deadline of their connections, in their TLS identity or in
 * what is spoken do not share a pool. */
static bool is_same_origin(const Endpoint *a, const Endpoint *b)
{
    return a->tls == b->tls && a->protocol == b->protocol &&
           a->connections_max == b->connections_max && a->idle_timeout_ms == b->idle_timeout_ms &&
           a->connect_timeout_ms == b->connect_timeout_ms;
}

/* The pool for an endpoint: that of an equal one, if there is one. Those of one name are a chain
 * that begins at the oldest. */
static uint32_t origin_index(Builder *b, const Endpoint *e)
{
    Snapshot *s = b->snapshot;
    uint32_t fresh = (uint32_t)s->origin_count;
    uint32_t at = 0;
    if (str_map_find(&b->origins, 0, e->name, &at)) {
        while (!is_same_origin(s->origins[at], e)) {
            if (b->origin_next[at] == 0) {
                b->origin_next[at] = fresh;
            }
            at = b->origin_next[at];
            if (at == fresh) {
                break;
            }
        }
    } else {
        str_map_add(&b->origins, 0, e->name, fresh);
        at = fresh;
    }
    if (at == fresh) {
        s->origin_count++;
        s->origins[fresh] = e;
    }
    return at;
}

static EndpointProtocol protocol_build(ProtocolChoice from)
{
    switch (from) {
    case PROTOCOL_H1:
        return ENDPOINT_H1;
    case PROTOCOL_H2:
        return ENDPOINT_H2;
    case PROTOCOL_H2_OR_H1:
        return ENDPOINT_H2_OR_H1;
    }
    return ENDPOINT_H1;
}

static Err endpoint_build(Builder *b, const ConnectorSettings *from, Endpoint *e)
{
    *e = (Endpoint){
        .protocol = protocol_build(from->protocol),
        .name = from->address.text,
        .weight = from->weight,
        .connect_timeout_ms = from->connection_timeout_ms,
        .connect_wait_ms = from->total_connection_timeout_ms ? from->total_connection_timeout_ms
                                                             : from->connection_timeout_ms,
        .read_timeout_ms = from->read_timeout_ms,
        .write_timeout_ms = from->write_timeout_ms,
        .idle_timeout_ms = from->idle_timeout_ms,
        .connections_max = (uint32_t)u64_min(from->connections_max, UINT32_MAX),
    };
    TRY(address_build(&from->address, &e->address));
    if (from->tls.name.len > 0) {
        TRY(build_client(&b->clients, b->settings, from, &e->tls));
    }
    e->origin = origin_index(b, e);
    return ERR_OK;
}

static Err cluster_build(Builder *b, const ClusterSettings *from, const Cluster **ret)
{
    Arena *a = b->arena;
    Cluster *c = arena_new(a, Cluster);
    Endpoint *endpoints = arena_array(a, Endpoint, from->connector_count);
    _Atomic uint64_t *sequence = (_Atomic uint64_t *)arena_alloc(a, 64);
    if (!c || !endpoints || !sequence) {
        return ERR_MEMORY;
    }
    c->endpoint_count = from->connector_count;
    c->endpoints = endpoints;
    c->sequence = sequence;
    for (size_t i = 0; i < from->connector_count; i++) {
        TRY(endpoint_build(b, &from->connectors[i], &endpoints[i]));
    }
    c->balancer = policy_find(from->selection);
    c->hash_source = from->hash_key == HASH_KEY_SOURCE_AND_PATH;
    CHECK(c->balancer != NULL);
    c->table = c->balancer->build(c, a);
    *ret = c;
    return c->table ? ERR_OK : ERR_MEMORY;
}

/* ---- answers of River's own ---- */

static Err file_server_build(Builder *b, const FileServerSettings *from, Route *ret)
{
    FileServer *files = arena_new(b->arena, FileServer);
    if (!files) {
        return ERR_MEMORY;
    }
    CHECK(from->root < b->inputs->root_count);
    *files = (FileServer){.root = b->inputs->roots[from->root],
                          .dotfiles = from->dotfiles,
                          .index = from->index,
                          .prefix = from->prefix};
    ret->handler = (FilterUse){.kind = &filter_file_server, .state = files};
    return ERR_OK;
}

static Err respond_build(Builder *b, const RespondSettings *from, const Respond **ret)
{
    Respond *respond = arena_new(b->arena, Respond);
    if (!respond) {
        return ERR_MEMORY;
    }
    *respond = (Respond){
        .status = from->status, .content_type = from->content_type, .body = from->body};
    *ret = respond;
    return ERR_OK;
}

static Err action_build(Builder *b, const ActionSettings *from, Route *ret)
{
    switch (from->kind) {
    case ACTION_PROXY:
        return cluster_build(b, &from->cluster, &ret->cluster);
    case ACTION_RESPOND:
        return respond_build(b, &from->respond, &ret->respond);
    case ACTION_REDIRECT:
        ret->handler = (FilterUse){.kind = &filter_redirect, .state = &from->redirect};
        return ERR_OK;
    case ACTION_FILES:
        return file_server_build(b, &from->files, ret);
    }
    return ERR_OK;
}

/* ---- routes ---- */

Err build_routes(Builder *b, const ServiceSettings *from, Service *ret)
{
    if (from->route_count == 0) {
        return action_build(b, &from->action, &ret->route);
    }
    Router *router = arena_new(b->arena, Router);
    RouterRule *rules = arena_array(b->arena, RouterRule, from->route_count);
    if (!router || !rules) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->route_count; i++) {
        const RouteSettings *route = &from->routes[i];
        rules[i] = (RouterRule){.match = route->match,
                                .path = route->path,
                                .methods = route->methods,
                                .route = {.path = route->path}};
        TRY(action_build(b, &route->action, &rules[i].route));
    }
    TRY(respond_build(b, &from->no_route, &ret->no_route));
    TRY(router_build(b->arena, rules, from->route_count, router));
    ret->router = router;
    return ERR_OK;
}

static void drop_route(const Route *route)
{
    for (size_t i = 0; route->cluster && i < route->cluster->endpoint_count; i++) {
        tls_client_unref(route->cluster->endpoints[i].tls);
    }
}

void drop_routes(const Service *s)
{
    drop_route(&s->route);
    for (size_t i = 0; s->router && i < s->router->rule_count; i++) {
        drop_route(&s->router->rules[i].route);
    }
    if (s->router) {
        router_drop(s->router);
    }
}
