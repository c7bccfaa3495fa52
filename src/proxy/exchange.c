/* exchange.c - the spine: the table of phases, the one function that advances, and how an exchange
 * fails and ends. The table is River in outline.
 *
 *   phase      does                                                      goes on to
 *   READ_HEAD  parse the client's head within the service's limits       SCREEN, ANSWER
 *   SCREEN     refuse what is not for a proxy; admission; trust          ROUTE, ASK, ANSWER
 *   ROUTE      choose an answer of River's own, or a cluster             ASK, ANSWER
 *   ASK        (filters of the request)                                  PICK, ANSWER
 *   PICK       the balancer chooses an endpoint                          CONNECT, ANSWER
 *   CONNECT    get a pooled connection, or a new one                     SEND, PICK, ANSWER
 *   SEND       send the head, and the body as far as received            AWAIT, PICK, ANSWER
 *   AWAIT      read the origin's head; pass 1xx through                  REPLY, RELAY (101), PICK
 *   REPLY      send the head to the client                               RELAY
 *   RELAY      relay the response body, or a tunnel                      FINISH
 *   ANSWER     send River's own answer                                   FINISH, ANSWER (fault)
 *   FINISH     access record, counters, connections, memory              -
 *
 * From SEND on, the request body is pumped alongside every phase. Events record facts (in the
 * wires) and wake the exchange; a step says where to go, and only exchange_advance moves it. */
#include "proxy/exchange.h"

#include "base/number.h"
#include "loop/crash.h"
#include "loop/system.h"
#include "proxy/file_cache.h"
#include "proxy/filter_run.h"
#include "proxy/refusal.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#define MODEST_STREAMS 8u /* when memory is scarce: concurrent streams per HTTP/2 client ... */
#define MODEST_BYTES (64u << 10) /* ... and bytes queued for it, beyond which it gets none */

#define TO(phase) (1u << PHASE_##phase)

static const struct PhaseRow {
    PhaseStep *step;
    Phase next;
    uint32_t allowed; /* possible next phases, besides FINISH */
} phases[PHASE_COUNT] = {
    [PHASE_READ_HEAD] = {phase_read_head, PHASE_SCREEN, TO(SCREEN) | TO(ANSWER)},
    [PHASE_SCREEN] = {phase_screen, PHASE_ROUTE, TO(ROUTE) | TO(ASK) | TO(ANSWER)},
    [PHASE_ROUTE] = {phase_route, PHASE_ASK, TO(ASK) | TO(ANSWER)},
    [PHASE_ASK] = {phase_ask, PHASE_PICK, TO(PICK) | TO(ANSWER)},
    [PHASE_PICK] = {phase_pick, PHASE_CONNECT, TO(CONNECT) | TO(ANSWER)},
    [PHASE_CONNECT] = {phase_connect, PHASE_SEND, TO(SEND) | TO(PICK) | TO(ANSWER)},
    [PHASE_SEND] = {phase_send, PHASE_AWAIT, TO(AWAIT) | TO(PICK) | TO(ANSWER)},
    [PHASE_AWAIT] = {phase_await, PHASE_REPLY, TO(REPLY) | TO(RELAY) | TO(PICK) | TO(ANSWER)},
    [PHASE_REPLY] = {phase_reply, PHASE_RELAY, TO(RELAY) | TO(ANSWER)},
    [PHASE_RELAY] = {phase_relay, PHASE_FINISH, 0},
    [PHASE_ANSWER] = {phase_answer, PHASE_FINISH, TO(ANSWER)},
    [PHASE_FINISH] = {NULL, PHASE_FINISH, 0},
};

static void enter_phase(Exchange *x, Phase to)
{
    CHECK(to == PHASE_FINISH || (phases[x->phase].allowed & 1u << to) != 0);
    x->phase = (uint8_t)to;
}

/* --- failing --------------------------------------------------------------------------------- */

static bool may_retry(const Thread *t, const Exchange *x, Fault fault)
{
    const FaultRow *row = fault_row(fault);
    bool untouched = !x->try.any_sent && x->request.body.bytes == 0;
    if (x->reply.sent || x->reply.interim > 0 || t->stopping || !x->route || !x->route->cluster ||
        x->tries >= x->service->limits.tries_max) {
        return false;
    }
    if (row->retry == RETRY_UNSENT) {
        return x->request.replay_whole;
    }
    return row->retry == RETRY_SAFE &&
           (untouched || (x->request.replay_whole && method_is_idempotent(x->request.head.method)));
}

/* Whether the stream ends with an error instead of an answer because the request is malformed (RFC
 * 9113 §8.1.1). A missing or wrong host is answered as the service says. */
static bool is_malformed(const Exchange *x, Fault fault)
{
    return !handle_is_none(x->client_stream) && fault_is_malformed(fault);
}

/* Whether its fault is not answered: no answer is possible, or one has begun. */
static bool is_unanswered(const Exchange *x)
{
    return x->reply.sent || x->own.begun || fault_row(x->fault)->status == 0 ||
           is_malformed(x, x->fault);
}

/* The error log hears of it, and of what the client will get. */
static void tell_fault(Thread *t, const Exchange *x, bool retry)
{
    if (x->fault != FAULT_INTERNAL_DEADLINE) { /* logged where it was found */
        refusal_of_request(t, x, retry              ? REFUSAL_RETRIED
                                 : is_unanswered(x) ? REFUSAL_UNANSWERED
                                                    : REFUSAL_ANSWERED);
    }
}

/* The try that follows one that ended with this fault. */
static Try next_try(const Exchange *x, Fault fault)
{
    bool stale = x->try.reused && fault == FAULT_ORIGIN_CLOSED;
    /* The last try must not hit another connection that died while idle. */
    bool last = x->tries + 1 >= x->service->limits.tries_max;
    return (Try){.endpoint = x->try.endpoint, .same_endpoint = stale, .fresh = stale || last};
}

/* Turns a fault into a retry, an answer, or the end. */
COLD static Phase after_fault(Thread *t, Exchange *x, Fault fault)
{
    if (fault == FAULT_ORIGIN_CLOSED && x->try.lease && lease_is_refused(t, x->try.lease)) {
        fault = FAULT_ORIGIN_TLS; /* a failed handshake, learned of only now */
    }
    const FaultRow *row = fault_row(fault);
    bool retry = may_retry(t, x, fault);
    x->fault = fault;
    if (x->id.len == 0) { /* its head was never read to the end */
        exchange_make_id(t, x);
    }
    counter_add(&t->faults[fault], 1);
    tell_fault(t, x, retry);
    if (fault == FAULT_MEMORY) {
        thread_wants_memory(t);
    }
    if (x->try.endpoint && row->blame == BLAME_ORIGIN) {
        counter_add(&t->origins[x->try.endpoint->origin].failures, 1);
    }
    if (x->try.endpoint && fault_is_unreachable(fault)) {
        origin_unreachable(t, &t->group->origins[x->try.endpoint->origin]);
    }
    if (fault == FAULT_ORIGIN_TIMEOUT || fault == FAULT_ORIGIN_STALLED ||
        fault == FAULT_ORIGIN_UNREAD) {
        exchange_doubt_upstream(t, x);
    }
    exchange_end_upstream(t, x, true);
    if (retry) {
        x->retried = fault;
        x->fault = FAULT_NONE; /* it may still succeed */
        arena_reset(&x->try.response_arena);
        x->try = next_try(x, fault);
        filter_go_back(x, STAGE_PEER);
        return PHASE_PICK;
    }
    if (x->phase == PHASE_ANSWER) { /* try another answer, unless it has begun */
        answer_forget(x);
    }
    filter_go_back(x, STAGE_RESPONSE);
    x->file.looking = false;
    x->file.loading = false;
    return is_unanswered(x) ? PHASE_FINISH : PHASE_ANSWER;
}

/* --- ending ---------------------------------------------------------------------------------- */

/* Times are read from the clock: this turn's, which began before it met the request, would make
 * all of River's own answers take no time. */
NOINLINE static void write_access(Thread *t, const Exchange *x, const Client *c)
{
    const RequestHead *r = &x->request.head;
    const Field *referer = fields_find(&r->fields, FIELD_REFERER);
    const Field *agent = fields_find(&r->fields, FIELD_USER_AGENT);
    TlsInfo tls = {0};
    if (c->wire.tls) {
        tls_info(c->wire.tls, &tls);
    }
    AccessRecord record = {
        .tls_version = tls.version,
        .tls_suite = tls.suite,
        .tls_subject = tls.subject.len > 0 ? tls.subject : tls.names,
        .time_us = x->meter.start_us + t->wall_offset_us,
        .request_id = x->id,
        .client = x->request.client_ip,
        .client_port = x->request.client_port,
        .service = x->service->name,
        .route = x->route ? x->route->path : STR_NONE,
        .host = r->host,
        .method = r->method_name,
        .target = r->target,
        .major = r->major,
        .minor = r->minor,
        .referer = referer ? referer->value : STR_NONE,
        .user_agent = agent ? agent->value : STR_NONE,
        .status = x->reply.status,
        .reason = fault_row(x->fault)->code,
        .retried = fault_row(x->retried)->code,
        .bytes_in = x->meter.bytes_in,
        .bytes_out = x->meter.bytes_out,
        .body_bytes_out = x->meter.body_bytes_out,
        .upstream = x->try.endpoint ? x->try.endpoint->name : STR_NONE,
        .attempts = x->tries,
        .total_us = system_calls->now_ns() / 1000 - x->meter.start_us,
        .connect_us = x->meter.connect_us,
        .first_byte_us = x->meter.first_byte_us ? x->meter.first_byte_us : x->meter.own_byte_us,
    };
    uint8_t room[ACCESS_LINE_BYTES_MAX];
    Text line = text_in(span_of(room, sizeof room));
    access_print(&line, t->worker->plan.access_style, &record);
    (void)log_line(LOG_TO_ACCESS, text_str(&line));
}

static void write_counters(Thread *t, Exchange *x)
{
    ServiceCounters *s = &t->services[x->service->index];
    counter_add(&s->requests, 1);
    counter_add(&s->answers[x->reply.status / 100 % 6], 1);
    counter_add(&s->bytes_in, x->meter.bytes_in);
    counter_add(&s->bytes_out, x->meter.bytes_out);
    counter_add_time(s->request_time, t->now_ns / 1000 - x->meter.start_us);
    if (x->meter.first_byte_us) {
        counter_add_time(s->first_byte_time, x->meter.first_byte_us);
    }
}

static void exchange_finish(Thread *t, Exchange *x)
{
    Client *c = client_get(t, x->client);
    bool complete = x->own.whole || (x->reply.sent && x->try.response_body.done) || x->tunnel.open;
    bool abort = !complete || (x->tunnel.open && x->fault != FAULT_NONE);
    bool malformed = is_malformed(x, x->fault);
    bool keep = complete && x->keep_client && x->request.body.done && !x->tunnel.open;
    exchange_end_upstream(t, x, abort || !x->tunnel.open);
    write_counters(t, x);
    if (t->worker->plan.access_log) {
        write_access(t, x, c);
    }
    if (x->counted) {
        atomic_fetch_sub(x->service->active, 1);
    }
    bool unread = !x->request.body.done || !x->request.parsed;
    MuxStream *s = mux_stream_get(t, x->client_stream);
    const ServiceLimits *limits = &x->service->limits;
    uint64_t linger_ms = s && s->in_ended ? limits->send_timeout_ms : limits->linger_ms;
    filter_finish(t, x);
    file_cache_release(t, x->file.handle);
    disk_bytes_drop(&t->group->budget, &x->file.loaded);
    buf_clear(&x->request.replay, &t->buf_blocks);
    arena_reset(&x->try.response_arena);
    arena_reset(&x->arena);
    exchange_unpin_endpoint(t, x);
    exchange_unpin_service(t, x);
    if (UNLIKELY(x->settled)) {
        thread_settle(t, false);
    }
    pool_give(&t->exchanges, x->self);
    thread_dismiss(t);
    if (s) {
        uint32_t code = malformed ? H2_PROTOCOL_ERROR : H2_INTERNAL_ERROR;
        mux_stream_leave(t, s, abort ? code : H2_NO_ERROR, linger_ms, limits->send_rate_min);
    } else {
        c->exchange = HANDLE_NONE;
        c->over = (ExchangeOver){.is = true, .keep = keep, .linger = unread, .abort = abort};
    }
}

/* --- advancing ------------------------------------------------------------------------------- */

/* Work alongside the phases: flushes queued bytes, and pumps the request body. */
static Step pump_beside(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    Link origin = link_upstream(t, x);
    size_t sent = 0;
    if (link_flush(t, client, &sent) != ERR_OK || link_broken(client)) {
        HttpFault fault = link_fault(client);
        return FAIL(fault == HTTP_FAULT_NONE ? FAULT_CLIENT_GONE : fault_of_request(fault));
    }
    if (sent > 0) {
        x->pace.out_ms = t->now_ms;
        x->pace.send.bytes += sent;
    }
    if (!link_is_open(origin) || x->phase < PHASE_AWAIT) {
        return NEXT;
    }
    if (link_flush(t, origin, &sent) != ERR_OK) {
        x->try.request_broken = true; /* an early answer may still be readable */
    }
    if (sent > 0) {
        x->pace.up_ms = t->now_ms;
    }
    if (x->try.request_sent || x->try.request_broken || x->tunnel.open) {
        return NEXT;
    }
    HeadOut none = link_head(t, origin);
    Step step = relay_request(t, x, &none);
    if (step.kind == STEP_FAIL && step.fault == FAULT_ORIGIN_CLOSED) {
        x->try.request_broken = true; /* the cause arrives as an event, too */
        return NEXT;
    }
    if (step.kind == STEP_NEXT) {
        x->pace.up_ms = t->now_ms;
    }
    return step.kind == STEP_FAIL ? step : NEXT;
}

/* Moves as the step says; false: the exchange waits. */
static bool exchange_advance(Thread *t, Exchange *x, Step step)
{
    switch (step.kind) {
    case STEP_WAIT:
        return false;
    case STEP_NEXT:
        enter_phase(x, phases[x->phase].next);
        return true;
    case STEP_GOTO:
        enter_phase(x, step.phase);
        return true;
    case STEP_FAIL:
        enter_phase(x, after_fault(t, x, step.fault));
        return true;
    }
    return false;
}

/* The timer is that of the client's connection or stream. */
static void deadline_set(Thread *t, Exchange *x, uint64_t due_ms)
{
    MuxStream *s = mux_stream_get(t, x->client_stream);
    Client *c = s ? NULL : client_get(t, x->client);
    Timer *timer = s ? &s->timer : &c->timer;
    Token token = s ? token_of(TOKEN_STREAM, s->self) : c->wire.owner;
    CHECK(timer_set(&t->wheel, timer, due_ms, token) == ERR_OK);
}

/* A passed deadline changes nothing, and would recur at once, forever: a bug in River, which must
 * cost only this request, not the thread. */
COLD static Fault deadline_lost(const Exchange *x)
{
    static atomic_bool told;
    soft_check(false);
    if (!atomic_exchange(&told, true)) {
        LOG(ERROR, "a bug in River: a deadline without an effect; please report this line",
            LOG_U64("phase", x->phase), LOG_STR("service", x->service->name),
            LOG_STR("request_id", x->id));
    }
    return FAULT_INTERNAL_DEADLINE;
}

static void exchange_run(Thread *t, Exchange *x)
{
    crash_note_set(t->index, x->id);
    Step step = pump_beside(t, x);
    if (step.kind == STEP_FAIL) {
        (void)exchange_advance(t, x, step);
    }
    while (x->phase != PHASE_FINISH) {
        if (!exchange_advance(t, x, phases[x->phase].step(t, x))) {
            Deadline d = exchange_deadline(t, x);
            if (d.due_ms > t->now_ms) {
                deadline_set(t, x, d.due_ms);
                crash_note_clear(t->index);
                return;
            }
            (void)exchange_advance(t, x, FAIL(d.fault ? d.fault : deadline_lost(x)));
        }
    }
    exchange_finish(t, x);
    crash_note_clear(t->index);
}

Handle exchange_wake(Thread *t, Handle h)
{
    Exchange *x = exchange_get(t, h);
    if (!x) {
        return HANDLE_NONE;
    }
    Handle client = handle_is_none(x->client_stream) ? x->client : HANDLE_NONE;
    exchange_run(t, x);
    return client;
}

void exchange_cut(Thread *t, Exchange *x, Fault fault)
{
    (void)exchange_advance(t, x, FAIL(fault));
    exchange_finish(t, x);
}

/* --- starting -------------------------------------------------------------------------------- */

static Exchange *exchange_new(Thread *t, Client *c)
{
    Handle h;
    Exchange *x = (Exchange *)pool_take(&t->exchanges, &h);
    if (!x) {
        return NULL;
    }
    x->self = h;
    x->client = c->self;
    x->request.head.major = 1;
    exchange_set_service(t, x, t->snapshot->listeners[c->listener]->service);
    x->request.client_ip = c->peer.ip;
    x->request.client_port = c->peer.port;
    x->request.replay_whole = true;
    x->meter.start_us = c->head_us ? c->head_us : t->now_ns / 1000;
    x->pace.in_ms = t->now_ms;
    x->pace.up_ms = t->now_ms;
    x->pace.out_ms = t->now_ms;
    arena_init(&x->arena, &t->arena_blocks, EXCHANGE_ARENA_BYTES_MAX);
    thread_admit(t);
    if (!c->mux) {
        c->exchange = h;
        c->state = CLIENT_BUSY;
    }
    return x;
}

bool exchange_start(Thread *t, Client *c, Str head)
{
    size_t spare = thread_spare(t);
    if (UNLIKELY(thread_is_scarce(t, spare))) {
        thread_wants_memory(t);
    }
    if (spare == 0) {
        return exchange_refuse(t, c, FAULT_MEMORY, head);
    }
    Exchange *x = exchange_new(t, c);
    if (!x) {
        return false;
    }
    if (!arena_copy(&x->arena, head, &x->request.bytes)) {
        (void)exchange_advance(t, x, FAIL(FAULT_MEMORY));
    }
    x->meter.bytes_in = head.len;
    exchange_run(t, x);
    return true;
}

bool exchange_refuse(Thread *t, Client *c, Fault fault, Str head)
{
    Exchange *x = exchange_new(t, c);
    if (!x) {
        return false;
    }
    x->meter.bytes_in = head.len;
    x->request.bytes = head; /* for the error log only: it is not copied */
    (void)exchange_advance(t, x, FAIL(fault));
    x->request.bytes = STR_NONE;
    exchange_run(t, x);
    return true;
}

/* The approximate size of a head in HTTP/1 form: HTTP/2 compresses it. */
static uint64_t head_bytes(const RequestHead *r)
{
    uint64_t bytes = r->method_name.len + r->target.len + r->host.len;
    for (size_t i = 0; i < r->fields.count; i++) {
        bytes += r->fields.at[i].name.len + r->fields.at[i].value.len;
    }
    return bytes;
}

/* Whether there is memory for another request of the client. The last quarter is reserved for those
 * who hold little: otherwise the greediest client would get what is left. */
static bool has_room(Thread *t, const Mux *m)
{
    size_t spare = thread_spare(t);
    if (LIKELY(!thread_is_scarce(t, spare))) {
        return true;
    }
    thread_wants_memory(t);
    return spare > 0 && m->count - m->left <= MODEST_STREAMS && m->queued <= MODEST_BYTES;
}

/* The codec has already parsed the stream's head; its faults are answered like any other. */
void exchange_start_stream(Thread *t, Client *c, MuxStream *s)
{
    MuxHead *head = mux_head_take(s);
    CHECK(head != NULL);
    Exchange *x = has_room(t, c->mux) ? exchange_new(t, c) : NULL;
    s->started = true;
    if (!x) {
        mux_head_drop(head);
        counter_add(&t->faults[FAULT_MEMORY], 1);
        refusal_of_connection(t, c->peer, FAULT_MEMORY, S("a request was refused"), STR_NONE, 1);
        mux_stream_leave(t, s, H2_REFUSED_STREAM, 0, 0);
        return;
    }
    s->user = exchange_token(x);
    x->client_stream = s->self;
    x->meter.start_us = t->now_ns / 1000;
    x->request.head = head->request;
    x->request.fault = head->fault;
    Arena arena = head->arena; /* it holds the head itself */
    arena.max_bytes = EXCHANGE_ARENA_BYTES_MAX;
    x->arena = arena;
    x->meter.bytes_in = head_bytes(&x->request.head);
    exchange_run(t, x);
}
