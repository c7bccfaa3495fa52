/* route.c - where requests go: clusters with their balancing tables, the shared pool of each
 * endpoint, River's own answers, and the router that chooses among routes. */
#include "balance/policies.h"
#include "base/number.h"
#include "build/build.h"
#include "filter/file_server.h"

#define ORIGIN_KEY_BYTES_MAX 512u

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

/* What the pool of an endpoint is known by. Endpoints that differ in a limit or a deadline of their
 * connections, in their TLS identity or in what is spoken do not share one. */
static Str origin_key(const ConnectorSettings *from, const Endpoint *e, Text *t)
{
    text_add(t, e->name);
    text_format(t, "\n%d %u %llu %llu ", (int)e->protocol, e->connections_max,
                (unsigned long long)e->idle_timeout_ms, (unsigned long long)e->connect_timeout_ms);
    text_hex_word(t, from->tls.identity.words[0]);
    text_hex_word(t, from->tls.identity.words[1]);
    return text_str(t);
}

/* Finds the pool of an endpoint, or opens one, with its TLS. */
static Err hold_origin(Build *b, const ConnectorSettings *from, Endpoint *e)
{
    Builder *builder = b->builder;
    Part *p = b->part;
    uint8_t room[ORIGIN_KEY_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room));
    Str key = origin_key(from, e, &t);
    CHECK(!t.overflow && p->origin_count < p->origin_room);
    if (from->tls.name.len > 0) {
        uint32_t client = 0;
        TRY(hold_client(b, from, &client));
        p->clients[p->client_count++] = client;
        e->tls = builder->clients[client];
    }
    TRY(worker_hold_origin(builder->worker, key, e, &e->origin));
    p->origins[p->origin_count++] = e->origin;
    return ERR_OK;
}

static Err endpoint_build(Build *b, const ConnectorSettings *from, Endpoint *e)
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
    TRY(build_keep(b->arena, &e->name));
    TRY(address_build(&from->address, &e->address));
    return hold_origin(b, from, e);
}

static Err cluster_build(Build *b, const ClusterSettings *from, const Cluster **ret)
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
                          .prefix = from->prefix};
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

static Err redirect_build(Arena *a, const Redirect *from, Route *ret)
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
    ret->handler = (FilterUse){.kind = &filter_redirect, .state = r};
    return ERR_OK;
}

static Err action_build(Build *b, const ActionSettings *from, Route *ret)
{
    switch (from->kind) {
    case ACTION_PROXY:
        return cluster_build(b, &from->cluster, &ret->cluster);
    case ACTION_RESPOND:
        return respond_build(b, &from->respond, &ret->respond);
    case ACTION_REDIRECT:
        return redirect_build(b->arena, &from->redirect, ret);
    case ACTION_FILES:
        return file_server_build(b, &from->files, ret);
    }
    return ERR_OK;
}

/* ---- routes ---- */

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
    return action_build(b, &from->action, &ret->route);
}

Err build_routes(Build *b, const ServiceSettings *from, Service *ret)
{
    Part *p = b->part;
    size_t room = count_connectors(from) + 1;
    uint32_t *origins = arena_array(b->arena, uint32_t, room);
    uint32_t *clients = arena_array(b->arena, uint32_t, room);
    if (!origins || !clients) {
        return ERR_MEMORY;
    }
    p->origin_room = room;
    p->origins = origins;
    p->clients = clients;
    if (from->route_count == 0) {
        return action_build(b, &from->action, &ret->route);
    }
    Router *router = arena_new(b->arena, Router);
    RouterRule *rules = arena_array(b->arena, RouterRule, from->route_count);
    if (!router || !rules) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->route_count; i++) {
        TRY(rule_build(b, &from->routes[i], &rules[i]));
    }
    TRY(respond_build(b, &from->no_route, &ret->no_route));
    TRY(router_build(b->arena, rules, from->route_count, router));
    ret->router = router;
    return ERR_OK;
}

void drop_routes(Builder *b, Part *p)
{
    for (size_t i = 0; i < p->origin_count; i++) {
        worker_release_origin(b->worker, p->origins[i]);
    }
    for (size_t i = 0; i < p->client_count; i++) {
        release_client(b, p->clients[i]);
    }
    if (p->service.router) {
        router_drop(p->service.router);
    }
}
