/* route.c - where requests go: clusters (proxy/cluster.h), River's own answers, and the router that
 * chooses among routes. */
#include "balance/policies.h"
#include "base/number.h"
#include "build/build.h"
#include "filter/file_server.h"

#define SCRATCH_BYTES_MAX (256u << 20)

/* ---- endpoints ---- */

static size_t count_connectors(const ServiceSettings *s)
{
    size_t count = s->action.cluster.connector_count;
    for (size_t k = 0; k < s->route_count; k++) {
        count += s->routes[k].action.cluster.connector_count;
    }
    return count;
}

static Err address_build(const SettingsAddress *from, Address *ret)
{
    if (from->unix_path.len) {
        return address_unix(from->unix_path, ret);
    }
    *ret = address_ip(from->ip, from->port);
    return ERR_OK;
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

/* Fills in the endpoint; the cluster later adds its number and the pool's. */
static Err endpoint_build(Build *b, const ConnectorSettings *from, Endpoint *e)
{
    Part *p = b->part;
    *e = (Endpoint){
        .protocol = protocol_build(from->protocol),
        .tls_identity = from->tls.identity,
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
        uint32_t client = 0;
        CHECK(p->client_count < p->client_room);
        TRY(hold_client(b, from, &client));
        p->clients[p->client_count++] = client;
        e->tls = b->builder->clients[client];
    }
    return ERR_OK;
}

/* The name that identifies a cluster across configurations: its service and route. Duplicates
 * within a configuration are numbered. */
static Str cluster_name(Str service, const RouteSettings *route, unsigned again, Text *t)
{
    text_add(t, service);
    text_format(t, "\n%u %u ", again, route ? 1 + (unsigned)route->match : 0);
    text_add(t, route ? route->path : STR_NONE);
    return text_str(t);
}

/* Takes the worker's cluster for this route, one that no other route of this configuration has. */
static Err hold_cluster(Build *b, Arena *scratch, const RouteSettings *route, uint32_t *ret)
{
    Worker *w = b->builder->worker;
    Part *p = b->part;
    Span room;
    for (unsigned again = 0;; again++) {
        size_t bytes = b->service->name.len + (route ? route->path.len : 0) + 40;
        if (!arena_span(scratch, bytes, &room)) {
            return ERR_MEMORY;
        }
        Text t = text_in(room);
        TRY(cluster_hold(w, cluster_name(b->service->name, route, again, &t), ret));
        if (!cluster_is_prepared(&w->clusters.list[*ret])) {
            CHECK(p->cluster_count < p->cluster_room);
            p->clusters[p->cluster_count++] = *ret;
            return ERR_OK;
        }
        cluster_release(w, *ret);
    }
}

static Err cluster_plan(Build *b, Arena *scratch, const RouteSettings *route,
                        const ClusterSettings *from, Cluster **ret)
{
    Worker *w = b->builder->worker;
    uint32_t number = 0;
    Endpoint *endpoints = arena_array(scratch, Endpoint, from->connector_count);
    if (!endpoints) {
        return ERR_MEMORY;
    }
    TRY(hold_cluster(b, scratch, route, &number));
    for (size_t i = 0; i < from->connector_count; i++) {
        TRY(endpoint_build(b, &from->connectors[i], &endpoints[i]));
    }
    ClusterPlan plan = {.balancer = policy_find(from->selection),
                        .hash_source = from->hash_key == HASH_KEY_SOURCE_AND_PATH,
                        .count = from->connector_count};
    plan.endpoints = endpoints;
    *ret = &w->clusters.list[number];
    return cluster_prepare(w, number, &plan);
}

static Err cluster_build(Build *b, const RouteSettings *route, const ClusterSettings *from,
                         Cluster **ret)
{
    Arena scratch;
    arena_init(&scratch, &b->builder->blocks, SCRATCH_BYTES_MAX);
    Err err = cluster_plan(b, &scratch, route, from, ret);
    arena_reset(&scratch);
    return err;
}

static Err rewrite_build(Arena *a, const ClusterSettings *from, Route *ret)
{
    if (!from->rewrites) {
        return ERR_OK;
    }
    Rewrite *w = arena_new(a, Rewrite);
    if (!w) {
        return ERR_MEMORY;
    }
    *w = from->rewrite;
    ret->rewrite = w;
    TRY(build_keep(a, &w->off));
    TRY(build_keep(a, &w->on));
    return build_keep(a, &w->path);
}

/* ---- answers of River's own ---- */

static Err file_server_build(Build *b, const FileServerSettings *from, Route *ret)
{
    FileServer *files = arena_new(b->arena, FileServer);
    if (!files) {
        return ERR_MEMORY;
    }
    CHECK(from->root < b->inputs->root_count);
    *files = (FileServer){.root = b->inputs->roots[from->root],
                          .dotfiles = from->dotfiles,
                          .index = from->index,
                          .prefix = from->prefix,
                          .fallback = from->fallback,
                          .fallback_assets = from->fallback_assets};
    TRY(build_keep(b->arena, &files->fallback));
    TRY(build_keep(b->arena, &files->index));
    TRY(build_keep(b->arena, &files->prefix));
    ret->handler = (FilterUse){.kind = &filter_file_server, .state = files};
    return ERR_OK;
}

static Err respond_build(Build *b, const RespondSettings *from, const Respond **ret)
{
    Respond *respond = arena_new(b->arena, Respond);
    if (!respond) {
        return ERR_MEMORY;
    }
    *respond = (Respond){
        .status = from->status, .content_type = from->content_type, .body = from->body};
    TRY(build_keep(b->arena, &respond->content_type));
    *ret = respond;
    return build_keep(b->arena, &respond->body);
}

Err build_redirect(Arena *a, const Redirect *from, FilterUse *ret)
{
    Redirect *r = arena_new(a, Redirect);
    if (!r) {
        return ERR_MEMORY;
    }
    *r = *from;
    TRY(build_keep(a, &r->to));
    TRY(build_keep(a, &r->scheme));
    TRY(build_keep(a, &r->host));
    TRY(build_keep(a, &r->path));
    *ret = (FilterUse){.kind = &filter_redirect, .state = r};
    return ERR_OK;
}

/* `route` is NULL where the service has only one. */
static Err action_build(Build *b, const RouteSettings *route, const ActionSettings *from,
                        Route *ret)
{
    switch (from->kind) {
    case ACTION_PROXY:
        TRY(rewrite_build(b->arena, &from->cluster, ret));
        return cluster_build(b, route, &from->cluster, &ret->cluster);
    case ACTION_RESPOND:
        return respond_build(b, &from->respond, &ret->respond);
    case ACTION_REDIRECT:
        return build_redirect(b->arena, &from->redirect, &ret->handler);
    case ACTION_FILES:
        return file_server_build(b, &from->files, ret);
    }
    return ERR_OK;
}

/* ---- routes ---- */

/* A route with rules of its own makes its service read paths in all ways. */
static Err own_rules_build(Arena *a, const NormalizationSettings *from, Service *service,
                           Route *ret)
{
    Normalization *n = arena_new(a, Normalization);
    if (!n) {
        return ERR_MEMORY;
    }
    *n = build_normalization(from);
    service->normalization.reads = true;
    service->normalization.unusual = true;
    ret->normalization = n;
    return build_keep(a, &n->refusal.body);
}

static Err methods_build(Arena *a, RouteMethods *m)
{
    Str *others = arena_array(a, Str, m->other_count + 1);
    if (!others) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < m->other_count; i++) {
        others[i] = m->others[i];
        TRY(build_keep(a, &others[i]));
    }
    m->others = others;
    return ERR_OK;
}

static Err rule_build(Build *b, const RouteSettings *from, RouterRule *ret)
{
    Str path = from->path;
    TRY(build_keep(b->arena, &path));
    *ret = (RouterRule){
        .match = from->match, .path = path, .methods = from->methods, .route = {.path = path}};
    TRY(methods_build(b->arena, &ret->methods));
    return action_build(b, from, &from->action, &ret->route);
}

Err build_routes(Build *b, const ServiceSettings *from, Service *ret)
{
    Part *p = b->part;
    size_t connectors = count_connectors(from);
    uint32_t *clusters = arena_array(b->arena, uint32_t, from->route_count + 1);
    uint32_t *clients = arena_array(b->arena, uint32_t, connectors + 1);
    if (!clusters || !clients) {
        return ERR_MEMORY;
    }
    b->service = from;
    p->cluster_room = from->route_count + 1;
    p->clusters = clusters;
    p->client_room = connectors + 1;
    p->clients = clients;
    if (from->route_count == 0) {
        return action_build(b, NULL, &from->action, &ret->route);
    }
    Router *router = arena_new(b->arena, Router);
    RouterRule *rules = arena_array(b->arena, RouterRule, from->route_count);
    if (!router || !rules) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->route_count; i++) {
        TRY(rule_build(b, &from->routes[i], &rules[i]));
        if (from->routes[i].normalization) {
            TRY(own_rules_build(b->arena, from->routes[i].normalization, ret, &rules[i].route));
        }
    }
    TRY(respond_build(b, &from->no_route, &ret->no_route));
    for (size_t i = 0; i < from->route_count; i++) { /* copies of the service, once it is whole */
        if (from->routes[i].own) {
            TRY(build_own(b, from->routes[i].own, ret, &rules[i].route.as));
        }
    }
    TRY(router_build(b->arena, rules, from->route_count, router));
    ret->router = router;
    return ERR_OK;
}

void drop_routes(Builder *b, Part *p)
{
    for (size_t i = 0; i < p->cluster_count; i++) {
        cluster_release(b->worker, p->clusters[i]);
    }
    for (size_t i = 0; i < p->client_count; i++) {
        release_client(b, p->clients[i]);
    }
    if (p->service.router) {
        router_drop(p->service.router);
    }
}
