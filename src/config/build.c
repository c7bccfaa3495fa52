/* build.c - the snapshot: services with their limits, and listeners. */
#include "config/build.h"

#include "base/number.h"

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
    return build_routes(b, from, ret);
}

/* ---- listeners ---- */

static void least(uint64_t *into, uint64_t n)
{
    *into = u64_min(*into, n);
}

/* What holds before it is known for which service a request is. */
static void limits_join(ServiceLimits *into, const ServiceLimits *more)
{
    HeadLimits *head = &into->head;
    head->head_bytes_max = size_min(head->head_bytes_max, more->head.head_bytes_max);
    head->fields_max = size_min(head->fields_max, more->head.fields_max);
    head->target_bytes_max = size_min(head->target_bytes_max, more->head.target_bytes_max);
    into->streams_max = (uint32_t)u64_min(into->streams_max, more->streams_max);
    least(&into->head_timeout_ms, more->head_timeout_ms);
    least(&into->keep_alive_ms, more->keep_alive_ms);
    least(&into->body_timeout_ms, more->body_timeout_ms);
    least(&into->send_timeout_ms, more->send_timeout_ms);
    least(&into->linger_ms, more->linger_ms);
}

/* What stands for all services of an address: the one for all other hosts, or else the first, with
 * the strictest limits of all. */
static Err reception_build(Builder *b, const ListenerSettings *from, const Service **ret)
{
    size_t names = 0;
    for (size_t i = 0; i < from->service_count; i++) {
        names += b->settings->services[from->services[i]].host_count;
    }
    Hosts *hosts = arena_new(b->arena, Hosts);
    Service *reception = arena_new(b->arena, Service);
    if (!hosts || !reception) {
        return ERR_MEMORY;
    }
    TRY(hosts_open(b->arena, from->service_count, names, hosts));
    for (uint32_t i = 0; i < from->service_count; i++) {
        const ServiceSettings *settings = &b->settings->services[from->services[i]];
        const Service *s = &b->snapshot->services[from->services[i]];
        hosts->services[i] = s;
        hosts->otherwise = settings->host_count ? hosts->otherwise : s;
        for (size_t k = 0; k < settings->host_count; k++) {
            hosts_add(hosts, settings->hosts[k].name, settings->hosts[k].below, i);
        }
    }
    *reception = hosts->otherwise ? *hosts->otherwise : *hosts->services[0];
    reception->hosts = hosts;
    for (size_t i = 0; i < from->service_count; i++) {
        limits_join(&reception->limits, &hosts->services[i]->limits);
    }
    *ret = reception;
    return ERR_OK;
}

static Err listener_build(Builder *b, const ListenerSettings *from, int fd, Listener *ret)
{
    uint32_t only = from->services[0];
    *ret = (Listener){.fd = fd,
                      .name = from->address.text,
                      .service = &b->snapshot->services[only],
                      .h2c = from->h2c,
                      .proxy_protocol = from->proxy_protocol};
    bool shared = from->service_count > 1 || b->settings->services[only].host_count > 0;
    return shared ? reception_build(b, from, &ret->service) : ERR_OK;
}

Err config_build(Arena *a, const Settings *settings, const BuildInputs *inputs,
                 const Snapshot **ret)
{
    size_t listeners = settings->listener_count;
    CHECK(listeners == inputs->count && listeners == inputs->material->count);
    Snapshot *s = arena_new(a, Snapshot);
    Service *services = arena_array(a, Service, settings->service_count);
    Listener *all = arena_array(a, Listener, listeners);
    if (!s || !services || !all) {
        return ERR_MEMORY;
    }
    *s = (Snapshot){.service_count = settings->service_count,
                    .services = services,
                    .listener_count = listeners,
                    .listeners = all};
    Builder b = {.arena = a, .settings = settings, .inputs = inputs, .snapshot = s};
    TRY(build_open(&b));
    TRY(build_limiters(a, settings, s));
    for (size_t i = 0; i < settings->service_count; i++) {
        services[i].index = (uint32_t)i;
        TRY(service_build(&b, &settings->services[i], &services[i]));
    }
    for (size_t i = 0; i < listeners; i++) {
        TRY(listener_build(&b, &settings->listeners[i], inputs->fds[i], &all[i]));
    }
    TRY(build_slots(a, settings, inputs, s));
    *ret = s;
    return ERR_OK;
}
