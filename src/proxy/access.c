/* access.c - the three formats of an access line, from one table of the record's members. */
#include "proxy/access.h"

#include "loop/quote.h"
#include "loop/timestamp.h"

/* Maximum escaped length of a value; the sum leaves room for the rest of a line. */
#define TARGET_ROOM QUOTE_ROOM_MAX
#define FIELD_ROOM 1024u
#define NAME_ROOM 300u

/* A line under construction, in JSON or logfmt. */
typedef struct Line {
    Text *t;
    bool json;
    bool any;
} Line;

static void line_key(Line *l, Str key)
{
    if (l->any) {
        text_byte(l->t, l->json ? ',' : ' ');
    }
    l->any = true;
    if (l->json) {
        quote_json(l->t, key);
        text_byte(l->t, ':');
    } else {
        text_add(l->t, key);
        text_byte(l->t, '=');
    }
}

/* Omits an empty value: a key is present only if it has one. */
static void line_str(Line *l, Str key, Str value, size_t room)
{
    if (value.len > 0) {
        line_key(l, key);
        quote_within(l->t, l->json ? quote_json : quote_logfmt, value, room);
    }
}

/* The same for a value that is UTF-8. */
static void line_text(Line *l, Str key, Str value, size_t room)
{
    if (value.len > 0) {
        line_key(l, key);
        quote_within(l->t, l->json ? quote_json_text : quote_logfmt_text, value, room);
    }
}

static void line_number(Line *l, Str key, uint64_t n)
{
    line_key(l, key);
    text_u64(l->t, n);
}

static void print_client(Text *t, const AccessRecord *r)
{
    if (r->client.family == 0) {
        text_add(t, S("unix"));
        return;
    }
    if (r->client.family == 6) {
        text_byte(t, '[');
    }
    ip_print(t, r->client);
    if (r->client.family == 6) {
        text_byte(t, ']');
    }
    if (r->client_port) {
        text_byte(t, ':');
        text_u64(t, r->client_port);
    }
}

static Str protocol_of(const AccessRecord *r)
{
    return r->major == 2 ? S("HTTP/2") : r->minor == 0 ? S("HTTP/1.0") : S("HTTP/1.1");
}

static void print_keys(Line *l, const AccessRecord *r)
{
    uint8_t client[IP_TEXT_MAX + 8];
    Text client_text = text_in(span_of(client, sizeof client));
    print_client(&client_text, r);
    uint8_t time[32];
    Text time_text = text_in(span_of(time, sizeof time));
    timestamp_print(&time_text, r->time_us);

    line_str(l, S("time"), text_str(&time_text), NAME_ROOM);
    line_str(l, S("request_id"), r->request_id, NAME_ROOM);
    line_str(l, S("client"), text_str(&client_text), NAME_ROOM);
    line_str(l, S("service"), r->service, NAME_ROOM);
    line_str(l, S("route"), r->route, NAME_ROOM);
    line_str(l, S("host"), r->host, NAME_ROOM);
    line_str(l, S("method"), r->method, NAME_ROOM);
    line_str(l, S("target"), r->target, TARGET_ROOM);
    line_str(l, S("protocol"), r->method.len ? protocol_of(r) : STR_NONE, NAME_ROOM);
    line_str(l, S("tls"), r->tls_version, NAME_ROOM);
    line_str(l, S("tls_suite"), r->tls_suite, NAME_ROOM);
    line_text(l, S("tls_subject"), r->tls_subject, FIELD_ROOM);
    line_number(l, S("status"), r->status);
    line_str(l, S("reason"), r->reason, NAME_ROOM);
    line_str(l, S("retried"), r->retried, NAME_ROOM);
    line_number(l, S("bytes_in"), r->bytes_in);
    line_number(l, S("bytes_out"), r->bytes_out);
    line_str(l, S("upstream"), r->upstream, NAME_ROOM);
    line_number(l, S("attempts"), r->attempts);
    line_number(l, S("total_us"), r->total_us);
    line_number(l, S("connect_us"), r->connect_us);
    line_number(l, S("first_byte_us"), r->first_byte_us);
    line_str(l, S("referer"), r->referer, FIELD_ROOM);
    line_str(l, S("user_agent"), r->user_agent, FIELD_ROOM);
}

/* In the combined format, "-" means unknown. */
static void combined_str(Text *t, Str s, size_t room)
{
    quote_within(t, quote_combined, s.len > 0 ? s : S("-"), room);
}

/* "METHOD TARGET HTTP/1.1" in one pair of quotes. */
static void combined_request(Text *t, const AccessRecord *r)
{
    if (r->method.len == 0) {
        text_add(t, S("\"-\""));
        return;
    }
    uint8_t bytes[2 * TARGET_ROOM];
    Text request = text_in(span_of(bytes, sizeof bytes));
    text_add(&request, str_take(r->method, NAME_ROOM));
    text_byte(&request, ' ');
    text_add(&request, str_take(r->target, TARGET_ROOM));
    text_byte(&request, ' ');
    text_add(&request, protocol_of(r));
    quote_within(t, quote_combined, text_str(&request), TARGET_ROOM);
}

static void print_combined(Text *t, const AccessRecord *r)
{
    if (r->client.family == 0) {
        text_add(t, S("unix"));
    } else {
        ip_print(t, r->client);
    }
    text_add(t, S(" - - ["));
    timestamp_print_combined(t, r->time_us);
    text_add(t, S("] "));
    combined_request(t, r);
    text_byte(t, ' ');
    text_u64(t, r->status);
    text_byte(t, ' ');
    text_u64(t, r->body_bytes_out);
    text_byte(t, ' ');
    combined_str(t, r->referer, FIELD_ROOM);
    text_byte(t, ' ');
    combined_str(t, r->user_agent, FIELD_ROOM);
}

void access_print(Text *t, AccessStyle style, const AccessRecord *record)
{
    if (style == ACCESS_STYLE_COMBINED) {
        print_combined(t, record);
        return;
    }
    Line line = {.t = t, .json = style == ACCESS_STYLE_JSON};
    if (line.json) {
        text_byte(t, '{');
    }
    print_keys(&line, record);
    if (line.json) {
        text_byte(t, '}');
    }
}
