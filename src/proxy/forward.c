/* forward.c - which fields pass, which are removed, and which River adds (RFC 9110 §7.6). */
#include "proxy/forward.h"

#include "http/date.h"
#include "proxy/worker.h"

static void add_field(Text *out, Str name, Str value)
{
    text_add(out, name);
    text_add(out, S(": "));
    text_add(out, value);
    text_add(out, S("\r\n"));
}

bool forward_trusts(const Service *s, IpAddress ip)
{
    for (size_t i = 0; i < s->trusted_count; i++) {
        if (ip_prefix_holds(&s->trusted[i], ip)) {
            return true;
        }
    }
    return false;
}

/* Upgrade is a list of protocols, of which the first that the service allows is asked for; h2c
 * never is (it would let requests past River, CVE-2026-2833). */
Str forward_protocol(const Exchange *x)
{
    const RequestHead *r = &x->request;
    if (!r->framing.upgrade || r->minor == 0 || r->framing.body != BODY_NONE) {
        return STR_NONE;
    }
    const Field *field = fields_find(&r->fields, FIELD_UPGRADE);
    Str protocols = field ? field->value : STR_NONE;
    Str member;
    while (list_next(&protocols, &member)) {
        for (size_t i = 0; i < x->service->upgrade_count; i++) {
            if (str_equal_nocase(member, x->service->upgrades[i]) &&
                !str_equal_nocase(member, S("h2c"))) {
                return member;
            }
        }
    }
    return STR_NONE;
}

/* --- forwarding fields ----------------------------------------------------------------------- */

/* Values that a trusted proxy sent, all lines of the field as one list; then ours. */
static void add_list(const Exchange *x, Str name, FieldId id, Str ours, Text *out)
{
    text_add(out, name);
    text_add(out, S(": "));
    const Fields *fields = &x->request.fields;
    for (size_t i = 0; x->trusted && i < fields->count; i++) {
        if (fields->at[i].id == id && fields->at[i].value.len > 0) {
            text_add(out, fields->at[i].value);
            text_add(out, S(", "));
        }
    }
    text_add(out, ours);
    text_add(out, S("\r\n"));
}

/* A single value: a trusted proxy's stays, otherwise ours. */
static void add_kept(const Exchange *x, Str name, FieldId id, Str ours, Text *out)
{
    const Field *theirs = x->trusted ? fields_find(&x->request.fields, id) : NULL;
    add_field(out, name, theirs ? theirs->value : ours);
}

/* RFC 7239 §4: an IPv6 address stands in brackets and quotes. */
static void add_forwarded(const Exchange *x, IpAddress ip, Str address, Text *out)
{
    uint8_t room[512];
    Text element = text_in(span_of(room, sizeof room));
    text_add(&element, S("for="));
    if (ip.family == 6) {
        text_add(&element, S("\"["));
        text_add(&element, address);
        text_add(&element, S("]\""));
    } else {
        text_add(&element, ip.family == 4 ? address : S("unknown"));
    }
    text_add(&element, S(";host=\""));
    text_add(&element, x->request.host);
    text_add(&element, S("\";proto=http"));
    add_list(x, S("Forwarded"), FIELD_FORWARDED, text_str(&element), out);
}

static void add_forwarding(const Exchange *x, const Client *c, Text *out)
{
    const ForwardedRules *rules = &x->service->forwarded;
    uint8_t room[IP_TEXT_MAX];
    Text address = text_in(span_of(room, sizeof room));
    if (c->peer.ip.family) {
        ip_print(&address, c->peer.ip);
    } else {
        text_add(&address, S("unknown"));
    }
    Str ip = text_str(&address);
    if (rules->x_forwarded_for) {
        add_list(x, S("X-Forwarded-For"), FIELD_X_FORWARDED_FOR, ip, out);
    }
    if (rules->x_forwarded_proto) {
        add_kept(x, S("X-Forwarded-Proto"), FIELD_X_FORWARDED_PROTO, S("http"), out);
    }
    if (rules->x_forwarded_host && x->request.host.len) {
        add_kept(x, S("X-Forwarded-Host"), FIELD_X_FORWARDED_HOST, x->request.host, out);
    }
    if (rules->x_real_ip) {
        add_kept(x, S("X-Real-IP"), FIELD_X_REAL_IP, ip, out);
    }
    if (rules->forwarded) {
        add_forwarded(x, c->peer.ip, ip, out);
    }
}

/* Whether River writes this forwarding field itself. */
static bool rule_writes(const ForwardedRules *rules, FieldId id)
{
    switch ((int)id) {
    case FIELD_X_FORWARDED_FOR:
        return rules->x_forwarded_for;
    case FIELD_X_FORWARDED_PROTO:
        return rules->x_forwarded_proto;
    case FIELD_X_FORWARDED_HOST:
        return rules->x_forwarded_host;
    case FIELD_X_REAL_IP:
        return rules->x_real_ip;
    default:
        return rules->forwarded;
    }
}

static bool is_forwarding(FieldId id)
{
    return id == FIELD_X_FORWARDED_FOR || id == FIELD_X_FORWARDED_PROTO ||
           id == FIELD_X_FORWARDED_HOST || id == FIELD_X_REAL_IP || id == FIELD_FORWARDED;
}

/* --- requests -------------------------------------------------------------------------------- */

static bool is_request_id(const Service *s, const Field *f)
{
    return f->id == s->request_id_field &&
           (f->id != FIELD_OTHER || str_equal_nocase(f->name, s->request_id_name));
}

static bool request_field_passes(const Exchange *x, const Field *f)
{
    if (f->dropped || f->id == FIELD_HOST || is_request_id(x->service, f)) {
        return false;
    }
    if (f->id != FIELD_OTHER && (field_flags(f->id) & (FIELD_HOP | FIELD_FRAMING))) {
        return false;
    }
    if (is_forwarding(f->id)) { /* what an untrusted client says of itself goes no further */
        return x->trusted && !rule_writes(&x->service->forwarded, f->id);
    }
    return !x->request.framing.names_fields || !connection_names(&x->request.fields, f->name);
}

static void add_request_line(const Exchange *x, Text *out)
{
    const RequestHead *r = &x->request;
    text_add(out, r->method_name);
    text_byte(out, ' ');
    text_add(out, r->path);
    if (r->has_query) {
        text_byte(out, '?');
        text_add(out, r->query);
    }
    text_add(out, S(" HTTP/1.1\r\nHost: "));
    text_add(out, x->service->host.len ? x->service->host : r->host);
    text_add(out, S("\r\n"));
}

static void add_request_connection(const Exchange *x, Text *out)
{
    const RequestHead *r = &x->request;
    if (x->protocol.len) {
        add_field(out, S("Connection"), S("Upgrade"));
        add_field(out, S("Upgrade"), x->protocol);
    } else {
        const Field *te = fields_find(&r->fields, FIELD_TE);
        Str codings = te ? te->value : STR_NONE;
        Str member;
        while (list_next(&codings, &member)) {
            if (str_equal_nocase(member, S("trailers"))) {
                text_add(out, S("Connection: TE\r\nTE: trailers\r\n"));
                break;
            }
        }
    }
    if (r->framing.body == BODY_CHUNKED) {
        text_add(out, S("Transfer-Encoding: chunked\r\n"));
    } else if (r->framing.has_length) {
        text_add(out, S("Content-Length: "));
        text_u64(out, r->framing.length);
        text_add(out, S("\r\n"));
    }
}

void forward_request_head(Thread *t, const Exchange *x, const Client *c, Text *out)
{
    (void)t;
    add_request_line(x, out);
    const Fields *fields = &x->request.fields;
    for (size_t i = 0; i < fields->count; i++) {
        if (request_field_passes(x, &fields->at[i])) {
            add_field(out, fields->at[i].name, fields->at[i].value);
        }
    }
    add_forwarding(x, c, out);
    add_field(out, x->service->request_id_name, x->id);
    add_request_connection(x, out);
    text_add(out, S("\r\n"));
}

/* --- responses ------------------------------------------------------------------------------- */

void forward_date(Thread *t, Text *out)
{
    int64_t second = (int64_t)((t->now_ns / 1000 + t->wall_offset_us) / 1000000);
    if (second != t->date_second) {
        Text date = text_in(span_of(t->date, sizeof t->date));
        date_print(&date, second);
        t->date_second = second;
    }
    text_add(out, S("Date: "));
    text_add(out, str_of(t->date, sizeof t->date));
    text_add(out, S("\r\n"));
}

static bool response_field_passes(const ResponseHead *r, const Field *f)
{
    if (f->dropped) {
        return false;
    }
    if (f->id != FIELD_OTHER && (field_flags(f->id) & (FIELD_HOP | FIELD_FRAMING))) {
        return false;
    }
    return !r->framing.names_fields || !connection_names(&r->fields, f->name);
}

static void add_status_line(const ResponseHead *r, Text *out)
{
    text_add(out, S("HTTP/1.1 "));
    text_u64(out, r->status);
    text_byte(out, ' ');
    text_add(out, r->reason);
    text_add(out, S("\r\n"));
}

/* Returns whether a Date was among them. */
static bool add_response_fields(const ResponseHead *r, Text *out)
{
    bool dated = false;
    for (size_t i = 0; i < r->fields.count; i++) {
        const Field *f = &r->fields.at[i];
        if (response_field_passes(r, f)) {
            dated |= f->id == FIELD_DATE;
            add_field(out, f->name, f->value);
        }
    }
    return dated;
}

void forward_response_head(Thread *t, const Exchange *x, Text *out)
{
    const ResponseHead *r = &x->response;
    add_status_line(r, out);
    if (!add_response_fields(r, out)) {
        forward_date(t, out); /* RFC 9110 §6.6.1 */
    }
    if (x->send_as == BODY_CHUNKED) {
        text_add(out, S("Transfer-Encoding: chunked\r\n"));
    } else if (r->framing.has_length && r->status != 204) {
        text_add(out, S("Content-Length: "));
        text_u64(out, r->framing.length);
        text_add(out, S("\r\n"));
    }
    if (!x->keep_client) {
        text_add(out, S("Connection: close\r\n"));
    } else if (x->request.minor == 0) {
        text_add(out, S("Connection: keep-alive\r\n"));
    }
    text_add(out, S("\r\n"));
}

void forward_interim_head(const Exchange *x, const ResponseHead *head, Text *out)
{
    add_status_line(head, out);
    (void)add_response_fields(head, out);
    if (head->status == 101) {
        add_field(out, S("Connection"), S("Upgrade"));
        const Field *upgrade = fields_find(&head->fields, FIELD_UPGRADE);
        add_field(out, S("Upgrade"), upgrade ? upgrade->value : x->protocol);
    }
    text_add(out, S("\r\n"));
}

HttpFault forward_trailers(Thread *t, Str section, Text *out)
{
    Fields fields = {0};
    HttpFault fault = trailer_parse(section, t->fields, &fields);
    if (fault != HTTP_FAULT_NONE) {
        return fault;
    }
    for (size_t i = 0; i < fields.count; i++) {
        if (!fields.at[i].dropped) {
            add_field(out, fields.at[i].name, fields.at[i].value);
        }
    }
    return HTTP_FAULT_NONE;
}
