/* part.c - a service: its limits and rules, copied from the settings. */
#include "build/build.h"

#define PART_BYTES_MAX (256u << 20)

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
        .stream_idle_ms = from->stream_idle_timeout_ms,
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

Normalization build_normalization(const NormalizationSettings *from)
{
    UriRules rules = {.dot_segments = from->dot_segments,
                      .duplicate_slashes = from->duplicate_slashes,
                      .encoded_separators = from->encoded_separators,
                      .control_characters = from->control_characters,
                      .percent_encoding = from->percent_encoding,
                      .matrix = from->matrix};
    return (Normalization){.unusual = from->header_non_ascii || from->ambiguous_paths,
                           .paths = rules.dot_segments || rules.duplicate_slashes ||
                                    rules.encoded_separators || rules.control_characters ||
                                    rules.percent_encoding || rules.matrix != MATRIX_PASS,
                           .reads = from->ambiguous_paths,
                           .ambiguous = from->ambiguous_paths,
                           .rules = rules,
                           .hosts = from->host,
                           .non_ascii = from->header_non_ascii,
                           .refusal = {.status = from->status, .body = from->body}};
}

/* Copies all strings that still point into the settings. */
static Err keep_texts(Arena *a, Service *s)
{
    TRY(build_keep(a, &s->name));
    TRY(build_keep(a, &s->host));
    TRY(build_keep(a, &s->identity.subject));
    TRY(build_keep(a, &s->identity.names));
    TRY(build_keep(a, &s->identity.fingerprint));
    TRY(build_keep(a, &s->request_id_name));
    TRY(build_keep(a, &s->client_ip_name));
    TRY(build_keep(a, &s->limits.overload_body));
    return build_keep(a, &s->normalization.refusal.body);
}

static Err upgrades_build(Arena *a, const ServiceSettings *from, Service *ret)
{
    Str *upgrades = arena_array(a, Str, from->upgrade_count + 1);
    if (!upgrades) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->upgrade_count; i++) {
        upgrades[i] = from->upgrades[i];
        TRY(build_keep(a, &upgrades[i]));
    }
    ret->upgrade_count = from->upgrade_count;
    ret->upgrades = upgrades;
    return ERR_OK;
}

static Err pages_build(Arena *a, const ServiceSettings *from, Service *ret)
{
    Respond *pages = arena_array(a, Respond, from->page_count + 1);
    if (!pages) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->page_count; i++) {
        const RespondSettings *page = &from->pages[i];
        pages[i] = (Respond){
            .status = page->status, .content_type = page->content_type, .body = page->body};
        TRY(build_keep(a, &pages[i].content_type));
        TRY(build_keep(a, &pages[i].body));
    }
    ret->page_count = from->page_count;
    ret->pages = pages;
    return ERR_OK;
}

Err build_own(Build *b, const ServiceSettings *from, const Service *service, const Service **ret)
{
    Part *p = b->part;
    Service *own = arena_new(b->arena, Service);
    if (!own) {
        return ERR_MEMORY;
    }
    *own = *service;
    own->limits = limits_build(from);
    own->limits.overload_body = service->limits.overload_body;
    own->host = from->host;
    CHECK(p->own_count < p->own_room);
    p->own[p->own_count++] = own;
    *ret = own;
    TRY(build_keep(b->arena, &own->host));
    TRY(pages_build(b->arena, from, own));
    return build_more_filters(b, from, own);
}

/* Room for the services of routes, which know what the whole service knows. */
static Err own_open(Build *b, const ServiceSettings *from)
{
    Part *p = b->part;
    p->own = (Service **)arena_alloc_array(b->arena, from->route_count + 1, sizeof *p->own);
    p->own_room = from->route_count + 1;
    return p->own ? ERR_OK : ERR_MEMORY;
}

static Err service_build(Build *b, const ServiceSettings *from, Service *ret)
{
    *ret = (Service){
        .name = from->name,
        .index = ret->index,
        .part = ret->part,
        .limits = limits_build(from),
        .normalization = build_normalization(&from->normalization),
        .forwarded = {.x_forwarded_for = from->forwarded.x_forwarded_for,
                      .x_forwarded_proto = from->forwarded.x_forwarded_proto,
                      .x_forwarded_host = from->forwarded.x_forwarded_host,
                      .x_real_ip = from->forwarded.x_real_ip,
                      .forwarded = from->forwarded.forwarded},
        .identity = {.any = from->identity_headers.any,
                     .certificate = from->identity_headers.certificate,
                     .chain = from->identity_headers.chain,
                     .subject = from->identity_headers.subject,
                     .names = from->identity_headers.names,
                     .fingerprint = from->identity_headers.fingerprint},
        .host = from->host,
        .request_id_name = from->request_id.header,
        .request_id_field = field_id(from->request_id.header),
        .request_id_accept = from->request_id.accept,
        .client_ip_name = from->client_ip_header,
        .client_ip_field = field_id(from->client_ip_header),
        .active = &b->builder->worker->services[ret->index].active,
    };
    TRY(keep_texts(b->arena, ret));
    TRY(upgrades_build(b->arena, from, ret));
    TRY(cidr_build(&ret->proxies, from->trusted, from->trusted_count, b->arena));
    TRY(pages_build(b->arena, from, ret));
    if (from->https_only) {
        TRY(build_redirect(b->arena, &from->secure, &ret->secure));
    }
    TRY(own_open(b, from));
    TRY(build_chains(b, from, ret));
    return build_routes(b, from, ret);
}

/* Reserves the part's numbers at the worker. */
static Err take_numbers(Worker *w, const ServiceSettings *from, Service *ret)
{
    TRY(worker_take_part(w, &ret->part));
    Err err = worker_hold_service(w, from->name, &ret->index);
    if (err != ERR_OK) {
        worker_give_part(w, ret->part);
    }
    return err;
}

void part_drop(Builder *b, Part *p)
{
    drop_routes(b, p);
    drop_chains(b, p);
    worker_release_service(b->worker, p->service.index);
    worker_give_part(b->worker, p->service.part);
    arena_reset(&p->arena);
    memory_drop(NULL, p, sizeof *p);
}

Err build_part(Build *b, const ServiceSettings *from, Part **ret)
{
    Builder *builder = b->builder;
    Part *p = (Part *)memory_new(NULL, sizeof *p);
    Err err = p ? take_numbers(builder->worker, from, &p->service) : ERR_MEMORY;
    if (err != ERR_OK) {
        memory_drop(NULL, p, sizeof *p);
        return err;
    }
    arena_init(&p->arena, &builder->blocks, PART_BYTES_MAX);
    p->identity = from->identity;
    p->hosts = from->hosts_identity;
    p->has_hosts = from->host_count > 0;
    b->part = p;
    b->arena = &p->arena;
    err = service_build(b, from, &p->service);
    if (err != ERR_OK) {
        clusters_abandon(builder->worker); /* the whole build is abandoned */
        part_drop(builder, p);
        return err;
    }
    p->next = builder->parts;
    builder->parts = p;
    *ret = p;
    return ERR_OK;
}
