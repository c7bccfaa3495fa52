/* request_phases.c - READ_HEAD, SCREEN, ROUTE, ASK and PICK: from bytes to an endpoint. */
#include "http/uri.h"
#include "loop/crash.h"
#include "proxy/endpoint_pick.h"
#include "proxy/exchange.h"
#include "proxy/filter_run.h"
#include "proxy/forward.h"
#include "proxy/path.h"
#include "proxy/rewrite.h"
#include "proxy/source.h"
#include "proxy/worker.h"

#define REQUEST_ID_BYTES_MAX 128u

/* Whether a client's request id is acceptable: short, and harmless in logs and fields. */
static bool request_id_sane(Str id)
{
    if (id.len == 0 || id.len > REQUEST_ID_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        uint8_t b = id.at[i];
        bool letter = byte_lower(b) >= 'a' && byte_lower(b) <= 'z';
        if (!letter && !byte_is_digit(b) && str_find(S("-_.:+/=@"), b, 0) == 8) {
            return false;
        }
    }
    return true;
}

static const Field *request_id_field(const Exchange *x)
{
    const Service *s = x->service;
    if (s->request_id_field != FIELD_OTHER) {
        return fields_find(&x->request.head.fields, s->request_id_field);
    }
    for (size_t i = 0; i < x->request.head.fields.count; i++) {
        if (str_equal_nocase(x->request.head.fields.at[i].name, s->request_id_name)) {
            return &x->request.head.fields.at[i];
        }
    }
    return NULL;
}

static void request_id_set(Thread *t, Exchange *x)
{
    const Field *theirs = x->service->request_id_accept ? request_id_field(x) : NULL;
    if (theirs && request_id_sane(theirs->value)) {
        x->id = theirs->value;
        return;
    }
    exchange_make_id(t, x);
}

/* The answer that the service's `normalization` gives to this fault; NULL: the default. */
static const Respond *normalize_answers(const Service *s, HttpFault fault)
{
    bool host = fault == HTTP_FAULT_HOST_MISSING || fault == HTTP_FAULT_HOST_REPEATED ||
                fault == HTTP_FAULT_HOST_INVALID || fault == HTTP_FAULT_HOST_CONFLICT;
    return host && s->normalization.hosts ? &s->normalization.refusal : NULL;
}

/* True for nearly all paths: nothing to decode, no "/.", no "//", no matrix parameters. */
static bool path_is_plain(Str path)
{
    bool slash = false;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.at[i];
        if (c == '%' || c == ';' || (slash && (c == '/' || c == '.'))) {
            return false;
        }
        slash = c == '/';
    }
    return true;
}

/* Afterwards the path has the form that rules, routes and the origin see. */
static Step normalize_head(Thread *t, Exchange *x)
{
    const Normalization *n = &x->service->normalization;
    if (n->unusual) {
        return path_screen(t, x);
    }
    return n->paths && !path_is_plain(x->request.head.path) ? path_normalize(x, n) : NEXT;
}

/* If services share an address, or one accepts only certain hosts, the host selects the service. */
static bool take_service(Thread *t, Exchange *x)
{
    const Hosts *hosts = x->service->hosts;
    if (!hosts) {
        return true;
    }
    const Service *s = hosts_find(hosts, x->request.head.host);
    if (s) {
        exchange_set_service(t, x, s);
    }
    return s != NULL;
}

Step phase_read_head(Thread *t, Exchange *x)
{
    const ServiceLimits *limits = &x->service->limits;
    bool stream = !handle_is_none(x->client_stream); /* the codec has parsed its head */
    HttpFault fault = stream ? x->request.fault
                             : head_parse_request(x->request.bytes, &limits->head, t->fields,
                                                  &x->request.head);
    if (fault != HTTP_FAULT_NONE) {
        bool too_large = fault == HTTP_FAULT_HEAD_TOO_LARGE || fault == HTTP_FAULT_TOO_MANY_FIELDS;
        x->request.head = (RequestHead){.major = x->request.head.major, .minor = stream};
        x->own.refusal = normalize_answers(x->service, fault);
        return FAIL(too_large && limits->head_set ? FAULT_OVERLOAD_HEAD : fault_of_request(fault));
    }
    bool known = take_service(t, x);
    /* The parsed fields are in the thread's room: the exchange needs a copy. */
    if (!stream && !fields_keep(&x->arena, &x->request.head.fields)) {
        return FAIL(FAULT_MEMORY);
    }
    request_id_set(t, x);
    crash_note_set(t->index, x->id); /* it has no id before */
    x->request.parsed = true;
    x->request.body = body_of(&x->request.head.framing);
    x->keep_client = x->request.head.framing.keep_alive && !exchange_must_leave(t, x);
    return known ? NEXT : FAIL(FAULT_UNKNOWN_HOST);
}

/* Whether the connection was opened with another certificate than the host needs: HTTP/2 clients
 * reuse connections for all names in a certificate (RFC 9110 §7.4). */
static bool is_misdirected(const Exchange *x, const Client *c)
{
    if (!c->wire.tls || x->request.head.host.len == 0) {
        return false;
    }
    TlsInfo tls;
    tls_info(c->wire.tls, &tls);
    Authority authority = {0};
    return authority_split(x->request.head.host, &authority) == ERR_OK &&
           tls_server_identity(tls_server_of(c->wire.tls), authority.host) != tls.identity;
}

Step phase_screen(Thread *t, Exchange *x)
{
    const Client *c = client_get(t, x->client);
    source_find(x, c);
    x->request.upgrade = forward_protocol(x);
    if (x->request.head.method == METHOD_CONNECT && x->request.upgrade.len == 0) {
        return FAIL(FAULT_CONNECT_METHOD);
    }
    if (is_misdirected(x, c)) {
        return FAIL(FAULT_MISDIRECTED);
    }
    if (x->request.head.method == METHOD_TRACE) { /* it would reveal fields that River adds */
        return FAIL(FAULT_TRACE_METHOD);
    }
    if (x->request.head.expects_other) {
        return FAIL(FAULT_EXPECTATION); /* RFC 9110 §10.1.1 */
    }
    uint64_t max = x->service->limits.concurrent_requests_max;
    if (max) {
        x->counted = true;
        if (atomic_fetch_add(x->service->active, 1) >= max) {
            return FAIL(FAULT_OVERLOAD);
        }
    }
    if (x->request.head.protocol.len > 0) { /* what follows the head belongs to the tunnel */
        x->request.body = (Body){.kind = BODY_NONE, .done = true};
    }
    return normalize_head(t, x);
}

Step phase_route(Thread *t, Exchange *x)
{
    (void)t;
    const Service *s = x->service;
    x->route = s->router ? router_find(s->router, &x->request.head) : &s->route;
    return NEXT;
}

/* Runs the body filters on an announced length. */
static Verdict ask_body(Thread *t, Exchange *x)
{
    const Framing *framing = &x->request.head.framing;
    if (framing->body != BODY_LENGTH || x->filters.announced) {
        return PASS;
    }
    x->filters.announced = true;
    return filter_body(t, x, STAGE_REQUEST_BODY, framing->length, STR_NONE);
}

/* From here on the exchange has the service as its route has it. */
static void take_route(Exchange *x)
{
    if (UNLIKELY(x->route && x->route->as)) {
        x->service = x->route->as; /* of the same part: pinned already */
    }
}

static bool is_insecure(const Thread *t, const Exchange *x)
{
    return x->service->secure.kind && str_equal(exchange_scheme(t, x), S("http"));
}

Step phase_ask(Thread *t, Exchange *x)
{
    take_route(x);
    Verdict v = filter_request(t, x, STAGE_REQUEST);
    if (v.kind == VERDICT_PASS) {
        v = filter_request(t, x, STAGE_LIMIT);
    }
    if (v.kind == VERDICT_PASS) {
        v = ask_body(t, x);
    }
    const Route *route = x->route;
    if (v.kind == VERDICT_PASS && UNLIKELY(is_insecure(t, x))) {
        v = filter_handle(t, x, &x->service->secure);
    } else if (v.kind == VERDICT_PASS && !route) {
        v = REFUSE_WITH(FAULT_NO_ROUTE, x->service->no_route);
    } else if (v.kind == VERDICT_PASS && route->respond) {
        v = (Verdict){.kind = VERDICT_ANSWER, .respond = route->respond};
    } else if (v.kind == VERDICT_PASS && route->handler.kind) {
        v = filter_handle(t, x, &route->handler);
    }
    return filter_step(t, x, v);
}

Step phase_pick(Thread *t, Exchange *x)
{
    if (UNLIKELY(x->route->rewrite != NULL) && x->request.origin_path.len == 0) {
        Step rewritten = rewrite_request(t, x);
        if (rewritten.kind != STEP_NEXT) {
            return rewritten;
        }
    }
    Step asked = filter_step(t, x, filter_request(t, x, STAGE_PEER));
    if (asked.kind != STEP_NEXT) {
        return asked;
    }
    const Endpoint *e = NULL;
    Fault fault = endpoint_pick(t, x, &e);
    if (fault != FAULT_NONE) {
        return FAIL(fault);
    }
    exchange_set_endpoint(t, x, e);
    x->tries++;
    return NEXT;
}
