/* relay.c - the pumps. Each reads into the thread's one large buffer, decodes in place, and sends
 * with as few calls as possible; what a peer does not take at once waits on its link, and until
 * that is empty no more is read for it. */
#include "proxy/relay.h"

#include "base/number.h"
#include "proxy/filter_run.h"
#include "proxy/identity.h"
#include "proxy/worker.h"
#include "transport/reply.h"

/* --- requests -------------------------------------------------------------------------------- */

/* Runs the filters on the next piece of a body. */
static Step filter_piece(Thread *t, Exchange *x, FilterStage stage, const Body *body, Str data)
{
    return data.len == 0 ? NEXT
                         : filter_step(t, x, filter_body(t, x, stage, body->bytes, data));
}

/* Whether the origin may still refuse, unprocessed, what was sent to it. */
static bool may_refuse(Link to)
{
    return to.stream || (to.wire && to.wire->tls && tls_awaits_verdict(to.wire->tls));
}

/* Keeps body bytes for a retry, as long as all of them fit. Requests that are not idempotent are
 * retried only if the origin refused the stream, or River's certificate; trailers are not kept. */
static void replay_keep(Thread *t, Exchange *x, Str data, const Fields *trailers)
{
    if (!x->request.replay_whole || (data.len == 0 && trailers->count == 0)) {
        return;
    }
    bool fits = x->request.replay.len + data.len <= x->service->limits.retry_buffer_bytes;
    bool useful = method_is_idempotent(x->request.head.method) || may_refuse(link_upstream(t, x));
    if (!fits || !useful || trailers->count > 0 || thread_is_tight(t) ||
        buf_add(&x->request.replay, &t->buf_blocks, data) != ERR_OK) {
        buf_clear(&x->request.replay, &t->buf_blocks);
        x->request.replay_whole = false;
    }
}

/* Sends the rest of a try's head, or body bytes, to the origin. */
static Step request_send(Thread *t, Exchange *x, Link to, HeadOut *head, Str data,
                         const Fields *trailers)
{
    bool chunked = x->request.body.kind == BODY_CHUNKED;
    bool last = x->request.body.done && !x->try.extended_connect;
    size_t bytes = 0;
    Err err = link_send(t, to, head, data, chunked, last, trailers, &bytes);
    if (err != ERR_OK) {
        return FAIL(reply_unsent(to, err));
    }
    x->try.any_sent = true;
    x->pace.up_ms = t->now_ms; /* everything before was taken: its time starts now */
    x->try.request_sent = x->request.body.done;
    return x->try.request_sent ? NEXT : WAIT;
}

Step relay_replay(Thread *t, Exchange *x, HeadOut *head)
{
    size_t len = buf_peek(&x->request.replay, t->input);
    CHECK(len == x->request.replay.len);
    return request_send(t, x, link_upstream(t, x), head, str_take(span_str(t->input), len), NULL);
}

/* The fault if the client's body can no longer be read. */
static Fault client_read_fault(Err err)
{
    return err == ERR_CLOSED ? FAULT_REQUEST_BODY_CUT : FAULT_CLIENT_GONE;
}

Step relay_request(Thread *t, Exchange *x, HeadOut *head)
{
    Link to = link_upstream(t, x);
    Body *body = &x->request.body;
    if (body->done) {
        return request_send(t, x, to, head, STR_NONE, NULL);
    }
    Link from = link_client(t, x);
    LinkBody got = {0};
    Err err = link_blocked(to) ? ERR_AGAIN
                               : link_read_body(t, from, body, link_room(t, to), &got);
    if (err == ERR_AGAIN) {
        return head->filled ? request_send(t, x, to, head, STR_NONE, NULL) : WAIT;
    }
    if (err != ERR_OK) {
        return FAIL(client_read_fault(err));
    }
    if (got.fault != HTTP_FAULT_NONE) {
        x->keep_client = false; /* after bad framing, the next request cannot be trusted */
        return FAIL(fault_of_request(got.fault));
    }
    Step filtered = filter_piece(t, x, STAGE_REQUEST_BODY, body, got.data);
    if (filtered.kind == STEP_FAIL) {
        x->keep_client = false;
        return filtered;
    }
    bool moved = got.consumed > 0 || body->done;
    if (!moved && link_ended(from)) {
        return FAIL(FAULT_REQUEST_BODY_CUT);
    }
    if (moved) {
        x->pace.in_ms = t->now_ms;
        x->pace.receive.bytes += got.consumed;
        x->meter.bytes_in += got.consumed;
        replay_keep(t, x, got.data, &got.trailers);
    }
    /* What was decoded counts as taken even if sending fails: a retry replays it. */
    if ((got.old > 0 || got.consumed < got.total || from.stream) &&
        link_keep(t, from, got.total, got.consumed) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    identity_drop(&x->service->identity, &got.trailers);
    bool more = moved || head->filled;
    Step sent = more ? request_send(t, x, to, head, got.data, &got.trailers) : WAIT;
    if (sent.kind == STEP_FAIL) {
        return sent;
    }
    if (!body->done && (link_has_more(from) || (moved && from.in->len > 0))) {
        exchange_again(t, x);
    }
    return sent;
}

void relay_discard_request(Thread *t, Exchange *x)
{
    Link from = link_client(t, x);
    LinkBody got = {0};
    if (x->request.body.done || from.stream ||
        link_read_body(t, from, &x->request.body, THREAD_READ_BYTES_SLOW, &got) != ERR_OK) {
        return;
    }
    x->meter.bytes_in += got.consumed;
    if (got.fault != HTTP_FAULT_NONE || link_keep(t, from, got.total, got.consumed) != ERR_OK) {
        x->keep_client = false;
        x->request.body.done = false;
    }
}

/* --- responses ------------------------------------------------------------------------------- */

static Fault client_send_fault(Err err)
{
    return err == ERR_MEMORY || err == ERR_LIMIT ? FAULT_MEMORY : FAULT_CLIENT_GONE;
}

static Step response_send(Thread *t, Exchange *x, HeadOut *head, Str data, const Fields *trailers)
{
    bool last = x->try.response_body.done;
    bool chunked = x->reply.body == BODY_CHUNKED;
    size_t bytes = 0;
    Link to = link_client(t, x);
    Err err = link_send(t, to, head, data, chunked, last, trailers, &bytes);
    if (err != ERR_OK) {
        return FAIL(client_send_fault(err));
    }
    x->pace.out_ms = t->now_ms;
    x->meter.bytes_out += bytes;
    if (to.wire && bytes > to.wire->out.len) { /* the rest is counted when flushed */
        x->pace.send.bytes += bytes - to.wire->out.len;
    }
    x->meter.body_bytes_out += data.len;
    return last ? NEXT : WAIT;
}

/* Passes on decoded bytes, and keeps the rest. */
static Step response_pass(Thread *t, Exchange *x, Link from, const LinkBody *got, HeadOut *head)
{
    Step step = got->fault != HTTP_FAULT_NONE
                    ? FAIL(fault_of_response(got->fault))
                    : filter_piece(t, x, STAGE_RESPONSE_BODY, &x->try.response_body, got->data);
    if (step.kind == STEP_FAIL) {
        /* As long as the head is unsent, it can be refused. */
        x->reply.sent = x->reply.sent && !head->filled;
        return step;
    }
    step = response_send(t, x, head, got->data, &got->trailers);
    if (step.kind != STEP_FAIL &&
        link_keep(t, from, got->total, got->consumed) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    return step;
}

Step relay_first_response(Thread *t, Exchange *x, size_t total, HeadOut *head)
{
    Link from = link_upstream(t, x);
    LinkBody got = {0};
    if (from.wire) {
        link_decode_body(t, from, &x->try.response_body, total, &got);
    } else if (!x->try.response_body.done) {
        size_t room = link_room(t, link_client(t, x));
        Err err = link_read_body(t, from, &x->try.response_body, room, &got);
        if (err != ERR_OK && err != ERR_AGAIN) {
            x->reply.sent = false; /* the head was not sent either */
            return FAIL(FAULT_ORIGIN_CUT);
        }
    }
    return response_pass(t, x, from, &got, head);
}

/* The origin has closed: ends a body without a length; any other is cut off. */
static Step response_end(Thread *t, Exchange *x, Err err)
{
    Link from = link_upstream(t, x);
    bool whole = from.wire && !from.wire->cut && err == ERR_CLOSED;
    if (x->try.response_body.kind != BODY_UNTIL_CLOSE || !whole) {
        HttpFault fault = link_fault(from);
        return FAIL(fault == HTTP_FAULT_NONE ? FAULT_ORIGIN_CUT : fault_of_response(fault));
    }
    x->try.response_body.done = true;
    HeadOut none = link_head(t, link_client(t, x));
    return response_send(t, x, &none, STR_NONE, NULL);
}

/* The answer is over only once the client's queue is empty: between requests nothing flushes it. A
 * stream sends its last bytes by itself. */
static Step when_sent(Link to, Step step)
{
    return step.kind == STEP_NEXT && to.wire && link_blocked(to) ? WAIT : step;
}

Step relay_response(Thread *t, Exchange *x)
{
    Link to = link_client(t, x);
    if (x->try.response_body.done) {
        return when_sent(to, NEXT);
    }
    if (link_blocked(to)) {
        return WAIT;
    }
    Link from = link_upstream(t, x);
    LinkBody got = {0};
    Err err = link_read_body(t, from, &x->try.response_body, link_room(t, to), &got);
    bool stuck = err == ERR_OK && from.wire && got.total == got.old;
    if (err == ERR_AGAIN || (stuck && !link_ended(from))) {
        return WAIT;
    }
    if (stuck && got.consumed == 0) {
        err = ERR_CLOSED; /* an incomplete trailer section at the end */
    }
    if (err != ERR_OK) {
        return when_sent(to, response_end(t, x, err));
    }
    x->pace.up_ms = t->now_ms;
    HeadOut none = link_head(t, to);
    Step step = when_sent(to, response_pass(t, x, from, &got, &none));
    if (step.kind == STEP_WAIT && link_has_more(from) && !link_blocked(to)) {
        exchange_again(t, x);
    }
    return step;
}

/* --- tunnels --------------------------------------------------------------------------------- */

static Err tunnel_send(Thread *t, Link to, Str data, bool last)
{
    if (to.stream) {
        return mux_send(t, to.stream, data, last, NULL);
    }
    if (last) {
        wire_finish(to.wire, &t->wires);
        return ERR_OK;
    }
    return wire_send(to.wire, &t->wires, &data, 1);
}

/* Pumps one direction: reads what the other side can take. */
static Fault tunnel_pump(Thread *t, Exchange *x, Link from, Link to, size_t *ret_moved)
{
    size_t old = 0;
    size_t total = 0;
    *ret_moved = 0;
    if (link_blocked(to)) {
        return FAULT_NONE;
    }
    Err err = link_fill(t, from, link_room(t, to), &old, &total);
    if (err == ERR_AGAIN || err == ERR_CLOSED) {
        return FAULT_NONE;
    }
    if (err != ERR_OK) {
        return FAULT_CLIENT_GONE;
    }
    Str data = str_take(span_str(t->input), total);
    if (link_keep(t, from, total, total) != ERR_OK ||
        tunnel_send(t, to, data, false) != ERR_OK) {
        return FAULT_CLIENT_GONE;
    }
    x->pace.in_ms = t->now_ms;
    *ret_moved = total;
    return FAULT_NONE;
}

/* Passes on the end, once everything before it was sent. */
static bool tunnel_end(Thread *t, Link from, Link to, bool *finished)
{
    bool drained = from.in->len == 0 && (from.stream || !from.wire->readable);
    bool over = link_ended(from) && drained && !link_blocked(to);
    if (over && !*finished) {
        *finished = true;
        return tunnel_send(t, to, STR_NONE, true) == ERR_OK;
    }
    return over;
}

Step relay_tunnel(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    Link origin = link_upstream(t, x);
    size_t up = 0;
    size_t down = 0;
    Fault fault = tunnel_pump(t, x, client, origin, &up);
    if (fault == FAULT_NONE) {
        fault = tunnel_pump(t, x, origin, client, &down);
    }
    x->meter.bytes_in += up;
    x->meter.bytes_out += down;
    x->meter.body_bytes_out += down;
    if (fault != FAULT_NONE) {
        return FAIL(fault);
    }
    bool sent = tunnel_end(t, client, origin, &x->tunnel.up_over);
    bool received = tunnel_end(t, origin, client, &x->tunnel.down_over);
    if (sent && received) {
        return NEXT;
    }
    bool more_up = link_readable(client) && !link_blocked(origin);
    bool more_down = link_readable(origin) && !link_blocked(client);
    if (more_up || more_down) {
        exchange_again(t, x);
    }
    return WAIT;
}
