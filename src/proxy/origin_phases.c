/* origin_phases.c - CONNECT, SEND, AWAIT, REPLY and RELAY: the origin's half of an exchange. */
#include "base/number.h"
#include "proxy/exchange.h"
#include "proxy/filter_run.h"
#include "proxy/forward.h"
#include "proxy/relay.h"
#include "proxy/rewrite.h"
#include "transport/reply.h"
#include "proxy/worker.h"

/* --- CONNECT --------------------------------------------------------------------------------- */

/* Lets filters edit the fields for the origin, once; retries send the same. This happens before
 * there is a connection that would have to wait for a filter. */
static Step request_edit(Thread *t, Exchange *x)
{
    HeadEdit **edit = &x->filters.edit;
    if (x->service->chains[STAGE_UPSTREAM_REQUEST].count == 0 || x->request.edit) {
        return NEXT;
    }
    if (!*edit) {
        *edit = arena_new(&x->arena, HeadEdit);
        if (!*edit) {
            return FAIL(FAULT_MEMORY);
        }
        **edit = head_edit_new(&x->arena);
        forward_request_edit(x, client_get(t, x->client), *edit);
    }
    Step step = filter_step(t, x, filter_head(t, x, STAGE_UPSTREAM_REQUEST, *edit));
    if (step.kind != STEP_NEXT) {
        return step;
    }
    x->request.edit = *edit;
    *edit = NULL;
    return x->request.edit->overflow ? FAIL(FAULT_REQUEST_HEAD_TOO_LARGE) : NEXT;
}

Step phase_connect(Thread *t, Exchange *x)
{
    if (!x->try.lease) {
        Step edited = request_edit(t, x);
        if (edited.kind != STEP_NEXT) {
            return edited;
        }
        x->try.start_us = t->now_ns / 1000;
        x->try.lease = lease_new(t, exchange_token(x), x->try.endpoint->origin, x->try.fresh);
    }
    Err err = x->try.lease ? lease_ask(t, x->try.lease) : ERR_MEMORY;
    if (err == ERR_AGAIN) {
        return WAIT;
    }
    if (err != ERR_OK) {
        return FAIL(x->try.lease ? x->try.lease->fault : FAULT_MEMORY);
    }
    x->try.reused = x->try.lease->reused;
    uint64_t took_us = t->now_ns / 1000 - x->try.start_us;
    x->meter.connect_us += took_us;
    counter_add_time(t->services[x->service->index].connect_time, took_us);
    OriginCounters *counters = &t->origins[x->try.endpoint->origin];
    counter_add(&counters->requests, 1);
    counter_add(&counters->reused, x->try.reused);
    return NEXT;
}

/* --- SEND ------------------------------------------------------------------------------------ */

/* Whether a body may be silent for hours: gRPC, or an event stream. Such bodies have no length. */
static bool is_stream(const Framing *framing, const Fields *fields)
{
    bool open_end = framing->body != BODY_NONE && framing->body != BODY_LENGTH;
    const Field *type = open_end ? fields_find(fields, FIELD_CONTENT_TYPE) : NULL;
    return type && (str_starts_nocase(type->value, S("application/grpc")) ||
                    str_starts_nocase(type->value, S("text/event-stream")));
}

Step phase_send(Thread *t, Exchange *x)
{
    Link origin = link_upstream(t, x);
    x->try.extended_connect = x->request.upgrade.len > 0 && origin.stream;
    const Mux *m = x->try.extended_connect ? origin.stream->mux : NULL;
    if (m && !h2_takes_connect(m->h2)) {
        return FAIL(FAULT_ORIGIN_TUNNEL);
    }
    HeadOut head = link_head(t, origin);
    forward_request_head(t, x, client_get(t, x->client), &head);
    if (head.text.overflow || head.count > head.room) {
        return FAIL(FAULT_REQUEST_HEAD_TOO_LARGE);
    }
    x->pace.up_ms = t->now_ms;
    x->pace.in_ms = t->now_ms;
    x->streams = origin.stream && is_stream(&x->request.head.framing, &x->request.head.fields);
    if (x->request.replay.len > 0) {
        Step step = relay_replay(t, x, &head);
        if (step.kind == STEP_FAIL || x->request.body.done) {
            return step.kind == STEP_FAIL ? step : NEXT;
        }
        head = link_head(t, origin);
    }
    Step step = relay_request(t, x, &head);
    return step.kind == STEP_FAIL ? step : NEXT;
}

/* --- AWAIT ----------------------------------------------------------------------------------- */

/* Both sides switch to another protocol (RFC 9110 §7.8, RFC 8441). */
static Step tunnel_open(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    HeadOut head = link_head(t, client);
    forward_interim_head(x, &x->try.response, &head);
    size_t bytes = 0;
    if (link_send(t, client, &head, STR_NONE, false, false, NULL, &bytes) != ERR_OK) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    x->tunnel.open = true;
    x->reply.sent = true;
    x->reply.status = client.stream ? 200 : 101;
    x->meter.bytes_out += bytes;
    x->pace.in_ms = t->now_ms;
    return GOTO(RELAY);
}

static Step switch_protocols(Thread *t, Exchange *x, Link origin)
{
    const Field *upgrade = fields_find(&x->try.response.fields, FIELD_UPGRADE);
    Str asked = x->request.upgrade;
    if (asked.len == 0 || !upgrade || !str_equal_nocase(upgrade->value, asked)) {
        return FAIL(FAULT_ORIGIN_SWITCH);
    }
    Step step = tunnel_open(t, x);
    if (step.kind != STEP_FAIL &&
        link_keep(t, origin, x->try.rest_total, x->try.rest_from) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    return step;
}

static Step pass_interim(Thread *t, Exchange *x)
{
    if (++x->reply.interim > REPLY_INTERIM_MAX) {
        return FAIL(FAULT_ORIGIN_INTERIM);
    }
    x->pace.up_ms = t->now_ms;
    if (x->request.head.minor == 0) {
        return NEXT; /* RFC 9110 §15.2: never to an HTTP/1.0 client */
    }
    Link client = link_client(t, x);
    HeadOut head = link_head(t, client);
    forward_interim_head(x, &x->try.response, &head);
    x->meter.bytes_out += head.text.len;
    return link_send_interim(t, client, &head) == ERR_OK ? NEXT : FAIL(FAULT_CLIENT_GONE);
}

static void first_byte(const Thread *t, Exchange *x)
{
    if (x->meter.first_byte_us == 0) {
        origin_reachable(&t->group->origins[x->try.endpoint->origin]);
        x->meter.first_byte_us = t->now_ns / 1000 - x->meter.start_us;
    }
}

/* Looks for a complete head in the input from rest_from on. NEXT: a final head was parsed; WAIT:
 * more bytes are needed; GOTO: a tunnel. An interim head sets *ret_again. */
static Step await_head(Thread *t, Exchange *x, Link origin, bool *ret_again)
{
    Str bytes = str_slice(span_str(t->input), x->try.rest_from, x->try.rest_total);
    size_t end = 0;
    Fault fault = reply_parse(t, &x->arena, bytes, x->request.head.method, &x->try.response, &end);
    if (fault != FAULT_NONE) {
        return FAIL(fault);
    }
    if (end == 0) {
        return WAIT;
    }
    x->try.rest_from += end;
    if (x->try.response.status == 101) {
        return switch_protocols(t, x, origin);
    }
    *ret_again = x->try.response.status < 200;
    return *ret_again ? pass_interim(t, x) : NEXT;
}

/* For input from an HTTP/1 connection. */
static Step await_wire(Thread *t, Exchange *x, Link origin)
{
    size_t old = 0;
    size_t room = link_readable(origin) ? link_room(t, link_client(t, x)) : 0;
    Err err = link_fill(t, origin, room, &old, &x->try.rest_total);
    if (err == ERR_AGAIN || (err == ERR_OK && x->try.rest_total == old && !origin.wire->ended)) {
        return x->try.request_broken ? FAIL(FAULT_ORIGIN_CLOSED) : WAIT;
    }
    if (err != ERR_OK || x->try.rest_total == old) {
        bool nothing = old == 0 && x->reply.interim == 0;
        return FAIL(nothing ? FAULT_ORIGIN_CLOSED : FAULT_ORIGIN_CUT);
    }
    first_byte(t, x);
    x->try.rest_from = 0;
    bool again = true;
    Step step = NEXT;
    while (again && step.kind == STEP_NEXT) {
        again = false;
        step = await_head(t, x, origin, &again);
    }
    if (step.kind == STEP_WAIT) {
        if (link_keep(t, origin, x->try.rest_total, x->try.rest_from) != ERR_OK) {
            return FAIL(FAULT_MEMORY);
        }
        if (link_has_more(origin)) {
            exchange_again(t, x);
        }
    }
    return step;
}

/* For input from a stream. */
static Step await_stream(Thread *t, Exchange *x, MuxStream *s)
{
    if (s->fault != HTTP_FAULT_NONE) {
        return FAIL(reply_lost(s, x->reply.interim == 0)); /* regardless of earlier heads */
    }
    for (MuxHead *head = mux_head_take(s); head; head = mux_head_take(s)) {
        first_byte(t, x);
        bool h1 = handle_is_none(x->client_stream);
        Fault fault = reply_take(head, x->request.head.method, h1, &x->try.response,
                                 &x->try.response_arena);
        if (fault != FAULT_NONE) {
            return FAIL(fault);
        }
        uint16_t status = x->try.response.status;
        if (x->try.extended_connect && status >= 200 && status < 300) {
            return tunnel_open(t, x);
        }
        if (status >= 200) {
            x->try.rest_from = 0;
            x->try.rest_total = 0;
            return NEXT;
        }
        Step step = pass_interim(t, x);
        if (step.kind == STEP_FAIL) {
            return step;
        }
    }
    return s->closed || s->in_ended ? FAIL(reply_lost(s, x->reply.interim == 0)) : WAIT;
}

Step phase_await(Thread *t, Exchange *x)
{
    Link origin = link_upstream(t, x);
    return origin.stream ? await_stream(t, x, origin.stream) : await_wire(t, x, origin);
}

/* --- REPLY and RELAY ------------------------------------------------------------------------- */

/* The framing of the body for the client: a known length is kept, anything else is chunked, or ends
 * with the connection if the client does not support chunks. */
static BodyKind framing_for(Exchange *x)
{
    BodyKind kind = x->try.response.framing.body;
    if (kind == BODY_NONE || kind == BODY_LENGTH) {
        return kind;
    }
    if (x->request.head.minor == 0) {
        x->keep_client = false;
        return BODY_UNTIL_CLOSE;
    }
    return BODY_CHUNKED;
}

/* Whether the client may send something other than a request: the rest of a body after it was told
 * that it is not wanted, or no body although it announced one; or the protocol that it asked for,
 * without waiting for the answer. None of that must be parsed as a request. */
static bool client_may_stray(const Exchange *x, unsigned status)
{
    bool body_open = !x->request.body.done && (status >= 400 || x->request.head.expects_continue);
    return body_open || x->request.upgrade.len > 0;
}

static bool reply_is_edited(const Exchange *x)
{
    const FilterChain *chains = x->service->chains;
    return chains[STAGE_UPSTREAM_RESPONSE].count > 0 || chains[STAGE_RESPONSE].count > 0;
}

/* Runs the filters on the announced length and the head of the response. */
static Step reply_edit(Thread *t, Exchange *x)
{
    HeadEdit **edit = &x->filters.edit;
    const Framing *framing = &x->try.response.framing;
    Verdict v = PASS;
    if (framing->body == BODY_LENGTH && !*edit) {
        v = filter_body(t, x, STAGE_RESPONSE_BODY, framing->length, STR_NONE);
    }
    if (v.kind != VERDICT_PASS || !reply_is_edited(x)) {
        return filter_step(t, x, v);
    }
    if (!*edit) {
        *edit = arena_new(&x->arena, HeadEdit);
        if (!*edit) {
            return FAIL(FAULT_MEMORY);
        }
        **edit = head_edit_new(&x->arena);
        forward_response_edit(t, x, *edit);
    }
    v = filter_head(t, x, STAGE_UPSTREAM_RESPONSE, *edit);
    if (v.kind == VERDICT_PASS) {
        v = filter_head(t, x, STAGE_RESPONSE, *edit);
    }
    Step step = filter_step(t, x, v);
    bool whole = step.kind != STEP_NEXT || !(*edit)->overflow;
    return whole ? step : FAIL(FAULT_RESPONSE_HEAD_TOO_LARGE);
}

/* The body's first bytes follow the head in the thread's input, which other exchanges use while
 * this one waits for a filter: then they are returned to the connection. */
static Step reply_pause(Thread *t, Exchange *x, Link origin)
{
    if (origin.wire && link_keep(t, origin, x->try.rest_total, x->try.rest_from) != ERR_OK) {
        return FAIL(FAULT_MEMORY);
    }
    return WAIT;
}

static void reply_resume(Thread *t, Exchange *x, Link origin)
{
    if (origin.wire) {
        x->try.rest_from = 0;
        x->try.rest_total = buf_peek(origin.in, t->input);
    }
}

Step phase_reply(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    Link origin = link_upstream(t, x);
    if (UNLIKELY(x->filters.paused_ms != 0)) {
        reply_resume(t, x, origin);
    } else if (UNLIKELY(x->route->rewrite != NULL) && !rewrite_response(x)) {
        return FAIL(FAULT_MEMORY);
    }
    x->pace.up_ms = t->now_ms;
    x->try.response_body = body_of(&x->try.response.framing);
    x->try.response_body.chunk.padded = true; /* harmless: River reframes the body */
    x->reply.body = framing_for(x);
    x->streams = x->streams || is_stream(&x->try.response.framing, &x->try.response.fields);
    if (client_may_stray(x, x->try.response.status) || exchange_must_leave(t, x)) {
        x->keep_client = false;
    }
    if (!x->try.request_sent || link_blocked(origin)) {
        /* What it has not read might be taken for its next request. */
        x->try.response.framing.keep_alive = false;
    }
    Step edited = reply_edit(t, x);
    if (edited.kind != STEP_NEXT) {
        return edited.kind == STEP_WAIT ? reply_pause(t, x, origin) : edited;
    }
    HeadOut head = link_head(t, client);
    forward_response_head(t, x, x->filters.edit, &head);
    if (head.text.overflow || head.count > head.room) {
        return FAIL(FAULT_RESPONSE_HEAD_TOO_LARGE);
    }
    /* Moves the body's first bytes, which follow the head in the input, to the front. */
    Str rest = str_slice(span_str(t->input), x->try.rest_from, x->try.rest_total);
    size_t total = span_copy(t->input, rest);
    if (origin.wire) {
        buf_clear(origin.in, &t->buf_blocks);
    }
    x->reply.sent = true;
    x->reply.status = x->try.response.status;
    Step step = relay_first_response(t, x, total, &head);
    if (step.kind == STEP_FAIL && step.fault != FAULT_CLIENT_GONE) {
        return step;
    }
    return step.kind == STEP_FAIL ? step : NEXT; /* RELAY continues reading at once */
}

Step phase_relay(Thread *t, Exchange *x)
{
    if (x->tunnel.open) {
        return relay_tunnel(t, x);
    }
    Step step = relay_response(t, x);
    if (x->try.response_body.done && exchange_has_upstream(x)) {
        exchange_release_upstream(t, x);
    }
    return step;
}
