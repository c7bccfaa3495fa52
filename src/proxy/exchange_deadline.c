/* exchange_deadline.c - the deadline for the next event, and the fault if it is missed. */
#include "base/number.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#define FILE_WAIT_MS 30000u /* for one open or read of a file */

static void take_sooner(Deadline *d, uint64_t due_ms, Fault fault)
{
    if (due_ms < d->due_ms) {
        *d = (Deadline){.due_ms = due_ms, .fault = fault};
    }
}

/* Judges a finished window of the client's rate, and opens the next one. A window is as long as the
 * longest allowed pause, so that a pause alone does not count as slow. While it is not `open` (for
 * example while slow input is being passed on) its time stops. FAULT_NONE: when the window ends and
 * must be judged. */
static void rate_deadline(Deadline *d, RateWindow *w, uint64_t rate_min, uint64_t window_ms,
                          bool open, uint64_t now_ms)
{
    if (!open || rate_min == 0) {
        w->pause_ms = w->pause_ms ? w->pause_ms : now_ms;
        return;
    }
    if (w->start_ms && w->pause_ms) {
        w->start_ms += now_ms - w->pause_ms;
    }
    w->pause_ms = 0;
    if (w->start_ms && now_ms - w->start_ms >= window_ms) {
        if (w->bytes < rate_min * (now_ms - w->start_ms) / 1000) {
            take_sooner(d, 0, FAULT_RATE_TOO_LOW);
            return;
        }
        w->start_ms = 0;
    }
    if (w->start_ms == 0) {
        *w = (RateWindow){.start_ms = now_ms};
    }
    take_sooner(d, w->start_ms + window_ms, FAULT_NONE);
}

/* Checks what a blocked peer has acknowledged; returns when to check again. */
static uint64_t look_at(Thread *t, Link to, uint64_t timeout_ms, uint64_t *progress_ms,
                        size_t *ret_moved)
{
    return to.wire ? wire_watch(to.wire, t->now_ms, timeout_ms, progress_ms, ret_moved)
                   : mux_look(t, to.stream, timeout_ms, progress_ms, ret_moved);
}

/* For a peer that does not take what was sent to it. What it sends meanwhile is no excuse. */
static void send_deadline(Thread *t, Link to, uint64_t timeout_ms, uint64_t *progress_ms,
                          RateWindow *rate, Fault fault, Deadline *d)
{
    size_t moved = 0;
    take_sooner(d, look_at(t, to, timeout_ms, progress_ms, &moved), FAULT_NONE);
    rate->bytes += moved;
    take_sooner(d, *progress_ms + timeout_ms, fault);
}

/* For peers that must send. Before there is an answer the client must send its body, and then the
 * origin its head. Afterwards either may send: progress in any direction counts, and for event
 * streams or a conversation that both sides keep open, pauses may be long. Whether the peers still
 * live is detected by TCP and HTTP/2 (PING). */
static void read_deadlines(Thread *t, Exchange *x, Link origin, bool client_blocked,
                           bool origin_blocked, Deadline *d)
{
    const ServiceLimits *limits = &x->service->limits;
    bool streams = x->streams || (x->reply.sent && !x->request.body.done);
    bool from_client = !x->reply.sent && !streams && !x->request.body.done && !origin_blocked;
    rate_deadline(d, &x->pace.receive, limits->receive_rate_min, limits->body_timeout_ms,
                  from_client, t->now_ms);
    if (from_client) {
        uint64_t asked_ms = u64_max(x->pace.in_ms, x->pace.up_ms);
        take_sooner(d, asked_ms + limits->body_timeout_ms, FAULT_BODY_TIMEOUT);
    }
    bool from_either = (x->reply.sent || streams) && !client_blocked && !origin_blocked;
    if (from_either && !x->try.response_body.done) {
        uint64_t moved_ms = u64_max(x->pace.in_ms, x->pace.up_ms);
        moved_ms = u64_max(moved_ms, x->pace.out_ms);
        take_sooner(d, moved_ms + limits->stream_idle_ms, FAULT_STREAM_IDLE);
        if (!streams) {
            moved_ms = u64_max(moved_ms, origin.stream ? mux_spoke_ms(origin.stream) : 0);
            take_sooner(d, moved_ms + x->try.endpoint->read_timeout_ms, FAULT_ORIGIN_STALLED);
        }
    }
}

/* From REPLY on, and for River's own answers. Returns whether the client is blocked. */
static bool client_deadlines(Thread *t, Exchange *x, Deadline *d)
{
    const ServiceLimits *limits = &x->service->limits;
    Link client = link_client(t, x);
    bool blocked = x->phase == PHASE_ANSWER ? answer_blocked(t, x) : link_blocked(client);
    if (blocked) {
        send_deadline(t, client, limits->send_timeout_ms, &x->pace.out_ms, &x->pace.send,
                      FAULT_SEND_TIMEOUT, d);
    }
    rate_deadline(d, &x->pace.send, limits->send_rate_min, limits->send_timeout_ms, blocked,
                  t->now_ms);
    return blocked;
}

static void origin_deadlines(Thread *t, Exchange *x, bool client_blocked, Deadline *d)
{
    Link origin = link_upstream(t, x);
    if (!link_is_open(origin)) {
        return;
    }
    RateWindow none = {0};
    bool blocked = link_blocked(origin);
    if (UNLIKELY(blocked)) {
        send_deadline(t, origin, x->try.endpoint->write_timeout_ms, &x->pace.up_ms, &none,
                      FAULT_ORIGIN_UNREAD, d);
    }
    if (LIKELY(x->phase == PHASE_AWAIT && x->try.request_sent && !blocked && !x->streams)) {
        take_sooner(d, x->pace.up_ms + x->try.endpoint->read_timeout_ms, FAULT_ORIGIN_TIMEOUT);
    } else {
        read_deadlines(t, x, origin, client_blocked, blocked, d);
    }
}

/* Bytes that a slow side takes from its queue count as progress, too. */
static void tunnel_deadline(Thread *t, Exchange *x, Deadline *d)
{
    uint64_t idle_ms = x->service->limits.tunnel_idle_ms;
    Link client = link_client(t, x);
    Link origin = link_upstream(t, x);
    size_t moved = 0;
    if (link_blocked(client)) {
        take_sooner(d, look_at(t, client, idle_ms, &x->pace.out_ms, &moved), FAULT_NONE);
    }
    if (link_is_open(origin) && link_blocked(origin)) {
        take_sooner(d, look_at(t, origin, idle_ms, &x->pace.up_ms, &moved), FAULT_NONE);
    }
    uint64_t moved_ms = u64_max(x->pace.in_ms, u64_max(x->pace.out_ms, x->pace.up_ms));
    take_sooner(d, moved_ms + idle_ms, FAULT_TUNNEL_IDLE);
}

Deadline exchange_deadline(Thread *t, Exchange *x)
{
    Deadline d = {.due_ms = UINT64_MAX};
    if (x->file.looking || x->file.loading) {
        take_sooner(&d, x->pace.up_ms + FILE_WAIT_MS, FAULT_FILE_SLOW);
    }
    if (UNLIKELY(x->filters.paused_ms != 0)) { /* no peer has to make progress meanwhile */
        take_sooner(&d, x->filters.paused_ms + FILTER_PAUSE_MS, FAULT_FILTER_TIMEOUT);
        return d;
    }
    if (x->phase == PHASE_CONNECT) {
        take_sooner(&d, x->try.lease->wait_due_ms, FAULT_NONE);
        take_sooner(&d, x->try.lease->wait_end_ms, FAULT_CONNECT_WAIT);
    }
    if (x->tunnel.open) {
        tunnel_deadline(t, x, &d);
        return d;
    }
    bool client_blocked = x->phase >= PHASE_REPLY && client_deadlines(t, x, &d);
    /* It needs no more memory while its output waits for the client; once that is taken, it needs
     * as much again. */
    bool settled = client_blocked && (x->try.request_sent || x->phase == PHASE_ANSWER);
    if (UNLIKELY(settled != x->settled)) {
        x->settled = settled;
        thread_settle(t, settled);
    }
    if (x->phase >= PHASE_SEND && x->phase <= PHASE_RELAY) {
        origin_deadlines(t, x, client_blocked, &d);
    }
    return d;
}
