/* build.c - the snapshot: services, clusters with their balancing tables, listeners, and one shared
 * pool for each distinct endpoint address. */
#include "config/build.h"

#include "balance/policies.h"
#include "base/number.h"
#include "filter/file_server.h"

size_t config_listener_count(const Settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->service_count; i++) {
        count += settings->services[i].listener_count;
    }
    return count;
}

static size_t connector_count(const Settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->service_count; i++) {
        count += settings->services[i].cluster.connector_count;
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

/* The pool for an endpoint: that of an equal one, if there is one. Endpoints that differ in a limit
 * or a deadline of their connections, in their TLS identity or in what is spoken do not share. */
static uint32_t origin_index(Snapshot *s, const Endpoint *e)
{
    for (size_t i = 0; i < s->origin_count; i++) {
        const Endpoint *o = s->origins[i];
        if (str_equal(o->name, e->name) && o->tls == e->tls && o->protocol == e->protocol &&
            o->connections_max == e->connections_max &&
            o->idle_timeout_ms == e->idle_timeout_ms &&
            o->connect_timeout_ms == e->connect_timeout_ms) {
            return (uint32_t)i;
        }
    }
    s->origin_count++;
    s->origins[s->origin_count - 1] = e;
    return (uint32_t)(s->origin_count - 1);
}

/* What is built, and what it is built of. */
typedef struct Builder {
    Arena *arena;
    const Settings *settings;
    const BuildInputs *inputs;
    Snapshot *snapshot;
    BuiltClients clients;
} Builder;

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
    e->origin = origin_index(b->snapshot, e);
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

static ServiceLimits limits_build(const ServiceSettings *from)
{
    const OverloadSettings *o = &from->overload;
    return (ServiceLimits){
        .head = {.head_bytes_max = (size_t)o->head_bytes_max,
                 .fields_max = (size_t)o->fields_max,
                 .target_bytes_max = (size_t)o->target_bytes_max},
        .head_set = o->fields_set || o->head_set || o->target_set,
        .head_timeout_ms = o->head_timeout_ms,
        .keep_alive_ms = o->keep_alive_timeout_ms,
        .body_timeout_ms = o->read_timeout_ms,
        .send_timeout_ms = o->write_timeout_ms,
        .linger_ms = o->drain_timeout_ms,
        .tunnel_idle_ms = from->tunnel_idle_timeout_ms,
        .receive_rate_min = o->min_receive_rate_bytes,
        .send_rate_min = o->min_send_rate_bytes,
        .concurrent_requests_max = o->concurrent_requests_max,
        .streams_max = o->streams_max,
        .retry_buffer_bytes = from->retry_buffer_bytes,
        .tries_max = from->tries_max,
        .overload_status = o->status,
        .overload_body = o->body,
    };
}

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

static Err route_build(Builder *b, const ServiceSettings *from, Route *ret)
{
    if (from->kind == SERVICE_FILES) {
        return file_server_build(b, &from->files, ret);
    }
    if (from->kind == SERVICE_PROXY) {
        return cluster_build(b, &from->cluster, &ret->cluster);
    }
    Respond *respond = arena_new(b->arena, Respond);
    if (!respond) {
        return ERR_MEMORY;
    }
    *respond = (Respond){.status = from->respond.status,
                         .content_type = from->respond.content_type,
                         .body = from->respond.body};
    ret->respond = respond;
    return ERR_OK;
}

static Normalization normalization_build(const NormalizationSettings *from)
{
    UriRules rules = {.dot_segments = from->dot_segments,
                      .duplicate_slashes = from->duplicate_slashes,
                      .encoded_separators = from->encoded_separators,
                      .control_characters = from->control_characters,
                      .percent_encoding = from->percent_encoding};
    return (Normalization){.paths = rules.dot_segments || rules.duplicate_slashes ||
                                    rules.encoded_separators || rules.control_characters ||
                                    rules.percent_encoding,
                           .rules = rules,
                           .hosts = from->host,
                           .non_ascii = from->header_non_ascii,
                           .refusal = {.status = from->status, .body = from->body}};
}

static Err service_build(Builder *b, const ServiceSettings *from, Service *ret)
{
    *ret = (Service){
        .name = from->name,
        .index = ret->index,
        .limits = limits_build(from),
        .normalization = normalization_build(&from->normalization),
        .forwarded = {.x_forwarded_for = from->forwarded.x_forwarded_for,
                      .x_forwarded_proto = from->forwarded.x_forwarded_proto,
                      .x_forwarded_host = from->forwarded.x_forwarded_host,
                      .x_real_ip = from->forwarded.x_real_ip,
                      .forwarded = from->forwarded.forwarded},
        .host = from->host,
        .request_id_name = from->request_id.header,
        .request_id_field = field_id(from->request_id.header),
        .request_id_accept = from->request_id.accept,
        .upgrade_count = from->upgrade_count,
        .upgrades = from->upgrades,
        .client_ip_name = from->client_ip_header,
        .client_ip_field = field_id(from->client_ip_header),
        .active = (_Atomic uint32_t *)arena_alloc(b->arena, 64),
    };
    if (!ret->active) {
        return ERR_MEMORY;
    }
    TRY(cidr_build(&ret->proxies, from->trusted, from->trusted_count, b->arena));
    TRY(build_chains(b->arena, from, b->snapshot, ret));
    return route_build(b, from, &ret->route);
}

static void listeners_build(const Settings *settings, Snapshot *s, const int *fds)
{
    size_t at = 0;
    for (size_t i = 0; i < settings->service_count; i++) {
        const ServiceSettings *from = &settings->services[i];
        for (size_t k = 0; k < from->listener_count; k++, at++) {
            s->listeners[at] = (Listener){.fd = fds[at],
                                          .name = from->listeners[k].address.text,
                                          .service = &s->services[i],
                                          .h2c = from->listeners[k].h2c,
                                          .proxy_protocol = from->listeners[k].proxy_protocol};
        }
    }
}

Err config_build(Arena *a, const Settings *settings, const BuildInputs *inputs,
                 const Snapshot **ret)
{
    size_t listeners = config_listener_count(settings);
    size_t connectors = connector_count(settings);
    CHECK(listeners == inputs->count && listeners == inputs->material->count);
    Snapshot *s = arena_new(a, Snapshot);
    Service *services = arena_array(a, Service, settings->service_count);
    Listener *all = arena_array(a, Listener, listeners);
    const Endpoint **origins = arena_array(a, const Endpoint *, connectors + 1);
    BuiltClient *clients = arena_array(a, BuiltClient, connectors + 1);
    if (!s || !services || !all || !origins || !clients) {
        return ERR_MEMORY;
    }
    *s = (Snapshot){.service_count = settings->service_count,
                    .services = services,
                    .listener_count = listeners,
                    .listeners = all,
                    .origins = origins};
    Builder b = {.arena = a,
                 .settings = settings,
                 .inputs = inputs,
                 .snapshot = s,
                 .clients = {.room = connectors + 1, .list = clients}};
    TRY(build_limiters(a, settings, s));
    for (size_t i = 0; i < settings->service_count; i++) {
        services[i].index = (uint32_t)i;
        TRY(service_build(&b, &settings->services[i], &services[i]));
    }
    listeners_build(settings, s, inputs->fds);
    TRY(build_slots(a, settings, inputs, s));
    *ret = s;
    return ERR_OK;
}
