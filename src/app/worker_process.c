/* worker_process.c - a worker's first thread: awaits its configuration, obeys the channel, ends. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/status.h"

#include "base/clock.h"
#include "app/activation.h"
#include "app/breakin.h"
#include "app/exit.h"
#include "app/worker_parts.h"
#include "app/worker_state.h"
#include "base/number.h"
#include "proxy/client.h"
#include "loop/crash.h"
#include "net/tls.h"

#define BLOCK_BYTES 16384u
#define STATUS_BYTES_MAX (16u << 20)
#define STATUS_LINE_BYTES 1024u /* room for one service, upstream or fault */
#define DONE_TICK_MS 20     /* interval of checks: whether a drain is over */
#define ADOPT_TICK_MS 2     /* ... whether all threads have adopted a reload */
#define TIDY_TICK_MS 100    /* ... what can be freed */
#define LOG_STOP_MS 2000u

/* ---- the channel ---- */

/* Prints the counters into `arena`. */
static Err print_status(const WorkerProcess *p, Arena *arena, bool json, Str *ret)
{
    const WorkerStatus *status = NULL;
    TRY(worker_status(p->worker, arena, &status));
    size_t lines = status->service_count + 2 * status->origin_count + status->fault_count + 16;
    for (size_t i = 0; i < status->service_count; i++) {
        lines += status->services[i].endpoint_count;
    }
    Span room;
    if (!arena_span(arena, lines * STATUS_LINE_BYTES, &room)) {
        return ERR_MEMORY;
    }
    Text t = text_in(room);
    status_print_worker(&t, status, json);
    *ret = text_str(&t);
    return t.overflow ? ERR_LIMIT : ERR_OK;
}

/* Sends the status in pieces that fit the channel. */
static void answer_status(WorkerProcess *p, const ChannelMessage *question)
{
    Arena arena;
    arena_init(&arena, &p->blocks, STATUS_BYTES_MAX);
    Str rest = STR_NONE;
    bool json = question->value != 0;
    if (print_status(p, &arena, json, &rest) != ERR_OK) {
        rest = json ? S("null") : S("the worker's status is too long\n");
    }
    Err err = ERR_OK;
    while (rest.len > 0 && err == ERR_OK) {
        ChannelMessage part = {.kind = CHANNEL_STATUS_PART,
                               .id = question->id,
                               .bytes = str_take(rest, CHANNEL_ANSWER_BYTES_MAX)};
        err = channel_answer(&p->channel, &part);
        rest = str_drop(rest, CHANNEL_ANSWER_BYTES_MAX);
    }
    ChannelMessage end = {.kind = CHANNEL_STATUS_END, .id = question->id};
    (void)!channel_answer(&p->channel, &end);
    arena_reset(&arena);
}

static void replace_logs(const WorkerProcess *p, const ChannelMessage *message)
{
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (message->fds[i] >= 0) {
            log_replace(p->log, (LogStream)i, message->fds[i]);
        }
    }
}

/* The path may be unknown: a leaving worker may have other key logs. */
static void replace_key_log(const WorkerProcess *p, const ChannelMessage *message)
{
    if (message->fds[0] >= 0) {
        key_logs_replace(&p->key_logs, message->bytes, message->fds[0]);
    }
}

static void tell_dumped(const WorkerProcess *p, Err err)
{
    ChannelMessage answer = {.kind = CHANNEL_DUMPED, .value = err == ERR_OK};
    (void)!channel_answer(&p->channel, &answer);
}

/* ---- ending ---- */

/* The threads still have the descriptors in their pollers, so closing would refuse nobody. Sockets
 * that the service manager has too are left alone: there, connections wait for the next River. */
void worker_refuse_newcomers(const WorkerProcess *p)
{
    const Snapshot *s = &p->builder.newest->snapshot;
    for (size_t i = 0; i < s->listener_count && !p->handed_over; i++) {
        if (s->listeners[i] && !s->listeners[i]->leaving && !activation_owns(s->listeners[i]->fd)) {
            (void)shutdown(s->listeners[i]->fd, SHUT_RDWR);
        }
    }
}

/* Another process has the sockets. Our open copies would keep an address taken that it gives up,
 * and clients connecting there would wait forever. */
static void let_go(WorkerProcess *p)
{
    const Snapshot *s = &p->builder.newest->snapshot;
    if (!p->handed_over || p->let_go || !worker_is_deaf(p->worker)) {
        return;
    }
    p->let_go = true;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i] && !s->listeners[i]->leaving) {
            (void)close(s->listeners[i]->fd);
        }
    }
    ChannelMessage deaf = {.kind = CHANNEL_DEAF};
    (void)!channel_answer(&p->channel, &deaf);
    orphan_tell_deaf(p);
}

void worker_begin_drain(WorkerProcess *p, uint64_t limit_ms, bool refuse)
{
    if (!p->ending) {
        p->ending = true;
        p->handed_over = !refuse;
        p->stop_at_ms = clock_ms() + limit_ms;
        worker_drain(p->worker, refuse ? 0 : CLIENT_PATIENCE_MS);
    }
}

void worker_begin_stop(WorkerProcess *p)
{
    p->ending = true;
    p->stop_at_ms = 0;
    worker_stop(p->worker);
}

static void obey_order(WorkerProcess *p, const ChannelMessage *message)
{
    switch (message->kind) {
    case CHANNEL_DRAIN:
        worker_begin_drain(p, message->value, true);
        return;
    case CHANNEL_HAND_OVER:
        worker_begin_drain(p, message->value, false);
        return;
    case CHANNEL_STOP:
        worker_begin_stop(p);
        return;
    case CHANNEL_LOGS:
        replace_logs(p, message);
        return;
    case CHANNEL_KEY_LOG:
        replace_key_log(p, message);
        return;
    case CHANNEL_STATUS:
        answer_status(p, message);
        return;
    case CHANNEL_LISTENERS:
        worker_take_sockets(p, message);
        return;
    case CHANNEL_CONFIGURATION:
        worker_reload(p, message);
        return;
    case CHANNEL_ROOT:
        worker_take_root(p, message);
        return;
    case CHANNEL_DUMP:
        tell_dumped(p, worker_state_save(p->worker, message->fds[0]));
        return;
    case CHANNEL_CONFIRMED:
        p->confirmed = true;
        orphan_take_socket(&p->orphan, message->fds[0]);
        return;
    case CHANNEL_NONE:
    case CHANNEL_READY:
    case CHANNEL_STATUS_PART:
    case CHANNEL_STATUS_END:
    case CHANNEL_DUMPED:
    case CHANNEL_RELOADED:
    case CHANNEL_DEAF:
    case CHANNEL_START: /* these two only before the first configuration */
    case CHANNEL_ROOTS:
    case CHANNEL_RECORD: /* for helpers */
        return;
    }
}

static void take_orders(WorkerProcess *p)
{
    ChannelMessage message;
    Err err;
    while ((err = channel_take_order(&p->channel, span_of(p->room, sizeof p->room), &message)) ==
           ERR_OK) {
        obey_order(p, &message);
    }
    if (err != ERR_AGAIN && err != ERR_SYNTAX) {
        channel_close(&p->channel);
        orphan_begin(p);
    }
}

/* The poll timeout for orders; -1: none. */
static int tick_ms(const WorkerProcess *p)
{
    int tick = p->tidying ? TIDY_TICK_MS : -1;
    tick = p->orphan.is_one && !p->tidying ? orphan_tick_ms(p) : tick;
    tick = p->ending ? DONE_TICK_MS : tick;
    tick = p->adopting ? ADOPT_TICK_MS : tick;
    return (int)u64_min((unsigned)tick, u64_min(p->clusters_ms, INT_MAX)); /* -1 is the largest */
}

static void serve_channel(WorkerProcess *p)
{
    while (!worker_is_done(p->worker)) {
        struct pollfd fds[1 + ORPHAN_POLL_MAX];
        fds[0] = (struct pollfd){.fd = p->channel.orders, .events = POLLIN};
        size_t count = 1 + orphan_poll(p, &fds[1]);
        if (poll(fds, count, tick_ms(p)) > 0 && fds[0].revents != 0) {
            take_orders(p);
        }
        orphan_serve(p);
        worker_tidy(p);
        let_go(p);
        if (p->stop_at_ms != 0 && clock_ms() >= p->stop_at_ms) {
            LOG(WARN, "drain deadline passed: open requests are cut");
            worker_begin_stop(p);
        }
    }
}

/* ---- life ---- */

/* The first configuration has arrived: everything up to serving. */
static Err start_worker(WorkerProcess *p, const ChannelMessage *message)
{
    const Settings *settings = NULL;
    TRY(worker_map_settings(message, &settings));
    TRY(worker_start_by(p, settings));
    worker_close_settings(message);
    ChannelMessage ready = {.kind = CHANNEL_READY, .value = p->cage.state};
    return channel_answer(&p->channel, &ready);
}

/* Takes the start orders; fails if the supervisor is gone. */
static Err await_start(WorkerProcess *p)
{
    ChannelMessage message;
    while (!p->started) {
        struct pollfd order = {.fd = p->channel.orders, .events = POLLIN};
        (void)poll(&order, 1, -1);
        Err err = channel_take_order(&p->channel, span_of(p->room, sizeof p->room), &message);
        if (err == ERR_AGAIN) {
            continue;
        }
        TRY(err);
        if (message.kind == CHANNEL_CONFIGURATION) {
            return start_worker(p, &message);
        }
        if (!worker_take_start(p, &message)) {
            return ERR_SYNTAX;
        }
    }
    return ERR_OK;
}

void worker_process_run(const ChildStart *start_with)
{
    static WorkerProcess process; /* too large for the stack */
    WorkerProcess *p = &process;
    *p = (WorkerProcess){
        .channel = start_with->channel, .logs = {-1, -1}, .state = -1, .orphan = {.signals = -1}};
    blocks_init(&p->blocks, NULL, BLOCK_BYTES, 0);
    crash_catch_signals();
    breakin_arm();
    Err err = await_start(p);
    if (err != ERR_OK) {
        LOG(ERROR, "worker cannot start", LOG_STR("why", str_from_c(err_sentence(err))));
        log_stop(p->log, LOG_STOP_MS);
        _exit(EXIT_FAILED);
    }
    serve_channel(p);
    worker_join(p->worker);
    builder_close(&p->builder);
    worker_free(p->worker);
    log_stop(p->log, LOG_STOP_MS);
    exit(EXIT_OK);
}
