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

static void add_answer_head(Thread *t, const Exchange *x, const Answer *a, Text *out)
{
    text_add(out, S("HTTP/1.1 "));
    text_u64(out, a->status);
    text_byte(out, ' ');
    text_add(out, status_reason(a->status));
    text_add(out, S("\r\nServer: river\r\n"));
    forward_date(t, out);
    bool bodiless = a->status == 204 || a->status == 304; /* RFC 9110 §8.6 */
    if (!bodiless) {
        if (a->content_type.len) {
            text_add(out, S("Content-Type: "));
            text_add(out, a->content_type);
            text_add(out, S("\r\n"));
        }
        text_add(out, S("Content-Length: "));
        text_u64(out, a->body.len);
        text_add(out, S("\r\n"));
    }
    if (a->fault) {
        text_add(out, S("Cache-Control: private, no-store\r\n"));
    }
    if (a->fault && a->status == 405) {
        text_add(out, S("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"));
    }
    if (a->fault && a->status == 503) {
        text_add(out, S("Retry-After: "));
        text_u64(out, RETRY_AFTER_SECONDS);
        text_add(out, S("\r\n"));
    }
    if (!x->keep_client) {
        text_add(out, S("Connection: close\r\n"));
    } else if (x->request.minor == 0) {
        text_add(out, S("Connection: keep-alive\r\n"));
    }
    text_add(out, S("\r\n"));
}

Step phase_answer(Thread *t, Exchange *x)
{
    Client *c = client_get(t, x->client);
    if (x->answered) {
        return c->wire.out.len == 0 ? NEXT : WAIT;
    }
    relay_discard_request(t, x);
    if (!x->request_parsed || !x->request_body.done || t->draining) {
        x->keep_client = false;
    }
    Answer a = answer_for(x);
    Text head = text_in(t->output);
    add_answer_head(t, x, &a, &head);
    bool body = x->request.method != METHOD_HEAD && a.status != 204 && a.status != 304;
    Str pieces[2] = {text_str(&head), a.body};
    size_t count = body && a.body.len ? 2 : 1;
    Err err = head.overflow ? ERR_LIMIT : wire_send(&c->wire, &t->buf_blocks, pieces, count);
    if (err != ERR_OK) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    x->answered = true;
    x->status = a.status;
    x->bytes_out += head.len + (body ? a.body.len : 0);
    x->body_bytes_out += body ? a.body.len : 0;
    x->progress_out_ms = t->now_ms;
    return c->wire.out.len == 0 ? NEXT : WAIT;
}
