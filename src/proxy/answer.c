/* answer.c - ANSWER: what River says by itself, for a `respond` service or for a fault. */
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#define RETRY_AFTER_SECONDS 1u
#define ANSWER_FIELDS_BYTES_MAX 256u /* of values that are put together */

typedef struct Answer {
    Respond respond;
    bool fault;
} Answer;

static bool is_overload(Fault f)
{
    return f == FAULT_OVERLOAD || f == FAULT_OVERLOAD_HEAD;
}

/* A short plain text: "502 Bad Gateway". */
static Str fault_text(Exchange *x, uint16_t status)
{
    Span room;
    if (!arena_span(&x->arena, 64, &room)) {
        return STR_NONE;
    }
    Text text = text_in(room);
    text_u64(&text, status);
    text_byte(&text, ' ');
    text_add(&text, status_reason(status));
    text_byte(&text, '\n');
    return text_str(&text);
}

static Answer answer_for(Exchange *x)
{
    if (x->respond) {
        return (Answer){.respond = *x->respond};
    }
    const ServiceLimits *limits = &x->service->limits;
    Answer a = {.respond = {.status = fault_status(x->fault)}, .fault = true};
    Respond *r = &a.respond;
    if (x->refusal) {
        *r = *x->refusal;
        r->status = r->status ? r->status : fault_status(x->fault);
    } else if (is_overload(x->fault)) {
        r->status = limits->overload_status;
        r->body = limits->overload_body;
    }
    if (r->body.len == 0) {
        r->body = fault_text(x, r->status);
    }
    r->content_type = r->content_type.len ? r->content_type : S("text/plain");
    if (r->status == 503 && r->retry_after_s == 0) {
        r->retry_after_s = RETRY_AFTER_SECONDS;
    }
    return a;
}

static bool has_body(const Answer *a)
{
    return a->respond.status != 204 && a->respond.status != 304; /* RFC 9110 §8.6 */
}

/* All but the length, which is out of a filter's reach, where they are collected for filters. */
static void add_answer_fields(Thread *t, const Answer *a, HeadOut *out)
{
    const Respond *r = &a->respond;
    forward_field(out, S("Server"), S("river"));
    forward_date(t, out);
    if (has_body(a) && r->content_type.len) {
        forward_field(out, S("Content-Type"), r->content_type);
    }
    if (has_body(a) && !out->edit) {
        forward_number(out, S("Content-Length"), r->body.len);
    }
    if (r->location.len) {
        forward_field(out, S("Location"), r->location);
    }
    if (a->fault) {
        forward_field(out, S("Cache-Control"), S("private, no-store"));
    }
    if (a->fault && r->status == 405) {
        forward_field(out, S("Allow"), S("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
    }
    if (r->retry_after_s) {
        forward_number(out, S("Retry-After"), r->retry_after_s);
    }
}

/* The fields as the service's filters leave them. Nobody refuses an answer of our own. */
static bool add_filtered_fields(Thread *t, Exchange *x, const Answer *a, HeadOut *out)
{
    HeadEdit edit = head_edit_new(&x->arena);
    Span room;
    if (!arena_span(&x->arena, ANSWER_FIELDS_BYTES_MAX, &room)) {
        return false;
    }
    HeadOut list = {.text = text_in(room), .edit = &edit};
    add_answer_fields(t, a, &list);
    (void)filter_head(t, x, &x->service->chains[STAGE_RESPONSE], &edit);
    bool whole = !edit.overflow && !list.text.overflow;
    if (whole) {
        forward_edited(&edit, out);
        if (has_body(a)) {
            forward_number(out, S("Content-Length"), a->respond.body.len);
        }
    }
    return whole;
}

static void add_answer_head(Thread *t, Exchange *x, const Answer *a, HeadOut *out)
{
    uint16_t status = a->respond.status;
    forward_status(out, status, status_reason(status));
    if (x->service->chains[STAGE_RESPONSE].count == 0 || !add_filtered_fields(t, x, a, out)) {
        add_answer_fields(t, a, out);
    }
    forward_client_connection(x, out);
}

/* Whether the client has all of the answer, as far as that is waited for. */
static Step answer_sent(Link client)
{
    return client.stream || !link_blocked(client) ? NEXT : WAIT;
}

Step phase_answer(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    if (x->answered) {
        return answer_sent(client);
    }
    relay_discard_request(t, x);
    if (!x->request_parsed || !x->request_body.done || t->draining) {
        x->keep_client = false;
    }
    Answer a = answer_for(x);
    HeadOut head = link_head(t, client);
    add_answer_head(t, x, &a, &head);
    uint16_t status = a.respond.status;
    Str body = x->request.method == METHOD_HEAD || !has_body(&a) ? STR_NONE : a.respond.body;
    size_t bytes = 0;
    if (link_send(t, client, &head, body, false, true, NULL, &bytes) != ERR_OK) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    x->answered = true;
    x->status = status;
    x->bytes_out += bytes;
    x->body_bytes_out += body.len;
    x->progress_out_ms = t->now_ms;
    return answer_sent(client);
}
