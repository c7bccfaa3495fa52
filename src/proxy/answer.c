/* answer.c - ANSWER: what River says by itself, for a `respond` service or for a fault. */
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#define RETRY_AFTER_SECONDS 1u

typedef struct Answer {
    uint16_t status;
    Str content_type;
    Str body;
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
        return (Answer){.status = x->respond->status,
                        .content_type = x->respond->content_type,
                        .body = x->respond->body};
    }
    const ServiceLimits *limits = &x->service->limits;
    Answer a = {.status = fault_status(x->fault), .content_type = S("text/plain"), .fault = true};
    if (is_overload(x->fault)) {
        a.status = limits->overload_status;
        a.body = limits->overload_body;
    }
    if (a.body.len == 0) {
        a.body = fault_text(x, a.status);
    }
    return a;
}

static void add_answer_head(Thread *t, const Exchange *x, const Answer *a, HeadOut *out)
{
    forward_status(out, a->status, status_reason(a->status));
    forward_field(out, S("Server"), S("river"));
    forward_date(t, out);
    bool bodiless = a->status == 204 || a->status == 304; /* RFC 9110 §8.6 */
    if (!bodiless) {
        if (a->content_type.len) {
            forward_field(out, S("Content-Type"), a->content_type);
        }
        forward_number(out, S("Content-Length"), a->body.len);
    }
    if (a->fault) {
        forward_field(out, S("Cache-Control"), S("private, no-store"));
    }
    if (a->fault && a->status == 405) {
        forward_field(out, S("Allow"), S("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
    }
    if (a->fault && a->status == 503) {
        forward_number(out, S("Retry-After"), RETRY_AFTER_SECONDS);
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
    bool bodiless = x->request.method == METHOD_HEAD || a.status == 204 || a.status == 304;
    Str body = bodiless ? STR_NONE : a.body;
    size_t bytes = 0;
    if (link_send(t, client, &head, body, false, true, NULL, &bytes) != ERR_OK) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    x->answered = true;
    x->status = a.status;
    x->bytes_out += bytes;
    x->body_bytes_out += body.len;
    x->progress_out_ms = t->now_ms;
    return answer_sent(client);
}
