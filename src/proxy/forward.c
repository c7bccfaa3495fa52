/* forward.c - which fields are forwarded, removed, and added by River (RFC 9110 §7.6). */
#include "proxy/forward.h"

#include "http/date.h"
#include "proxy/identity.h"
#include "proxy/source.h"
#include "proxy/worker.h"

#define EDIT_BYTES_MIN 2048u

/* Forwards a received field. Known names are available in lower case. */
static void pass_field(HeadOut *out, const Field *f)
{
    if (out->h2 && !out->edit && f->id != FIELD_OTHER) {
        head_borrow(out, field_name(f->id), f->value);
    } else {
        head_field(out, f->name, f->value);
    }
}

/* Upgrade lists protocols; the first that the service allows is chosen. h2c is never allowed: it
 * would let requests bypass River (CVE-2026-2833). */
static bool protocol_allowed(const Service *s, Str protocol)
{
    for (size_t i = 0; i < s->upgrade_count; i++) {
        if (str_equal_nocase(protocol, s->upgrades[i])) {
            return !str_equal_nocase(protocol, S("h2c"));
        }
    }
    return false;
}

Str forward_protocol(const Exchange *x)
{
    const RequestHead *r = &x->request.head;
    if (r->protocol.len > 0) { /* extended CONNECT (RFC 8441) */
        return protocol_allowed(x->service, r->protocol) ? r->protocol : STR_NONE;
    }
    if (!r->framing.upgrade || r->minor == 0 || r->framing.body != BODY_NONE) {
        return STR_NONE;
    }
    const Field *field = fields_find(&r->fields, FIELD_UPGRADE);
    Str protocols = field ? field->value : STR_NONE;
    Str member;
    while (list_next(&protocols, &member)) {
        if (protocol_allowed(x->service, member)) {
            return member;
        }
    }
    return STR_NONE;
}

/* --- forwarding fields ----------------------------------------------------------------------- */

/* Appends ours to the values from a trusted proxy, merging all lines of the field into one list. */
static void add_list(const Exchange *x, Str name, FieldId id, Str ours, HeadOut *out)
{
    if (!x->request.trusted) {
        head_copy(out, name, ours);
        return;
    }
    size_t at = head_begin(out, name);
    const Fields *fields = &x->request.head.fields;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == id && fields->at[i].value.len > 0) {
            text_add(&out->text, fields->at[i].value);
            text_add(&out->text, S(", "));
        }
    }
    text_add(&out->text, ours);
    head_end(out, at);
}

/* For a single value: keeps a trusted proxy's, otherwise sets ours. */
static void add_kept(const Exchange *x, Str name, FieldId id, Str ours, HeadOut *out)
{
    const Field *theirs = x->request.trusted ? fields_find(&x->request.head.fields, id) : NULL;
    head_copy(out, name, theirs ? theirs->value : ours);
}

/* Names the client itself, whereas the other fields name the peer. */
static void add_real_ip(const Exchange *x, HeadOut *out)
{
    uint8_t room[IP_TEXT_MAX];
    Text address = text_in(span_of(room, sizeof room));
    if (x->request.client_ip.family) {
        ip_print(&address, x->request.client_ip);
    } else {
        text_add(&address, S("unknown"));
    }
    add_kept(x, S("X-Real-IP"), FIELD_X_REAL_IP, text_str(&address), out);
}

/* RFC 7239 §4: an IPv6 address needs brackets and quotes. */
static void add_forwarded(const Exchange *x, IpAddress ip, Str address, Str scheme,
                          HeadOut *out)
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
    text_add(&element, x->request.head.host);
    text_add(&element, S("\";proto="));
    text_add(&element, scheme);
    add_list(x, S("Forwarded"), FIELD_FORWARDED, text_str(&element), out);
}

static void add_forwarding(const Exchange *x, const Client *c, HeadOut *out)
{
    Str scheme = c->wire.tls ? S("https") : S("http");
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
        add_kept(x, S("X-Forwarded-Proto"), FIELD_X_FORWARDED_PROTO, scheme, out);
    }
    if (rules->x_forwarded_host && x->request.head.host.len) {
        add_kept(x, S("X-Forwarded-Host"), FIELD_X_FORWARDED_HOST, x->request.head.host, out);
    }
    if (rules->x_real_ip) {
        add_real_ip(x, out);
    }
    if (rules->forwarded) {
        add_forwarded(x, c->peer.ip, ip, scheme, out);
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
    if (!x->request.trusted && source_is_field(x->service, f)) {
        return false;
    }
    if (is_forwarding(f->id)) { /* an untrusted client's claims are not forwarded */
        return x->request.trusted && !rule_writes(&x->service->forwarded, f->id);
    }
    const IdentityRules *identity = &x->service->identity;
    if (f->id == FIELD_CLIENT_CERT || f->id == FIELD_CLIENT_CERT_CHAIN) {
        return x->request.trusted && !identity->any; /* RFC 9440 §2.4 */
    }
    if (identity->any && identity_is_field(identity, f)) {
        return false;
    }
    return !x->request.head.framing.names_fields ||
           !connection_names(&x->request.head.fields, f->name);
}

static void add_target(const Exchange *x, Text *text)
{
    const RequestHead *r = &x->request.head;
    text_add(text, UNLIKELY(x->request.origin_path.len > 0) ? x->request.origin_path : r->path);
    if (r->has_query) {
        text_byte(text, '?');
        text_add(text, r->query);
    }
}

static Str host_for(const Exchange *x)
{
    return x->service->host.len ? x->service->host : x->request.head.host;
}

/* An extended CONNECT is a GET that asks for another protocol (RFC 8441 §5, RFC 6455 §4.1). */
static Str method_for(const Exchange *x)
{
    return x->request.head.protocol.len ? S("GET") : x->request.head.method_name;
}

static void add_request_line(const Exchange *x, HeadOut *out)
{
    Text *text = &out->text;
    out->filled = true;
    text_add(text, method_for(x));
    text_byte(text, ' ');
    add_target(x, text);
    text_add(text, S(" HTTP/1.1\r\nHost: "));
    text_add(text, host_for(x));
    text_add(text, S("\r\n"));
}

static void add_pseudo_fields(const Exchange *x, HeadOut *out)
{
    bool connect = x->try.extended_connect;
    head_borrow(out, S(":method"), connect ? S("CONNECT") : method_for(x));
    if (connect) {
        head_borrow(out, S(":protocol"), x->request.upgrade);
    }
    head_borrow(out, S(":scheme"), x->try.endpoint->tls ? S("https") : S("http"));
    head_borrow(out, S(":authority"), host_for(x));
    size_t at = head_begin(out, S(":path"));
    add_target(x, &out->text);
    head_end(out, at);
}

static bool wants_trailers(const RequestHead *r)
{
    const Field *te = fields_find(&r->fields, FIELD_TE);
    Str codings = te ? te->value : STR_NONE;
    Str member;
    while (list_next(&codings, &member)) {
        if (str_equal_nocase(member, S("trailers"))) {
            return true;
        }
    }
    return false;
}

#define WEBSOCKET_KEY_BYTES 16u

/* RFC 8441 has no key, HTTP/1 requires one (RFC 6455 §4.1). River drops the origin's answer. */
static void add_websocket_key(Thread *t, HeadOut *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = head_begin(out, S("Sec-WebSocket-Key"));
    for (size_t i = 0; i < WEBSOCKET_KEY_BYTES * 8 / 6; i++) {
        text_byte(&out->text, (uint8_t)digits[random_next(&t->random) % 64]);
    }
    text_byte(&out->text, (uint8_t)digits[random_next(&t->random) % 4 * 16]); /* two bits left */
    text_add(&out->text, S("=="));
    head_end(out, at);
}

/* HTTP/2 ends such a request with its head; in HTTP/1 some origins answer 411 unless an empty body
 * is announced (RFC 9110 §8.6). */
static bool needs_length(const RequestHead *r, const HeadOut *out)
{
    bool usual = r->method == METHOD_POST || r->method == METHOD_PUT || r->method == METHOD_PATCH;
    return usual && r->major == 2 && !out->h2 && r->framing.body == BODY_NONE;
}

static void add_request_connection(Thread *t, const Exchange *x, HeadOut *out)
{
    const RequestHead *r = &x->request.head;
    if (x->request.upgrade.len && !out->h2) {
        head_field(out, S("Connection"), S("Upgrade"));
        head_field(out, S("Upgrade"), x->request.upgrade);
        if (r->protocol.len && str_equal_nocase(x->request.upgrade, S("websocket"))) {
            add_websocket_key(t, out);
        }
    } else if (!x->request.upgrade.len && wants_trailers(r)) {
        if (!out->h2) {
            head_field(out, S("Connection"), S("TE"));
        }
        head_field(out, S("TE"), S("trailers"));
    }
    if (r->protocol.len) {
        return; /* what follows belongs to the tunnel */
    }
    if (r->framing.has_length || needs_length(r, out)) {
        head_number(out, S("Content-Length"), r->framing.length);
    } else if (r->framing.body == BODY_CHUNKED && !out->h2) {
        head_field(out, S("Transfer-Encoding"), S("chunked"));
    }
}

/* Adds the end-to-end fields, and River's own. */
static void add_request_fields(const Exchange *x, const Client *c, HeadOut *out)
{
    const Fields *fields = &x->request.head.fields;
    for (size_t i = 0; i < fields->count; i++) {
        if (request_field_passes(x, &fields->at[i])) {
            pass_field(out, &fields->at[i]);
        }
    }
    add_forwarding(x, c, out);
    identity_add(x, c, out);
    head_field(out, x->service->request_id_name, x->id);
}

/* A list with room for generated values: those that came in and our own, with `more` bytes beyond
 * the usual. */
static HeadOut edit_out(const Fields *fields, size_t more, HeadEdit *edit)
{
    size_t bytes = EDIT_BYTES_MIN + more;
    for (size_t i = 0; i < fields->count; i++) {
        bytes += fields->at[i].value.len + 2;
    }
    Span room = {0};
    edit->overflow = !arena_span(edit->arena, bytes, &room);
    return (HeadOut){.text = text_in(room), .edit = edit};
}

void forward_request_edit(const Exchange *x, const Client *c, HeadEdit *edit)
{
    HeadOut out = edit_out(&x->request.head.fields, identity_bytes(x, c), edit);
    add_request_fields(x, c, &out);
    edit->overflow |= out.text.overflow;
}

void forward_edited(const HeadEdit *edit, HeadOut *out)
{
    for (size_t i = 0; i < edit->count; i++) {
        if (!edit->fields[i].removed) {
            head_field(out, edit->fields[i].name, edit->fields[i].value);
        }
    }
}

void forward_request_head(Thread *t, const Exchange *x, const Client *c, HeadOut *out)
{
    out->body = x->request.body.kind != BODY_NONE;
    if (out->h2) {
        add_pseudo_fields(x, out);
    } else {
        add_request_line(x, out);
    }
    if (x->request.edit) {
        forward_edited(x->request.edit, out);
    } else {
        add_request_fields(x, c, out);
    }
    add_request_connection(t, x, out);
    if (!out->h2) {
        text_add(&out->text, S("\r\n"));
    }
}

/* --- responses ------------------------------------------------------------------------------- */

void forward_date(Thread *t, HeadOut *out)
{
    int64_t second = (int64_t)((t->now_ns / 1000 + t->wall_offset_us) / 1000000);
    if (second != t->date_second) {
        Text date = text_in(span_of(t->date, sizeof t->date));
        date_print(&date, second);
        t->date_second = second;
    }
    head_field(out, S("Date"), str_of(t->date, sizeof t->date));
}

/* The answer to a key that River generated is meaningless to the client. */
static bool is_websocket_accept(const Exchange *x, const Field *f)
{
    return x->request.head.protocol.len && str_equal_nocase(f->name, S("sec-websocket-accept"));
}

static bool response_field_passes(const Exchange *x, const ResponseHead *r, const Field *f)
{
    if (f->dropped || is_websocket_accept(x, f)) {
        return false;
    }
    if (f->id != FIELD_OTHER && (field_flags(f->id) & (FIELD_HOP | FIELD_FRAMING))) {
        return false;
    }
    return !r->framing.names_fields || !connection_names(&r->fields, f->name);
}

void forward_status(HeadOut *out, unsigned status, Str reason)
{
    out->filled = true;
    if (out->h2) {
        size_t at = head_begin(out, S(":status"));
        text_u64(&out->text, status);
        head_end(out, at);
        return;
    }
    text_add(&out->text, S("HTTP/1.1 "));
    text_u64(&out->text, status);
    text_byte(&out->text, ' ');
    text_add(&out->text, reason);
    text_add(&out->text, S("\r\n"));
}

/* Returns whether a Date was among them. */
static bool add_response_fields(const Exchange *x, const ResponseHead *r, HeadOut *out)
{
    bool dated = false;
    for (size_t i = 0; i < r->fields.count; i++) {
        const Field *f = &r->fields.at[i];
        if (response_field_passes(x, r, f)) {
            dated |= f->id == FIELD_DATE;
            pass_field(out, f);
        }
    }
    return dated;
}

void forward_client_connection(const Exchange *x, HeadOut *out)
{
    if (out->h2) {
        return;
    }
    if (!x->keep_client) {
        head_field(out, S("Connection"), S("close"));
    } else if (x->request.head.minor == 0) {
        head_field(out, S("Connection"), S("keep-alive"));
    }
    text_add(&out->text, S("\r\n"));
}

void forward_response_edit(Thread *t, const Exchange *x, HeadEdit *edit)
{
    HeadOut out = edit_out(&x->try.response.fields, 0, edit);
    if (!add_response_fields(x, &x->try.response, &out)) {
        forward_date(t, &out); /* RFC 9110 §6.6.1 */
    }
    edit->overflow |= out.text.overflow;
}

void forward_response_head(Thread *t, const Exchange *x, const HeadEdit *edit, HeadOut *out)
{
    const ResponseHead *r = &x->try.response;
    out->body = x->reply.body != BODY_NONE;
    forward_status(out, r->status, r->reason);
    if (edit) {
        forward_edited(edit, out);
    } else if (!add_response_fields(x, r, out)) {
        forward_date(t, out); /* RFC 9110 §6.6.1 */
    }
    if (x->reply.body == BODY_CHUNKED && !out->h2) {
        head_field(out, S("Transfer-Encoding"), S("chunked"));
    } else if (r->framing.has_length && r->status != 204) {
        head_number(out, S("Content-Length"), r->framing.length);
    }
    forward_client_connection(x, out);
}

void forward_interim_head(const Exchange *x, const ResponseHead *head, HeadOut *out)
{
    bool tunnel = head->status == 101 || x->try.extended_connect;
    if (tunnel) {
        forward_status(out, out->h2 ? 200 : 101, S("Switching Protocols"));
    } else {
        forward_status(out, head->status, head->reason);
    }
    (void)add_response_fields(x, head, out);
    if (out->h2) {
        return;
    }
    if (tunnel) {
        head_field(out, S("Connection"), S("Upgrade"));
        const Field *upgrade = fields_find(&head->fields, FIELD_UPGRADE);
        head_field(out, S("Upgrade"), upgrade ? upgrade->value : x->request.upgrade);
    }
    text_add(&out->text, S("\r\n"));
}
