/* fill_service.c - Settings of one service: limits, what it trusts and tells, and the rest. */
#include "config/fill.h"

#include "config/value.h"

static Err fill_upgrades(Filler *f, Section upgrades, ServiceSettings *service)
{
    size_t count = node_argument_count(upgrades.node);
    Str *list = arena_array(f->arena, Str, count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    service->upgrade_count = upgrades.node ? count : 1;
    service->upgrades = list;
    size_t i = 0;
    for (const KdlEntry *e = node_argument(upgrades.node); e; e = argument_next(e), i++) {
        TRY(fill_lower(f->arena, e->value.text, &list[i]));
    }
    if (!upgrades.node) {
        list[0] = option_text(section_value(upgrades));
    }
    return ERR_OK;
}

static Err fill_trusted(Filler *f, Str text, ServiceSettings *service)
{
    size_t count = 0;
    Str member;
    for (Str rest = text; value_list_next(&rest, &member);) {
        count++;
    }
    IpPrefix *list = count ? arena_array(f->arena, IpPrefix, count) : NULL;
    if (count && !list) {
        return ERR_MEMORY;
    }
    service->trusted_count = count;
    service->trusted = list;
    Str rest = text;
    for (size_t i = 0; value_list_next(&rest, &member); i++) {
        CHECK(ip_prefix_parse(member, &list[i]) == ERR_OK);
    }
    return ERR_OK;
}

static bool is_written(Section s, Str name)
{
    return section_child(s, name).node != NULL;
}

static OverloadSettings fill_overload(Section o)
{
    return (OverloadSettings){
        .concurrent_requests_max = section_number(o, S("max-concurrent-requests")),
        .fields_max = section_number(o, S("max-headers")),
        .head_bytes_max = section_number(o, S("max-header-bytes")),
        .target_bytes_max = section_number(o, S("max-target-bytes")),
        .streams_max = (uint32_t)section_number(o, S("max-concurrent-streams")),
        .fields_set = is_written(o, S("max-headers")),
        .head_set = is_written(o, S("max-header-bytes")),
        .target_set = is_written(o, S("max-target-bytes")),
        .head_timeout_ms = section_number(o, S("head-timeout-ms")),
        .keep_alive_timeout_ms = section_number(o, S("keep-alive-timeout-ms")),
        .read_timeout_ms = section_number(o, S("read-timeout-ms")),
        .write_timeout_ms = section_number(o, S("write-timeout-ms")),
        .drain_timeout_ms = section_number(o, S("drain-timeout-ms")),
        .min_send_rate_bytes = section_number(o, S("min-send-rate-bytes")),
        .min_receive_rate_bytes = section_number(o, S("min-receive-rate-bytes")),
        .status = (uint16_t)section_number(o, S("status")),
        .body = section_text(o, S("body")),
    };
}

static ForwardedSettings fill_forwarded(Section s)
{
    return (ForwardedSettings){
        .x_forwarded_for = section_bool(s, S("x-forwarded-for")),
        .x_forwarded_proto = section_bool(s, S("x-forwarded-proto")),
        .x_forwarded_host = section_bool(s, S("x-forwarded-host")),
        .x_real_ip = section_bool(s, S("x-real-ip")),
        .forwarded = section_bool(s, S("forwarded")),
    };
}

static Err fill_identity(Filler *f, Section s, IdentitySettings *ret)
{
    if (!s.node) {
        return ERR_OK;
    }
    *ret = (IdentitySettings){.any = true,
                              .certificate = section_bool(s, S("client-cert")),
                              .chain = section_bool(s, S("client-cert-chain"))};
    TRY(fill_lower(f->arena, section_text(s, S("subject")), &ret->subject));
    TRY(fill_lower(f->arena, section_text(s, S("names")), &ret->names));
    return fill_lower(f->arena, section_text(s, S("fingerprint")), &ret->fingerprint);
}

void fill_usual(FillUsual *ret)
{
    Section service = {.schema = &schema_service};
    *ret = (FillUsual){
        .overload = fill_overload(section_child(service, S("overload"))),
        .forwarded = fill_forwarded(section_child(service, S("forwarded-headers"))),
        .normalization = fill_normalization(section_child(service, S("normalization"))),
        .connector = fill_usual_connector(),
    };
}

static Err fill_answers(Filler *f, Section section, ServiceSettings *ret)
{
    Section routes = section_child(section, S("routes"));
    return routes.node ? fill_routes(f, routes, ret)
                       : fill_action(f, section, STR_NONE, false, &ret->action);
}

static Err keep_named(Filler *f, ServiceSettings *ret)
{
    uint32_t *named = arena_array(f->arena, uint32_t, f->named.count);
    if (!named) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < f->named.count; i++) {
        named[i] = f->named.list[i];
    }
    ret->named_count = f->named.count;
    ret->named = named;
    return ERR_OK;
}

static bool speaks_tls(const ListenerSettings *l)
{
    return l->tls_wanted || l->tls.pair_count > 0;
}

/* To the port of a listener of its own: 443 if there is one, else the first that speaks TLS. Other
 * ends of TLS are in front of River, at the usual port. */
static void fill_https_only(Section section, ServiceSettings *ret)
{
    uint16_t port = 0;
    bool usual = false;
    for (size_t i = 0; i < ret->listener_count; i++) {
        const ListenerSettings *l = &ret->listeners[i];
        if (speaks_tls(l)) {
            usual = usual || l->address.port == 443;
            port = port ? port : l->address.port;
        }
    }
    ret->https_only = section_bool(section, S("https-only"));
    ret->secure = (Redirect){
        .status = 308, .scheme = S("https"), .port = usual ? 0 : port, .query = true};
}

Err fill_service(Filler *f, Section section, uint32_t index, ServiceSettings *ret)
{
    Section request_id = section_child(section, S("request-id"));
    Section forwarded = section_child(section, S("forwarded-headers"));
    Section overload = section_child(section, S("overload"));
    Section normalization = section_child(section, S("normalization"));
    *ret = (ServiceSettings){
        .name = section.node->name,
        .source = fill_source(f, section.node),
        .host = section_text(section, S("host")),
        .tries_max = (uint32_t)section_number(section, S("retries")) + 1,
        .retry_buffer_bytes = section_number(section, S("retry-buffer-bytes")),
        .tunnel_idle_timeout_ms = section_number(section, S("tunnel-idle-timeout-ms")),
        .stream_idle_timeout_ms = section_number(section, S("stream-idle-timeout-ms")),
        .request_id = {.accept = section_bool(request_id, S("accept"))},
        .forwarded = forwarded.node ? fill_forwarded(forwarded) : f->usual.forwarded,
        .overload = overload.node ? fill_overload(overload) : f->usual.overload,
        .normalization =
            normalization.node ? fill_normalization(normalization) : f->usual.normalization,
    };
    f->named.count = 0;
    f->serves_files = false;
    uint64_t limiter_bytes = f->limiter_bytes;
    TRY(fill_lower(f->arena, section_text(request_id, S("header")), &ret->request_id.header));
    TRY(fill_identity(f, section_child(section, S("client-certificate-headers")),
                      &ret->identity_headers));
    TRY(fill_listeners(f, section, index, ret));
    TRY(fill_hosts(f, section_child(section, S("hosts")), ret));
    TRY(fill_upgrades(f, section_child(section, S("upgrade-protocols")), ret));
    Section client = section_child(section, S("client-ip"));
    TRY(fill_trusted(f, section_text(client, S("trusted-proxies")), ret));
    TRY(fill_lower(f->arena, section_text(client, S("header")), &ret->client_ip_header));
    f->identity = (Fingerprint){{0}};
    fingerprint_add(&f->identity, ret->source);
    fill_https_only(section, ret);
    TRY(fill_error_pages(f, section.node, ret));
    TRY(fill_filters(f, section, ret));
    TRY(fill_answers(f, section, ret));
    ret->identity = f->identity;
    ret->limiter_bytes = f->limiter_bytes - limiter_bytes;
    ret->serves_files = f->serves_files;
    f->serving_count += f->serves_files ? 1 : 0;
    return keep_named(f, ret);
}
