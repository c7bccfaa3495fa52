/* relay.c - the pumps. Each reads into the thread's one large buffer, decodes in place, and sends
 * with as few calls as possible; what a peer does not take at once waits in its wire's queue, and
 * until that is empty nothing more is read for it. */
#include "proxy/relay.h"

#include "base/number.h"
#include "proxy/forward.h"
#include "proxy/worker.h"

#define COPY_BYTES_MAX 4096u /* a body piece up to this is copied behind what stands before it */

size_t relay_room(const Thread *t, const Wire *to)
{
    if (thread_is_tight(t)) {
        return THREAD_READ_BYTES_MIN;
    }
    return to->short_write ? THREAD_READ_BYTES_SLOW : THREAD_INPUT_BYTES;
}

Err relay_fill(Thread *t, Wire *w, const Buf *in, size_t room, size_t *ret_old, size_t *ret_total)
{
    size_t old = buf_peek(in, t->input);
    size_t fresh = 0;
    if (w->readable && old < t->input.len) {
        Err err = wire_receive(w, span_take(span_drop(t->input, old), room), &fresh);
        if (err != ERR_OK && err != ERR_AGAIN && old == 0) {
            return err;
        }
    }
    *ret_old = old;
    *ret_total = old + fresh;
    return old + fresh > 0 ? ERR_OK : w->ended ? ERR_CLOSED : w->broken ? ERR_RESET : ERR_AGAIN;
}

Err relay_keep(Thread *t, Buf *in, size_t total, size_t consumed)
{
    buf_clear(in, &t->buf_blocks);
    return buf_add(in, &t->buf_blocks, str_slice(span_str(t->input), consumed, total));
}

/* Sends head text, data and tail with one call; chunked framing is put around the data. `last`: the
 * body ends here, with these trailers. */
static Err send_framed(Thread *t, Wire *to, Text *head, Str data, bool chunked, bool last,
                       Str trailers)
{
    bool chunk = chunked && data.len > 0;
    if (chunk) {
        chunk_head(head, data.len);
    }
    bool copied = data.len <= COPY_BYTES_MAX;
    if (copied) {
        text_add(head, data);
    }
    size_t tail = head->len;
    if (chunk) {
        text_add(head, S("\r\n"));
    }
    if (chunked && last) {
        text_add(head, S("0\r\n"));
        if (trailers.len > 2) {
            HttpFault fault = forward_trailers(t, trailers, head);
            CHECK(fault == HTTP_FAULT_NONE); /* the caller has looked at them */
        }
        text_add(head, S("\r\n"));
    }
    if (head->overflow) {
        return ERR_LIMIT;
    }
    Str written = text_str(head);
    if (copied) {
        return written.len ? wire_send(to, &t->buf_blocks, &written, 1) : ERR_OK;
    }
    Str pieces[3] = {str_take(written, tail), data, str_drop(written, tail)};
    size_t first = pieces[0].len == 0;
    size_t count = 3 - first - (pieces[2].len == 0);
    return wire_send(to, &t->buf_blocks, pieces + first, count);
}

static bool trailers_valid(Thread *t, Str section)
{
    Fields fields = {0};
    return section.len <= 2 || trailer_parse(section, t->fields, &fields) == HTTP_FAULT_NONE;
}

/* --- requests -------------------------------------------------------------------------------- */

static Fault origin_send_fault(const Exchange *x, Err err)
{
    if (err == ERR_MEMORY || err == ERR_LIMIT) {
        return FAULT_MEMORY;
    }
    (void)x;
    return FAULT_ORIGIN_CLOSED;
}

/* Keeps body bytes for another try, while they all fit. */
static void replay_keep(Thread *t, Exchange *x, Str data)
{
    if (!x->replay_whole || data.len == 0) {
        return;
    }
    bool fits = x->replay.len + data.len <= x->service->limits.retry_buffer_bytes;
    if (!fits || !method_is_idempotent(x->request.method) || thread_is_tight(t) ||
        buf_add(&x->replay, &t->buf_blocks, data) != ERR_OK) {
        buf_clear(&x->replay, &t->buf_blocks);
        x->replay_whole = false;
    }
}

/* Sends the end of a try's head, or body bytes, to the origin. */
static Step request_send(Thread *t, Exchange *x, Upstream *u, Text *head, Str data, Str trailers)
{
    bool chunked = x->request_body.kind == BODY_CHUNKED;
    bool last = x->request_body.done;
    if (!trailers_valid(t, trailers)) {
        x->keep_client = false; /* who frames badly is not believed about the next request */
        return FAIL(FAULT_REQUEST_TRAILER);
    }
    Err err = send_framed(t, &u->wire, head, data, chunked, last, trailers);
    if (err != ERR_OK) {
        return FAIL(origin_send_fault(x, err));
    }
    x->any_sent = true;
    x->request_sent = last;
    return last ? NEXT : WAIT;
}

Step relay_replay(Thread *t, Exchange *x, Text *head)
{
    Upstream *u = upstream_get(t, x->upstream);
    size_t len = buf_peek(&x->replay, t->input);
    CHECK(len == x->replay.len);
    Str data = str_take(span_str(t->input), len);
    return request_send(t, x, u, head, data, STR_NONE);
}

Step relay_request(Thread *t, Exchange *x, Text *head)
{
    Client *c = client_get(t, x->client);
    Upstream *u = upstream_get(t, x->upstream);
    Body *body = &x->request_body;
    if (body->done) {
        return request_send(t, x, u, head, STR_NONE, STR_NONE);
    }
    size_t old = 0;
    size_t total = 0;
    Err err = u->wire.out.len > 0
                  ? ERR_AGAIN
                  : relay_fill(t, &c->wire, &c->in, relay_room(t, &u->wire), &old, &total);
    if (err == ERR_AGAIN) {
        return head->len ? request_send(t, x, u, head, STR_NONE, STR_NONE) : WAIT;
    }
    if (err != ERR_OK) {
        return FAIL(err == ERR_CLOSED ? FAULT_REQUEST_BODY_CUT : FAULT_CLIENT_GONE);
    }
    Span bytes = span_take(t->input, total);
    BodyStep step = body_decode(body, bytes);
    if (step.fault != HTTP_FAULT_NONE) {
        return FAIL(fault_of_request(step.fault));
    }
    bool moved = step.consumed > 0;
    if (!moved && c->wire.ended) {
        return FAIL(FAULT_REQUEST_BODY_CUT);
    }
    Str data = str_take(span_str(bytes), step.data);
    if (moved) {
        x->progress_in_ms = t->now_ms;
        x->receive_rate.bytes += step.consumed;
        x->bytes_in += step.consumed;
        replay_keep(t, x, data);
    }
    /* What was decoded counts as taken even if sending fails: another try replays it. */
    if ((old > 0 || step.consumed < total) &&
        relay_keep(t, &c->in, total, step.consumed) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    Step sent = moved || head->len ? request_send(t, x, u, head, data, step.trailers) : WAIT;
    if (sent.kind == STEP_FAIL) {
        return sent;
    }
    if (!body->done && (c->wire.readable || (moved && c->in.len > 0))) {
        thread_again(t, c->self);
    }
    return sent;
}

void relay_discard_request(Thread *t, Exchange *x)
{
    Client *c = client_get(t, x->client);
    size_t old = 0;
    size_t total = 0;
    if (!c || x->request_body.done ||
        relay_fill(t, &c->wire, &c->in, THREAD_READ_BYTES_SLOW, &old, &total) != ERR_OK) {
        return;
    }
    BodyStep step = body_decode(&x->request_body, span_take(t->input, total));
    x->bytes_in += step.consumed;
    if (step.fault != HTTP_FAULT_NONE || relay_keep(t, &c->in, total, step.consumed) != ERR_OK) {
        x->keep_client = false;
        x->request_body.done = false;
    }
}

/* --- responses ------------------------------------------------------------------------------- */

static Fault client_send_fault(Err err)
{
    return err == ERR_MEMORY || err == ERR_LIMIT ? FAULT_MEMORY : FAULT_CLIENT_GONE;
}

Step relay_response_bytes(Thread *t, Exchange *x, Span bytes, Text *head)
{
    Client *c = client_get(t, x->client);
    Upstream *u = upstream_get(t, x->upstream);
    BodyStep step = body_decode(&x->response_body, bytes);
    Fault fault = fault_of_response(step.fault);
    if (step.fault == HTTP_FAULT_NONE && !trailers_valid(t, step.trailers)) {
        x->response_body.done = false; /* the client must see that it is not whole */
        fault = FAULT_RESPONSE_TRAILER;
    }
    if (fault != FAULT_RESPONSE_NONE) {
        return FAIL(fault);
    }
    Str data = str_take(span_str(bytes), step.data);
    bool last = x->response_body.done;
    bool chunked = x->send_as == BODY_CHUNKED;
    Err err = send_framed(t, &c->wire, head, data, chunked, last, step.trailers);
    if (err != ERR_OK) {
        return FAIL(client_send_fault(err));
    }
    x->progress_out_ms = t->now_ms;
    x->bytes_out += head->len + (data.len > COPY_BYTES_MAX ? data.len : 0);
    x->body_bytes_out += data.len;
    if (relay_keep(t, &u->in, bytes.len, step.consumed) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    return last ? NEXT : WAIT;
}

/* The origin has closed: the end of a body that says no length, else a cut. */
static Step response_end(Thread *t, Exchange *x, Err err)
{
    if (x->response_body.kind != BODY_UNTIL_CLOSE || err != ERR_CLOSED) {
        return FAIL(FAULT_ORIGIN_CUT);
    }
    x->response_body.done = true;
    Client *c = client_get(t, x->client);
    Text head = text_in(t->output);
    err = send_framed(t, &c->wire, &head, STR_NONE, x->send_as == BODY_CHUNKED, true, STR_NONE);
    x->bytes_out += head.len;
    return err == ERR_OK ? NEXT : FAIL(client_send_fault(err));
}

/* The answer is over only when the client's queue is empty: between requests nobody flushes it. */
static Step when_sent(const Client *c, Step step)
{
    return step.kind == STEP_NEXT && c->wire.out.len > 0 ? WAIT : step;
}

Step relay_response(Thread *t, Exchange *x)
{
    Client *c = client_get(t, x->client);
    Upstream *u = upstream_get(t, x->upstream);
    if (x->response_body.done) {
        return c->wire.out.len == 0 ? NEXT : WAIT;
    }
    if (c->wire.out.len > 0) {
        return WAIT;
    }
    size_t old = 0;
    size_t total = 0;
    Err err = relay_fill(t, &u->wire, &u->in, relay_room(t, &c->wire), &old, &total);
    if (err == ERR_AGAIN || (err == ERR_OK && total == old && !u->wire.ended)) {
        return WAIT;
    }
    if (err == ERR_OK && total == old) {
        err = ERR_CLOSED; /* part of a trailer section, and then the end */
    }
    if (err != ERR_OK) {
        return when_sent(c, response_end(t, x, err));
    }
    x->progress_up_ms = t->now_ms;
    Text head = text_in(t->output);
    Step step = when_sent(c, relay_response_bytes(t, x, span_take(t->input, total), &head));
    if (step.kind == STEP_WAIT && u->wire.readable && c->wire.out.len == 0) {
        thread_again(t, c->self);
    }
    return step;
}

/* --- tunnels --------------------------------------------------------------------------------- */

/* One direction: reads what the other side can take. *ret_ended: `from` has finished. */
static Fault tunnel_pump(Thread *t, Exchange *x, Wire *from, Buf *in, Wire *to, size_t *ret_moved)
{
    size_t old = 0;
    size_t total = 0;
    *ret_moved = 0;
    if (to->out.len > 0) {
        return FAULT_NONE;
    }
    Err err = relay_fill(t, from, in, relay_room(t, to), &old, &total);
    if (err == ERR_AGAIN || err == ERR_CLOSED) {
        return FAULT_NONE;
    }
    if (err != ERR_OK) {
        return FAULT_CLIENT_GONE;
    }
    buf_clear(in, &t->buf_blocks);
    Str data = str_take(span_str(t->input), total);
    if (wire_send(to, &t->buf_blocks, &data, 1) != ERR_OK) {
        return FAULT_CLIENT_GONE;
    }
    x->progress_in_ms = t->now_ms;
    *ret_moved = total;
    return FAULT_NONE;
}

/* Passes an end on, once all that came before has been sent. */
static bool tunnel_end(const Wire *from, const Buf *in, Wire *to, bool *finished)
{
    bool over = from->ended && !from->readable && in->len == 0 && to->out.len == 0;
    if (over && !*finished) {
        stream_finish(&to->stream);
        *finished = true;
    }
    return over;
}

Step relay_tunnel(Thread *t, Exchange *x)
{
    Client *c = client_get(t, x->client);
    Upstream *u = upstream_get(t, x->upstream);
    size_t up = 0;
    size_t down = 0;
    Fault fault = tunnel_pump(t, x, &c->wire, &c->in, &u->wire, &up);
    if (fault == FAULT_NONE) {
        fault = tunnel_pump(t, x, &u->wire, &u->in, &c->wire, &down);
    }
    x->bytes_in += up;
    x->bytes_out += down;
    x->body_bytes_out += down;
    if (fault != FAULT_NONE) {
        return FAIL(fault);
    }
    bool sent = tunnel_end(&c->wire, &c->in, &u->wire, &x->tunnel_up_over);
    bool received = tunnel_end(&u->wire, &u->in, &c->wire, &x->tunnel_down_over);
    if (sent && received) {
        return NEXT;
    }
    bool more_up = c->wire.readable && u->wire.out.len == 0;
    bool more_down = u->wire.readable && c->wire.out.len == 0;
    if (more_up || more_down) {
        thread_again(t, c->self);
    }
    return WAIT;
}
