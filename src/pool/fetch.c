/* fetch.c - a request of River's own, from asking for a connection to the last byte (see fetch.h).
 *
 *   CONNECT  ask for a lease; then send the request at once
 *   AWAIT    the response head; 1xx are dropped
 *   BODY     the response body, gathered or passed to the sink
 *   OVER     the result is ready; the owner was woken */
#include "pool/fetch.h"

#include "base/number.h"
#include "pool/origin.h"
#include "pool/origin_place.h"
#include "pool/upstream.h"
#include "transport/head_out.h"

#define FETCH_ARENA_BYTES_MAX (1u << 20)
#define FETCH_READ_BYTES THREAD_READ_BYTES_SLOW

/* --- the request ----------------------------------------------------------------------------- */

/* Whether the text has no byte that would end a line, or (one_word) a word. */
static bool is_clean(Str s, bool one_word)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        bool blank = c == ' ' || c == '\t';
        if (c == 0x7f || (c < 0x20 && c != '\t') || (one_word && blank)) {
            return false;
        }
    }
    return true;
}

static bool is_name(Str s)
{
    return s.len > 0 && is_clean(s, true) && str_find(s, ':', 0) == s.len;
}

static Err plan_check(const FetchPlan *p)
{
    bool clean = is_name(p->method) && p->target.len > 0 && is_clean(p->target, true) &&
                 p->host.len > 0 && is_clean(p->host, true);
    size_t bytes = p->method.len + p->target.len + p->host.len;
    for (size_t i = 0; i < p->field_count; i++) {
        clean = clean && is_name(p->fields[i].name) && is_clean(p->fields[i].value, false);
        bytes += p->fields[i].name.len + p->fields[i].value.len + 4;
    }
    if (p->field_count + 8 > THREAD_OUT_FIELDS_MAX || bytes > FETCH_HEAD_BYTES_MAX) {
        return ERR_LIMIT;
    }
    return clean ? ERR_OK : ERR_SYNTAX;
}

/* Copies the request, with field names in lower case, as HTTP/2 requires. */
static Err plan_keep(Fetch *f, const FetchPlan *p)
{
    FetchField *fields = arena_array(&f->arena, FetchField, p->field_count + 1);
    f->plan = *p;
    bool kept = fields && arena_copy(&f->arena, p->method, &f->plan.method) &&
                arena_copy(&f->arena, p->target, &f->plan.target) &&
                arena_copy(&f->arena, p->host, &f->plan.host);
    for (size_t i = 0; kept && i < p->field_count; i++) {
        Span name = {0};
        Str from = p->fields[i].name;
        kept = arena_span(&f->arena, from.len, &name) &&
               arena_copy(&f->arena, p->fields[i].value, &fields[i].value);
        for (size_t k = 0; kept && k < from.len; k++) {
            name.at[k] = byte_lower(from.at[k]);
        }
        fields[i].name = span_str(name);
    }
    f->plan.fields = fields;
    return kept ? ERR_OK : ERR_MEMORY;
}

/* --- the end --------------------------------------------------------------------------------- */

static Link link_of(const Thread *t, const Fetch *f)
{
    return f->lease ? lease_link(t, f->lease) : (Link){0};
}

static void fetch_leave(Thread *t, Fetch *f, bool whole)
{
    Lease *l = f->lease;
    f->lease = NULL;
    if (!l) {
        return;
    }
    if (!whole) {
        lease_end(t, l, true);
        return;
    }
    const LeaseEnd how = {.complete = true,
                          .keep_alive = !f->plan.fresh && f->reply.framing.keep_alive &&
                                        f->body.kind != BODY_UNTIL_CLOSE,
                          .keep_alive_ms = f->reply.keep_alive_ms};
    lease_release(t, l, &how);
}

/* Makes the gathered body contiguous. */
static Fault answer_keep(Thread *t, Fetch *f)
{
    Span room = {0};
    if (f->gathered.len > 0 && !arena_span(&f->arena, f->gathered.len, &room)) {
        return FAULT_MEMORY;
    }
    (void)buf_peek(&f->gathered, room);
    buf_clear(&f->gathered, &t->buf_blocks);
    f->answer = span_str(room);
    return FAULT_NONE;
}

static void fetch_over(Thread *t, Fetch *f, Fault fault)
{
    fetch_leave(t, f, fault == FAULT_NONE);
    if (fault == FAULT_NONE) {
        fault = answer_keep(t, f);
    }
    buf_clear(&f->gathered, &t->buf_blocks);
    f->state = FETCH_OVER;
    f->fault = fault;
    f->total_us = t->now_ns / 1000 - f->start_us;
    if (f->plan.owner != TOKEN_NONE) {
        thread_again_token(t, f->plan.owner); /* once */
    }
}

/* Whether the origin has certainly done nothing, or the request is safe to repeat. */
static bool may_retry(const Fetch *f, Fault fault)
{
    Retry retry = fault_row(fault)->retry;
    bool stale = fault == FAULT_ORIGIN_CLOSED && f->lease && f->lease->reused;
    bool harmless = f->interim == 0 && method_is_idempotent(f->method);
    bool begun = f->lease && lease_is_had(f->lease);
    return !f->retried && begun && f->state != FETCH_BODY &&
           ((stale && harmless) || retry == RETRY_UNSENT);
}

/* Handles a failure: retries once over another connection (true), or fails for good. */
static bool fetch_failed(Thread *t, Fetch *f, Fault fault)
{
    if (fault == FAULT_ORIGIN_CLOSED && f->lease && lease_is_refused(t, f->lease)) {
        fault = FAULT_ORIGIN_TLS;
    }
    Origin *o = origin_at(t, f->plan.origin);
    bool again = may_retry(f, fault);
    counter_add(&t->origins[o->index].failures, fault_row(fault)->blame == BLAME_ORIGIN);
    if (fault_is_unreachable(fault)) {
        origin_unreachable(t, o);
    }
    if ((fault == FAULT_ORIGIN_TIMEOUT || fault == FAULT_ORIGIN_STALLED) && f->lease) {
        lease_doubt(t, f->lease, f->moved_ms);
    }
    if (!again) {
        fetch_over(t, f, fault);
        return false;
    }
    fetch_leave(t, f, false);
    arena_reset(&f->reply_arena);
    f->retried = true;
    f->state = FETCH_CONNECT;
    return true;
}

/* --- sending --------------------------------------------------------------------------------- */

static void write_head(const Fetch *f, bool tls, HeadOut *out)
{
    const FetchPlan *p = &f->plan;
    out->body = p->body.len > 0;
    if (out->h2) {
        head_borrow(out, S(":method"), p->method);
        head_borrow(out, S(":scheme"), tls ? S("https") : S("http"));
        head_borrow(out, S(":authority"), p->host);
        head_borrow(out, S(":path"), p->target);
    } else {
        text_add(&out->text, p->method);
        text_byte(&out->text, ' ');
        text_add(&out->text, p->target);
        text_add(&out->text, S(" HTTP/1.1\r\n"));
        head_field(out, S("host"), p->host);
    }
    for (size_t i = 0; i < p->field_count; i++) {
        head_field(out, p->fields[i].name, p->fields[i].value);
    }
    bool usual = f->method == METHOD_POST || f->method == METHOD_PUT || f->method == METHOD_PATCH;
    if (p->body.len > 0 || usual) {
        head_number(out, S("content-length"), p->body.len);
    }
    if (!out->h2) {
        if (p->fresh) {
            head_field(out, S("connection"), S("close"));
        }
        text_add(&out->text, S("\r\n"));
    }
}

/* Sends the whole request over the new connection; what the origin does not take yet waits on the
 * link. */
static Fault request_send(Thread *t, Fetch *f)
{
    Link to = link_of(t, f);
    if (!link_is_open(to)) {
        return FAULT_ORIGIN_CLOSED;
    }
    HeadOut head = link_head(t, to);
    size_t bytes = 0;
    write_head(f, origin_at(t, f->plan.origin)->endpoint->tls != NULL, &head);
    Err err = link_send(t, to, &head, f->plan.body, false, true, NULL, &bytes);
    if (err != ERR_OK) {
        return reply_unsent(to, err);
    }
    OriginCounters *counters = &t->origins[f->plan.origin];
    counter_add(&counters->requests, 1);
    counter_add(&counters->reused, f->lease->reused);
    f->connect_us = t->now_ns / 1000 - f->start_us;
    f->state = FETCH_AWAIT;
    f->moved_ms = t->now_ms;
    return FAULT_NONE;
}

/* *ret_waits: nothing more can be done now. */
static Fault fetch_connect(Thread *t, Fetch *f, bool *ret_waits)
{
    if (!f->lease) {
        bool fresh = f->plan.fresh || f->retried;
        f->lease = lease_new(t, token_of(TOKEN_FETCH, f->self), f->plan.origin, fresh);
    }
    Err err = f->lease ? lease_ask(t, f->lease) : ERR_MEMORY;
    *ret_waits = err == ERR_AGAIN;
    if (err == ERR_AGAIN) {
        return FAULT_NONE;
    }
    if (err != ERR_OK) {
        return f->lease ? f->lease->fault : FAULT_MEMORY;
    }
    return request_send(t, f);
}

/* --- the response head ----------------------------------------------------------------------- */

/* A head has arrived; interim ones are ignored. */
static Fault head_came(Thread *t, Fetch *f)
{
    f->moved_ms = t->now_ms;
    if (f->first_byte_us == 0) {
        origin_reachable(origin_at(t, f->plan.origin));
        f->first_byte_us = t->now_ns / 1000 - f->start_us;
    }
    if (f->reply.status == 101) {
        return FAULT_ORIGIN_SWITCH;
    }
    if (f->reply.status >= 200) {
        f->body = body_of(&f->reply.framing);
        f->body.chunk.padded = true;
        f->state = FETCH_BODY;
    } else if (++f->interim > REPLY_INTERIM_MAX) {
        return FAULT_ORIGIN_INTERIM;
    }
    return FAULT_NONE;
}

static Fault await_stream(Thread *t, Fetch *f, MuxStream *s)
{
    if (s->fault != HTTP_FAULT_NONE) {
        return reply_lost(s, f->interim == 0);
    }
    while (f->state == FETCH_AWAIT) {
        MuxHead *head = mux_head_take(s);
        if (!head) {
            bool lost = s->closed || s->in_ended;
            return lost ? reply_lost(s, f->interim == 0) : FAULT_NONE;
        }
        Fault fault = reply_take(head, f->method, false, &f->reply, &f->reply_arena);
        if (fault == FAULT_NONE) {
            fault = head_came(t, f);
        }
        if (fault != FAULT_NONE) {
            return fault;
        }
    }
    return FAULT_NONE;
}

static Fault await_wire(Thread *t, Fetch *f, Link from)
{
    size_t old = 0;
    size_t total = 0;
    size_t at = 0;
    Err err = link_fill(t, from, FETCH_READ_BYTES, &old, &total);
    if (err == ERR_AGAIN || (err == ERR_OK && total == old && !from.wire->ended)) {
        return FAULT_NONE;
    }
    if (err != ERR_OK || total == old) {
        return old == 0 && f->interim == 0 ? FAULT_ORIGIN_CLOSED : FAULT_ORIGIN_CUT;
    }
    while (f->state == FETCH_AWAIT) {
        size_t end = 0;
        Str bytes = str_slice(span_str(t->input), at, total);
        Fault fault = reply_parse(t, &f->arena, bytes, f->method, &f->reply, &end);
        if (fault == FAULT_NONE && end > 0) {
            fault = head_came(t, f);
        }
        if (fault != FAULT_NONE) {
            return fault;
        }
        if (end == 0) {
            break;
        }
        at += end;
    }
    if (link_keep(t, from, total, at) != ERR_OK) {
        return FAULT_MEMORY;
    }
    if (f->state == FETCH_AWAIT && link_has_more(from)) {
        lease_again(t, f->lease);
    }
    return FAULT_NONE;
}

static Fault fetch_await(Thread *t, Fetch *f)
{
    Link from = link_of(t, f);
    if (!link_is_open(from)) {
        return FAULT_ORIGIN_CLOSED;
    }
    size_t sent = 0;
    if (link_flush(t, from, &sent) != ERR_OK && from.wire) {
        from.wire->readable = true; /* a response may still be readable */
    }
    return from.stream ? await_stream(t, f, from.stream) : await_wire(t, f, from);
}

/* --- the response body ----------------------------------------------------------------------- */

static Fault body_take(Thread *t, Fetch *f, Str data)
{
    f->body_bytes += data.len;
    f->moved_ms = data.len > 0 ? t->now_ms : f->moved_ms;
    if (f->plan.sink) {
        bool taken = data.len == 0 || f->plan.sink(f->plan.context, t, f->self, data);
        return taken ? FAULT_NONE : FAULT_RESPONSE_TOO_LARGE;
    }
    if (f->body_bytes > f->plan.body_bytes_max) {
        return FAULT_RESPONSE_TOO_LARGE;
    }
    return buf_add(&f->gathered, &t->buf_blocks, data) == ERR_OK ? FAULT_NONE : FAULT_MEMORY;
}

/* The origin has closed: ends a body without a length; any other is cut off. */
static Fault body_ends(Fetch *f, Link from, Err err)
{
    bool whole = from.wire && !from.wire->cut && err == ERR_CLOSED;
    if (f->body.kind == BODY_UNTIL_CLOSE && whole) {
        f->body.done = true;
        return FAULT_NONE;
    }
    HttpFault fault = link_fault(from);
    return fault == HTTP_FAULT_NONE ? FAULT_ORIGIN_CUT : fault_of_response(fault);
}

/* Reads once, so that a long body does not hold up others. */
static Fault body_read(Thread *t, Fetch *f)
{
    Link from = link_of(t, f);
    if (!link_is_open(from)) {
        return FAULT_ORIGIN_CUT;
    }
    LinkBody got = {0};
    Err err = link_read_body(t, from, &f->body, FETCH_READ_BYTES, &got);
    if (err == ERR_OK && got.fault != HTTP_FAULT_NONE) {
        return fault_of_response(got.fault);
    }
    bool stuck = err == ERR_OK && from.wire && got.total == got.old && got.consumed == 0 &&
                 !f->body.done;
    if (err == ERR_AGAIN || (stuck && !link_ended(from))) {
        return FAULT_NONE;
    }
    if (err != ERR_OK || stuck) {
        return body_ends(f, from, stuck ? ERR_CLOSED : err);
    }
    Fault fault = body_take(t, f, got.data);
    if (fault != FAULT_NONE) {
        return fault;
    }
    if (link_keep(t, from, got.total, got.consumed) != ERR_OK) {
        return FAULT_MEMORY;
    }
    if (!f->body.done && (link_has_more(from) || from.in->len > 0)) {
        lease_again(t, f->lease);
    }
    return FAULT_NONE;
}

/* --- running --------------------------------------------------------------------------------- */

/* Runs one step of its state; *ret_waits: nothing more can be done now. */
static Fault fetch_step(Thread *t, Fetch *f, bool *ret_waits)
{
    *ret_waits = true;
    switch (f->state) {
    case FETCH_CONNECT:
        return fetch_connect(t, f, ret_waits);
    case FETCH_AWAIT: {
        Fault fault = fetch_await(t, f);
        *ret_waits = f->state == FETCH_AWAIT;
        return fault;
    }
    case FETCH_BODY:
        if (!f->body.done && !f->paused) {
            return body_read(t, f);
        }
        return FAULT_NONE;
    case FETCH_OVER:
        break;
    }
    return FAULT_NONE;
}

/* The deadline has passed. */
static Fault fetch_late(const Fetch *f)
{
    return f->state == FETCH_CONNECT ? FAULT_CONNECT_WAIT
           : f->state == FETCH_AWAIT ? FAULT_ORIGIN_TIMEOUT
                                     : FAULT_ORIGIN_STALLED;
}

static void fetch_run(Thread *t, Fetch *f)
{
    bool waits = false;
    while (f->state != FETCH_OVER) {
        Fault fault = t->now_ms >= f->due_ms ? fetch_late(f) : fetch_step(t, f, &waits);
        if (fault != FAULT_NONE) {
            if (!fetch_failed(t, f, fault)) {
                return;
            }
            continue;
        }
        if (f->state == FETCH_BODY && f->body.done) {
            fetch_over(t, f, FAULT_NONE);
            return;
        }
        if (waits) {
            uint64_t due_ms = f->due_ms;
            if (f->state == FETCH_CONNECT) {
                due_ms = u64_min(due_ms, u64_max(f->lease->wait_due_ms, t->now_ms + 1));
            }
            CHECK(timer_set(&t->wheel, &f->timer, due_ms, token_of(TOKEN_FETCH, f->self)) ==
                  ERR_OK);
            return;
        }
    }
}

Err fetch_start(Thread *t, const FetchPlan *plan, Handle *ret)
{
    TRY(plan_check(plan));
    if (thread_spare(t) == 0) {
        thread_wants_memory(t);
        return ERR_MEMORY;
    }
    Handle h;
    Fetch *f = (Fetch *)pool_take(&t->fetches, &h);
    if (!f) {
        return ERR_FULL;
    }
    f->self = h;
    arena_init(&f->arena, &t->arena_blocks, FETCH_ARENA_BYTES_MAX);
    f->method = method_from(plan->method);
    f->start_ms = t->now_ms;
    f->start_us = t->now_ns / 1000;
    f->due_ms = t->now_ms + plan->timeout_ms;
    Err err = plan_keep(f, plan);
    if (err == ERR_OK) { /* it starts in the next turn */
        err = timer_set(&t->wheel, &f->timer, t->now_ms, token_of(TOKEN_FETCH, h));
    }
    if (err != ERR_OK) {
        arena_reset(&f->arena);
        pool_give(&t->fetches, h);
        return err;
    }
    if (plan->endpoint) {
        endpoint_pin(t, plan->endpoint);
    }
    *ret = h;
    return ERR_OK;
}

void fetch_end(Thread *t, Handle h)
{
    Fetch *f = fetch_get(t, h);
    if (!f) {
        return;
    }
    fetch_leave(t, f, false);
    if (f->plan.endpoint) {
        endpoint_unpin(t, f->plan.endpoint);
    }
    buf_clear(&f->gathered, &t->buf_blocks);
    timer_drop(&t->wheel, &f->timer);
    arena_reset(&f->reply_arena);
    arena_reset(&f->arena);
    pool_give(&t->fetches, h);
}

void fetch_pause(Thread *t, Handle h)
{
    Fetch *f = fetch_get(t, h);
    if (f) {
        f->paused = true;
    }
}

void fetch_resume(Thread *t, Handle h)
{
    Fetch *f = fetch_get(t, h);
    if (f && f->paused) {
        f->paused = false;
        if (f->lease) {
            lease_again(t, f->lease);
        }
    }
}

void fetch_wake(Thread *t, Handle h)
{
    Fetch *f = fetch_get(t, h);
    if (f) {
        fetch_run(t, f);
    }
}

void fetch_stop_all(Thread *t)
{
    for (uint32_t i = 0; i < t->fetches.slots_touched; i++) {
        Handle h;
        Fetch *f = (Fetch *)pool_at(&t->fetches, i, &h);
        if (f && f->state != FETCH_OVER) {
            fetch_over(t, f, FAULT_STOPPED);
        }
    }
}
